"""Dividing channels by their noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hisf.kernels.arrays import frozen
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


def in_units(data: NDArray[np.float32], noise: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """Return channels divided by their noise and limited to ±``limit``; 0 where either is NaN.

    Parameters
    ----------
    data : ndarray of float32, shape (nz, ny, nx)
    noise : ndarray of float32, shape (nz,)
    limit : float
    """
    data = frozen(np.ascontiguousarray(data))
    out = np.empty(data.shape, np.float32)
    _limit_rows(data.shape[0] * data.shape[1], data, noise, np.float32(limit), out)
    return out


@shared(error_model="numpy")
def _limit_rows(first, last, data, noise, limit, out):  # type: ignore[no-untyped-def]
    ny = data.shape[1]
    for n in range(first, last):
        given, row, unit = data[n // ny, n % ny], out[n // ny, n % ny], noise[n // ny]
        for x in range(row.size):
            value = given[x] / unit
            value = limit if value > limit else -limit if value < -limit else value
            row[x] = value if value == value else np.float32(0)
