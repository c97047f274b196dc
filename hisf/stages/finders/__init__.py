"""Finding: which voxels belong to sources."""
