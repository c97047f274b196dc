"""Anything that yields voxels by the box: a file, an array in memory, a cube seen through a filter."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hisf.data.box import Box, Shape


class Voxels(Protocol):
    """A cube of floating-point voxels that is read box by box.

    Attributes
    ----------
    shape : tuple of int
        (z, y, x).
    dtype : dtype
        float32 or float64, native byte order.
    """

    @property
    def shape(self) -> Shape:
        """Sizes (z, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Array precision: float32 or float64."""
        ...

    def read(self, box: Box) -> np.ndarray:
        """Return the voxels of ``box``, shape ``box.shape``; the array may be a view and must not be modified."""
        ...


class ArrayVoxels:
    """Voxels that are in memory already; `read` returns views, without a copy.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        float32 or float64; other types are converted to float32.
    """

    def __init__(self, array: np.ndarray) -> None:
        if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            array = array.astype(np.float32)
        self.array = array

    @property
    def shape(self) -> Shape:
        """Sizes (z, y, x)."""
        nz, ny, nx = self.array.shape
        return nz, ny, nx

    @property
    def dtype(self) -> np.dtype:
        """Array precision."""
        return self.array.dtype

    def read(self, box: Box) -> np.ndarray:
        """Return a view of ``box`` that cannot be written to."""
        view = self.array[box.slices]
        view.flags.writeable = False
        return view
