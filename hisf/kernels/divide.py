"""Dividing channels by their noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hisf.kernels.threads import shared


def divide_channels(cube: NDArray[np.floating], noise: NDArray[np.float64]) -> None:
    """Divide every channel by a number, in double, rounded to the precision of the cube; 0 is not special.

    Parameters
    ----------
    cube : ndarray of float32 or float64, shape (nz, ny, nx)
        **Modified in place.**
    noise : ndarray of float64, shape (nz,)
    """
    _divide_rows(cube.shape[0] * cube.shape[1], cube, noise)


@shared(error_model="numpy")
def _divide_rows(first, last, cube, noise):  # type: ignore[no-untyped-def]
    ny = cube.shape[1]
    for n in range(first, last):
        row, divisor = cube[n // ny, n % ny], noise[n // ny]
        for x in range(row.size):
            row[x] = row[x] / divisor
