"""Clipping: which voxels lie above a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.arrays import frozen
from hisf.kernels.threads import INNER, shared

BLOCK = 64  # values that are looked at one by one where there is something among them
_PIECE = 512  # blocks that one thread looks at


def high_blocks(values: NDArray[np.floating], level: float) -> NDArray[np.uint8]:
    """Say in which blocks of 64 there may be a |value| > level; in the others there is none.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (n, ...)
        C-contiguous.
    level : float
        Not negative.

    Returns
    -------
    ndarray of uint8, shape (n, ⌈values of each / 64⌉)
        1 or 0; a NaN makes it 1.
    """
    rows = _rows(values)
    flags = np.empty((rows.shape[0], -(-rows.shape[1] // BLOCK)), np.uint8)
    pieces = -(-flags.shape[1] // _PIECE)
    _flag_pieces(rows.shape[0] * pieces, frozen(rows.view(f"i{rows.itemsize}")), limit_word(level, rows.dtype), flags)
    return flags


def above(
    values: NDArray[np.floating], level: float, flags: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Find the elements with |value| > level.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (n, ...)
        C-contiguous. NaN is never found.
    level : float
        Not negative. The comparison is strict and as if made in double (spec sofia2 §3.6).
    flags : ndarray of uint8, optional
        What `high_blocks` says for this level or a lower one, where it is known already.

    Returns
    -------
    index : ndarray of int64, shape (n,)
        Raster indices, ascending.
    value : ndarray, shape (n,)
        What is there.
    """
    if flags is None:
        flags = high_blocks(values, level)
    rows, limit = frozen(_rows(values)), _limit(level, values.dtype)
    room = min(rows.size, BLOCK * int(np.count_nonzero(flags)))
    index, value = np.empty(room, np.int64), np.empty(room, rows.dtype)
    count = _gather(rows, flags, limit, index, value)
    return index[:count].copy(), value[:count].copy()


def limit_word(level: float, dtype: np.dtype[Any]) -> np.signedinteger[Any]:
    """Return the bits of the largest number of a type that is not above a level, as a signed integer."""
    return _limit(level, dtype).view(f"i{dtype.itemsize}")


def _limit(level: float, dtype: np.dtype[Any]) -> np.floating[Any]:
    limit = dtype.type(level)
    if float(limit) > level:  # the next one below separates the same values
        limit = np.nextafter(limit, dtype.type(-np.inf))
    return limit


def _rows(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Give an array two axes."""
    return values.reshape(len(values), -1) if values.ndim > 1 and values.size else values.reshape(1, -1)


@njit(**INNER)
def flag_blocks(words, limit, flags):  # type: ignore[no-untyped-def]
    """Do as `high_blocks` for values one after the other, given as integers of their size."""
    kind = words.dtype.type
    sign = kind(1) << kind(8 * words.itemsize - 1)
    magnitude = kind(~sign)  # all bits but the sign; such numbers sort like floats
    for n in range(flags.size):
        block, signs = words[n * BLOCK : min((n + 1) * BLOCK, words.size)], kind(0)
        for i in range(block.size):
            signs |= kind(limit - kind(block[i] & magnitude))
        flags[n] = signs < 0  # something is larger, or NaN, which is above everything


@shared()
def _flag_pieces(first, last, words, limit, flags):  # type: ignore[no-untyped-def]
    pieces = (flags.shape[1] + _PIECE - 1) // _PIECE
    for n in range(first, last):
        row, start = n // pieces, n % pieces * _PIECE
        flag_blocks(words[row, start * BLOCK :], limit, flags[row, start : start + _PIECE])


@njit(cache=True, nogil=True)
def _gather(rows, flags, limit, index, value):  # type: ignore[no-untyped-def]
    """Note what is above the limit in the flagged blocks; return how much there is."""
    count = 0
    for z in range(flags.shape[0]):
        for n in range(flags.shape[1]):
            if flags[z, n]:
                block = rows[z, n * BLOCK : (n + 1) * BLOCK]
                for i in range(block.size):
                    if abs(block[i]) > limit:
                        index[count], value[count] = z * rows.shape[1] + n * BLOCK + i, block[i]
                        count += 1
    return count


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
