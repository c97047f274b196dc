"""Opening cubes: FITS and HDF5."""
