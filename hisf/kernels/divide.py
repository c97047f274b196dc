"""Dividing channels by their noise."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


@njit(cache=True, parallel=True, nogil=True, error_model="numpy")
def divide_channels(cube: NDArray[np.floating], noise: NDArray[np.float64]) -> None:
    """Divide every channel by a number, in double, rounded to the precision of the cube; 0 is not special.

    Parameters
    ----------
    cube : ndarray of float32 or float64, shape (nz, ny, nx)
        **Modified in place.**
    noise : ndarray of float64, shape (nz,)
    """
    nz, ny, _ = cube.shape
    for n in prange(nz * ny):
        row, divisor = cube[n // ny, n % ny], noise[n // ny]
        for x in range(row.size):
            row[x] = row[x] / divisor
