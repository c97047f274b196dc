"""Clipping: which voxels lie above a threshold, and putting found voxels back to a low level before smoothing."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


@njit(cache=True, parallel=True, nogil=True)
def _clip(values, level, mask):  # type: ignore[no-untyped-def]
    for z in prange(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                if abs(np.float64(values[z, y, x])) > level:
                    mask[z, y, x] = True


def clip(values: NDArray[np.floating], level: float, mask: NDArray[np.bool_]) -> None:
    """Mark in ``mask`` the voxels with |value| > level.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (z, y, x)
        NaN is never marked.
    level : float
        The comparison is strict and made in double (spec sofia2 §3.6).
    mask : ndarray of bool, shape (z, y, x)
        **Modified in place**; voxels that are marked already stay so.
    """
    _clip(values, float(level), mask)


@njit(cache=True, parallel=True, nogil=True)
def _copy_replaced(values, mask, level, out):  # type: ignore[no-untyped-def]
    for z in prange(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                value = values[z, y, x]
                if mask[z, y, x] and not np.isnan(value):
                    value = np.copysign(level, value)
                out[z, y, x] = value


def copy_replaced(
    values: NDArray[np.floating], mask: NDArray[np.bool_], level: float, out: NDArray[np.floating]
) -> None:
    """Copy ``values`` to ``out`` with masked voxels set to ±level, the sign being theirs (spec sofia2 §3.6).

    A value of exactly 0, such as the median that the ripple filter subtracts from itself, has the sign of its bits, as
    in SoFiA: the case continuum_ripple of the parity tests has one.

    Parameters
    ----------
    values, out : ndarray of float32 or float64, shape (z, y, x)
        One dtype; NaN stays NaN.
    mask : ndarray of bool, shape (z, y, x)
    level : float
        Not negative.
    """
    _copy_replaced(values, mask, values.dtype.type(level), out)


@njit(cache=True, parallel=True, nogil=True)
def _blank_like(values, pattern):  # type: ignore[no-untyped-def]
    for z in prange(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                if np.isnan(pattern[z, y, x]):
                    values[z, y, x] = np.nan


def blank_like(values: NDArray[np.floating], pattern: NDArray[np.floating]) -> None:
    """Set ``values`` to NaN, in place, wherever ``pattern`` of the same shape is NaN."""
    _blank_like(values, pattern)
