"""What travels through the pipeline: boxes, tiles, cubes, sources, catalogues."""
