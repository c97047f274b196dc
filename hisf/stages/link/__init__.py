"""Linking: detected voxels become sources."""
