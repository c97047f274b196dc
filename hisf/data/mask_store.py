"""The finder's output: which voxels were detected, kept sparse so that memory grows with the detections alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hisf.data.box import Box, Shape


class MaskStore:
    """Detected voxels of a cube, added tile by tile in any order.

    Voxels are kept as raster indices ``x + nx·(y + ny·z)``. Several finders may add the same tile: the result is the
    union, and which of them detected a voxel is remembered.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._pieces: dict[str, list[np.ndarray]] = {}
        self._union: np.ndarray | None = None

    def add(self, voxels: np.ndarray, finder: str = "") -> None:
        """Add detected voxels.

        Parameters
        ----------
        voxels : ndarray of int64, shape (n,)
            Raster indices, as from `raster`.
        finder : str
            Who detected them.
        """
        pieces = self._pieces.setdefault(finder, [])
        if voxels.size:
            pieces.append(voxels)
            self._union = None

    def voxels(self) -> np.ndarray:
        """Return the raster indices of all detected voxels, ascending, each once."""
        if self._union is None:
            every = [self._merged(finder) for finder in self._pieces]
            self._union = every[0] if len(every) == 1 else _ascending(every)
        return self._union

    def finders_of(self, voxels: np.ndarray) -> tuple[str, ...]:
        """Return the finders that detected at least one of ``voxels``, in the order in which they were added.

        Parameters
        ----------
        voxels : ndarray of int64, shape (n,)
            Raster indices, ascending.
        """
        found = []
        for finder in self._pieces:
            mine = self._merged(finder)
            for some in (voxels[:1], voxels[1:]):  # mostly the first one tells
                place = np.searchsorted(mine, some)
                if len(mine) and (mine[np.minimum(place, len(mine) - 1)] == some).any():
                    found.append(finder)
                    break
        return tuple(found)

    def _merged(self, finder: str) -> np.ndarray:
        """Return the raster indices of one finder's voxels, ascending, each once."""
        pieces = self._pieces[finder]
        if len(pieces) != 1:
            pieces[:] = [_ascending(pieces)]
        return pieces[0]

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


def _ascending(pieces: list[np.ndarray]) -> np.ndarray:
    """Return the numbers of several arrays of int64, ascending, each once; mostly they come in order."""
    joined = np.concatenate([np.empty(0, np.int64), *sorted(pieces, key=lambda piece: piece[:1].tolist())])
    if not (joined[1:] > joined[:-1]).all():
        joined.sort()  # np.unique takes ten times as long
        joined = joined[np.diff(joined, prepend=-1) > 0]
    return joined


def raster(core: Box, mask: np.ndarray, shape: Shape) -> np.ndarray:
    """Return the raster indices ``x + nx·(y + ny·z)`` in a cube of ``shape`` of the voxels that are True.

    Parameters
    ----------
    core : Box
        In cube coordinates.
    mask : ndarray of bool, shape ``core.shape`` (z, y, x)
    shape : tuple of int
        (z, y, x) of the cube.

    Returns
    -------
    ndarray of int64, shape (n,)
        Ascending.
    """
    flat = np.flatnonzero(mask)
    (_, ny, nx), (_, cy, cx) = shape, core.shape
    z, rest = np.divmod(flat, max(1, cy * cx))
    y, x = np.divmod(rest, max(1, cx))
    return (x + core.x0) + nx * ((y + core.y0) + ny * (z + core.z0))
