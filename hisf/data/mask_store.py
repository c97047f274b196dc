"""The finder's output: which voxels were detected, kept sparse so that memory grows with the detections alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hisf.data.box import Box, Shape


class MaskStore:
    """Detected voxels of a cube, added tile by tile in any order.

    Voxels are kept as raster indices ``x + nx·(y + ny·z)``. Several finders may add the same tile: the result is the
    union.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._pieces: list[np.ndarray] = []

    def add(self, core: Box, mask: np.ndarray) -> int:
        """Add the detected voxels of ``core``.

        Parameters
        ----------
        core : Box
            In cube coordinates.
        mask : ndarray of bool, shape ``core.shape`` (z, y, x)

        Returns
        -------
        int
            How many voxels of ``core`` are detected.
        """
        flat = np.flatnonzero(mask)
        if flat.size:
            _, ny, nx = self.shape
            _, cy, cx = core.shape
            z, rest = np.divmod(flat, cy * cx)
            y, x = np.divmod(rest, cx)
            self._pieces.append((x + core.x0) + nx * ((y + core.y0) + ny * (z + core.z0)))
        return int(flat.size)

    def voxels(self) -> np.ndarray:
        """Return the raster indices of all detected voxels, ascending, each once."""
        if not self._pieces:
            return np.empty(0, np.int64)
        merged = np.unique(np.concatenate(self._pieces))
        self._pieces = [merged]
        return merged

    def slabs(self, channels: int) -> Iterator[tuple[Box, np.ndarray]]:
        """Yield ``(box, raster indices)`` of whole channels, from the last channel down; empty slabs are left out."""
        index = self.voxels()
        plane = self.shape[1] * self.shape[2]
        top = self.shape[0]
        while top > 0 and index.size:
            bottom = max(0, top - max(1, channels))
            low, high = np.searchsorted(index, (bottom * plane, top * plane))
            if high > low:
                yield Box(bottom, top, 0, self.shape[1], 0, self.shape[2]), index[low:high]
            top = bottom
