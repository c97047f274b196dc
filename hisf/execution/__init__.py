"""How a run is carried out: memory, slabs and tiles, progress, statistics of whole cubes."""
