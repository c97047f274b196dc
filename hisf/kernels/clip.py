"""Clipping: which voxels lie above a threshold; putting found voxels back to a low level; carrying blanks along."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.arrays import frozen
from hisf.kernels.threads import shared

_PIECE = 32768  # values that one thread looks at: they stay in the second-level cache, and uint16 counts them
_BLOCK = 64  # values that are looked at one by one where there is something among them


def above(values: NDArray[np.floating], level: float) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Find the elements with |value| > level.

    Parameters
    ----------
    values : ndarray of float32 or float64
        Any shape, C-contiguous. NaN is never found.
    level : float
        Not negative. The comparison is strict and as if made in double (spec sofia2 §3.6).

    Returns
    -------
    index : ndarray of int64, shape (n,)
        Raster indices, ascending.
    value : ndarray, shape (n,)
        What is there.
    """
    flat = frozen(values.reshape(-1))
    limit = flat.dtype.type(level)
    if float(limit) > level:  # the next one below separates the same values
        limit = np.nextafter(limit, flat.dtype.type(-np.inf))
    pieces = -(-flat.size // _PIECE)
    places, counts = np.empty(pieces * _PIECE, np.uint16), np.zeros(pieces, np.int64)
    words = flat.view(f"i{flat.itemsize}")
    magnitude = words.dtype.type(np.iinfo(words.dtype).max)  # all bits but the sign; such numbers sort like floats
    _search(pieces, flat, words, limit, limit.view(words.dtype), magnitude, places, counts)
    index, value = np.empty(int(counts.sum()), np.int64), np.empty(int(counts.sum()), flat.dtype)
    _gather(flat, places, counts, index, value)
    return index, value


@shared()
def _search(low, high, flat, words, limit, limit_word, magnitude, places, counts):  # type: ignore[no-untyped-def]
    """Note what is found in every piece: its places from the beginning of the piece, and their number."""
    kind = words.dtype.type
    for n in range(low, high):
        start, end, found = n * _PIECE, min((n + 1) * _PIECE, flat.size), 0
        for first in range(start, end, _BLOCK):
            block, signs = words[first : min(first + _BLOCK, end)], kind(0)
            for i in range(block.size):
                signs |= kind(limit_word - kind(block[i] & magnitude))
            if signs < 0:  # something is larger, or NaN, which is above everything
                for i in range(first, first + block.size):
                    if abs(flat[i]) > limit:
                        places[start + found] = i - start
                        found += 1
        counts[n] = found


@njit(cache=True, nogil=True)
def _gather(flat, places, counts, index, value):  # type: ignore[no-untyped-def]
    k = 0
    for n in range(counts.size):
        for i in range(n * _PIECE, n * _PIECE + counts[n]):
            index[k] = n * _PIECE + places[i]
            value[k] = flat[index[k]]
            k += 1


@njit(cache=True, nogil=True)
def union(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers that are in either of two ascending lists, ascending, each once.

    Parameters
    ----------
    one, other : ndarray of int64
        Each number at most once.
    """
    joined = np.empty(one.size + other.size, np.int64)
    i = j = n = 0
    while i < one.size and j < other.size:
        a, b = one[i], other[j]
        joined[n] = min(a, b)
        i += a <= b
        j += b <= a
        n += 1
    while i < one.size:
        joined[n] = one[i]
        i += 1
        n += 1
    while j < other.size:
        joined[n] = other[j]
        j += 1
        n += 1
    return joined[:n].copy()


@njit(cache=True, nogil=True)
def _put_back(flat, index, level):  # type: ignore[no-untyped-def]
    for i in index:
        if flat[i] == flat[i]:
            flat[i] = np.copysign(level, flat[i])


def put_back(values: NDArray[np.floating], index: NDArray[np.int64], level: float) -> None:
    """Set elements to ±level, in place, the sign being theirs (spec sofia2 §3.6).

    A value of exactly 0, such as the median that the ripple filter subtracts from itself, has the sign of its bits, as
    in SoFiA: the case continuum_ripple of the parity tests has one.

    Parameters
    ----------
    values : ndarray of float32 or float64
        Any shape, C-contiguous. **Modified in place**; NaN stays NaN.
    index : ndarray of int64
        Raster indices.
    level : float
        Not negative.
    """
    _put_back(values.reshape(-1), index, values.dtype.type(level))


def copy_and_mark(
    values: NDArray[np.floating], out: NDArray[np.floating], blank: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Copy channels and say which voxels are blank.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (z, y, x)
    out : ndarray of the same shape and dtype
        **Filled in.**
    blank : ndarray of bool of the same shape
        **Filled in**: where ``values`` is NaN.

    Returns
    -------
    ndarray of int64, shape (z,)
        Number of blank voxels of every channel.
    """
    counts = np.empty(values.shape[:2], np.int64)
    _copy_and_mark(counts.size, frozen(np.ascontiguousarray(values)), out, blank, counts)
    return counts.sum(1)


@shared()
def _copy_and_mark(first, last, values, out, blank, counts):  # type: ignore[no-untyped-def]
    _, ny, nx = values.shape
    for n in range(first, last):
        z, y = n // ny, n % ny
        found = 0
        for x in range(nx):
            value = values[z, y, x]
            out[z, y, x] = value
            blank[z, y, x] = value != value
            found += value != value
        counts[z, y] = found


def set_blank(values: NDArray[np.floating], blank: NDArray[np.bool_]) -> None:
    """Set ``values`` (z, y, x) to NaN, in place, wherever ``blank`` of the same shape is True."""
    _set_blank(values.shape[0] * values.shape[1], values, blank)


@shared()
def _set_blank(first, last, values, blank):  # type: ignore[no-untyped-def]
    _, ny, nx = values.shape
    for n in range(first, last):
        z, y = n // ny, n % ny
        for x in range(nx):
            if blank[z, y, x]:
                values[z, y, x] = np.nan
