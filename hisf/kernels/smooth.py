"""Smoothing by running boxcars: a spatial Gaussian made of several of them, and a spectral boxcar.

A boxcar is a recursion that starts at the last element and walks down, which leaves rounding residues that have to be
reproduced, so it cannot be replaced by a convolution or run upward. It is vectorised over the other axes instead: many
rows, columns or spectra take every step together. All boxcars along an axis walk down at once, each a little behind the
one before, so that what lies between them stays in the first-level cache. Fused multiply-add and reassociation would
change the bits and are not used.

Source: spec sofia2 §3.5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.arrays import frozen
from hisf.kernels.clip import BLOCK, flag_blocks, limit_word
from hisf.kernels.lanes import LANES, advance, transpose
from hisf.kernels.threads import INNER, shared

_WORK = 1 << 18  # bytes of rows between the boxcars along an axis: they stay in the second-level cache,
_FEWEST = 128  # but so many rows are smoothed together: what a step costs besides is shared by them
LINE = 64  # bytes of a cache line
_CHUNK = 32 * BLOCK  # pixels that one spectral recursion carries along
_PASSES = (3, 4, 5, 6)  # numbers of boxcars tried for a Gaussian (spec sofia2 §3.5)


def boxcar_plan(fwhm: float) -> tuple[int, int]:
    """Choose the boxcars that stand for a Gaussian.

    Parameters
    ----------
    fwhm : float
        Full width at half maximum in pixels, not negative.

    Returns
    -------
    passes : int
        Number of boxcar passes along each axis, 3 to 6.
    halfwidth : int
        Half-width R of each boxcar of 2R + 1 pixels; 0 means that nothing is smoothed.

    Raises
    ------
    ValueError
        If `fwhm` is negative or not finite.

    Notes
    -----
    Spec sofia2 §3.5. The number of passes whose ideal half-width is closest to an integer wins, the first of equals.
    """
    if not (math.isfinite(fwhm) and fwhm >= 0.0):
        raise ValueError(f"fwhm is {fwhm}; it has to be a finite number of pixels, 0 or more")
    sigma = fwhm / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    ideal = {n: math.sqrt(3.0 * sigma * sigma / n + 0.25) - 0.5 for n in _PASSES}
    passes = min(_PASSES, key=lambda n: abs(ideal[n] - math.floor(ideal[n] + 0.5)))
    return passes, math.floor(ideal[passes] + 0.5)


def prepare_channels(
    planes: NDArray[Any],
    out: NDArray[Any],
    blank: NDArray[np.bool_],
    first: int,
    fwhm: float = 0.0,
    found: NDArray[np.int64] | None = None,
    level: float = 0.0,
) -> NDArray[np.int64]:
    """Copy channels into a ring of channels, put found voxels back to a low level, and smooth on the sky.

    Parameters
    ----------
    planes : ndarray, shape (m, ny, nx), float32 or float64
        Channels ``first`` to ``first + m``. NaN is blank and taken as 0. Not modified.
    out : ndarray, shape (room, ny, nx), room ≥ m
        **Filled in**: channel z at ``out[z % room]``, dtype of `planes`, C-contiguous. No NaN unless `planes` has
        infinities.
    blank : ndarray of bool, of the shape of `out`
        **Filled in**: where a channel is blank.
    first : int
    fwhm : float, optional
        Full width at half maximum in pixels; see `boxcar_plan`.
    found : ndarray of int64, optional
        Raster indices, ascending, in the cube: voxels that are set to ±``level`` before smoothing, the sign being
        theirs (a value of exactly 0 has the sign of its bits, as in SoFiA: the case continuum_ripple of the parity
        tests has one).
    level : float, optional
        Not negative.

    Returns
    -------
    ndarray of int64, shape (m,)
        Number of blank voxels of every channel.

    Raises
    ------
    TypeError
        If `planes` is not float32 or float64 in native byte order.
    ValueError
        If `planes` is not three-dimensional, `out` or `blank` does not fit, or `fwhm` is not allowed.

    Notes
    -----
    Spec sofia2 §3.5 and §3.6, bit for bit: all passes along x for every row, then all passes along y for every column.
    Every channel is independent. Extra memory: one copy where `planes` is not C-contiguous; each thread has some rows
    of at most 512 elements, 27 for a kernel of 3 pixels.
    """
    passes, halfwidth = boxcar_plan(fwhm)
    planes = frozen(_checked(planes, "planes"))
    m, ny, nx = planes.shape
    room = out.shape[0]
    _check_result(out, (room, ny, nx), planes.dtype)
    _check_result(blank, (room, ny, nx), np.dtype(np.bool_))
    if room < m:
        raise ValueError(f"out has room for {room} channels, there are {m}")
    edges = np.zeros(m + 1, np.int64)
    if found is None:
        found = np.empty(0, np.int64)
    elif found.size:
        edges = np.searchsorted(found, (first + np.arange(m + 1)) * (ny * nx))
    counts = np.empty(m, np.int64)
    if halfwidth == 0:
        passes = 0
    kind = planes.dtype.type
    factor = kind(1.0 / (2 * halfwidth + 1))
    _prepare(m, planes, out, blank, first, found, edges, kind(level), passes, halfwidth, factor, counts)
    return counts


def smooth_spectra(
    planes: NDArray[Any],
    blank: NDArray[np.bool_],
    blanks: NDArray[np.int64],
    halfwidth: int,
    first: int,
    last: int,
    depth: int,
    above: NDArray[Any],
    out: NDArray[Any],
    limit: float = np.inf,
) -> NDArray[np.uint8]:
    """Smooth channels `first` to `last` (exclusive) with a spectral boxcar, blank them, and note where they are high.

    Slabs are taken from the top channel downward, each continuing what the last one left in `above`; the result then
    has the bits of the whole cube smoothed at once.

    Parameters
    ----------
    planes : ndarray, shape (room, ny, nx), float32 or float64
        Unsmoothed channels without NaN, channel z of the cube at ``planes[z % room]``. Every channel of the cube from
        ``first - halfwidth`` to ``last + halfwidth`` (inclusive) must be there, which is not checked. Not modified.
    blank : ndarray of bool, of the shape of `planes`
        Where these are blank.
    blanks : ndarray of int64, shape (depth,)
        Number of blank voxels of every channel; only whether there are any matters.
    halfwidth : int
        Half-width R of the boxcar of 2R + 1 channels.
    first, last : int
        Channel numbers in the cube, 0 ≤ first ≤ last ≤ depth.
    depth : int
        Number of channels of the cube; channels outside it count as 0.
    above : ndarray, shape (ny, nx)
        Smoothed channel `last`, before it was blanked, unless last == depth. **Filled in** with channel `first`.
    out : ndarray, shape (last - first, ny, nx)
        **Filled in**, dtype of `planes`, C-contiguous.
    limit : float, optional
        Not negative.

    Returns
    -------
    ndarray of uint8, shape (last - first, blocks)
        As `hisf.kernels.clip.high_blocks` for `out` and `limit`.

    Raises
    ------
    TypeError
        If `planes` is not float32 or float64 in native byte order.
    ValueError
        If there is no room for the channels or shapes do not fit.

    Notes
    -----
    Spec sofia2 §3.5, bit for bit. Each channel is read twice and written once.
    """
    planes = _checked(planes, "planes")
    room, ny, nx = planes.shape
    if halfwidth < 0 or not 0 <= first <= last <= depth:
        raise ValueError(f"halfwidth {halfwidth}, channels {first} to {last} of {depth}: not a valid request")
    needed = min(depth, last + halfwidth + 1) - max(0, first - halfwidth)
    if first < last and room < needed:
        raise ValueError(f"planes has room for {room} channels, {first} to {last} with {halfwidth} around are {needed}")
    _check_result(out, (last - first, ny, nx), planes.dtype)
    _check_result(blank, planes.shape, np.dtype(np.bool_))
    _check_result(above, (ny, nx), planes.dtype)
    flags = np.empty((last - first, -(-ny * nx // BLOCK)), np.uint8)
    if out.size:
        factor = planes.dtype.type(1.0 / (2 * halfwidth + 1))
        chunks = -(-ny * nx // _CHUNK)
        shape = (-1, ny * nx)
        words = out.view(f"i{out.itemsize}").reshape(shape)
        _smooth_channels(
            chunks, planes.reshape(shape), blank.reshape(shape), blanks, halfwidth, first, last, depth,
            above.reshape(-1), factor, out.reshape(shape), words, limit_word(limit, out.dtype), flags,
        )  # fmt: skip
    return flags


def _checked(planes: NDArray[Any], name: str) -> NDArray[Any]:
    """Give the array C-contiguous, or say what is wrong with it."""
    planes = np.asarray(planes)
    if planes.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{name} is {planes.dtype.str}; it has to be float32 or float64 in native byte order")
    if planes.ndim != 3:
        raise ValueError(f"{name} has {planes.ndim} axes; it has to have the three axes (z, y, x)")
    return np.ascontiguousarray(planes)


def _check_result(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array that does not fit."""
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(f"an array is {out.dtype} {out.shape}; it has to be C-contiguous {dtype} {shape}")


@njit(**INNER)
def _step(m, base, mask, pitch, sums, zeros, lanes, size, length, halfwidth, factor, one):  # type: ignore[no-untyped-def]
    """Let element `m` of every lane enter the first boxcar, and what comes out of each one the next.

    Walking down, boxcar p is p · R elements behind, so that it works on what has just been made, and the elements it
    needs again are never far away. `base`, `mask` and `pitch` say for what goes into each boxcar, and what comes out of
    the last, where element 0 is, how many are kept (less 1, a power of 2; −1 is all) and how far they are apart.
    """
    passes = base.size - 1
    for p in range(passes):
        entered = m + p * halfwidth
        if entered >= length:
            return  # nor has anything for those behind
        n = entered + halfwidth  # that comes out
        if n < 0:
            continue
        entering = base[p] + (entered & mask[p]) * pitch[p] if entered >= 0 else zeros
        if n >= length - 1:  # the first sum is not complete before the last element comes out
            advance(sums[p], sums[p], entering, zeros, one, size, lanes)
        if n >= length:
            continue
        out = base[p + 1] + (n & mask[p + 1]) * pitch[p + 1]
        left = n + halfwidth + 1
        leaving = base[p] + (left & mask[p]) * pitch[p] if left < length else zeros
        before = base[p + 1] + ((n + 1) & mask[p + 1]) * pitch[p + 1]
        if n == length - 1:
            before, entering, leaving = zeros, sums[p], zeros
        advance(out, before, entering, leaving, factor, size, lanes)


@njit(**INNER)
def _smooth_plane(plane, lanes, work, given, done, ring, base, mask, pitch, sums, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth a channel along x, then along y, in place, `lanes` rows or columns at a time.

    `work` holds rows of zeros, of `sums`, `given` and `done`, and of what is between two boxcars.
    """
    ny, nx = plane.shape
    passes, size = base.size - 1, np.int64(plane.itemsize)
    row, one = np.int64(plane.strides[0]), plane.dtype.type(1)
    start, zeros = np.int64(plane.ctypes.data), np.int64(work.ctypes.data)
    end = passes * halfwidth
    for axis in range(2):
        along, across = (nx, ny) if axis == 0 else (ny, nx)
        if axis == 0:  # rows come, and go, transposed by LANES columns
            mask[0], mask[passes] = given.shape[0] - 1, done.shape[0] - 1
            pitch[0] = pitch[passes] = np.int64(work.strides[0])
            base[0], base[passes] = np.int64(given.ctypes.data), np.int64(done.ctypes.data)
        else:
            mask[0] = mask[passes] = -1
            pitch[0] = pitch[passes] = row
        for low in range(0, across, lanes):
            count = min(lanes, across - low)
            work[1 : 1 + passes] = 0
            if axis == 1:
                base[0] = base[passes] = start + low * size
            block = plane[low : low + count] if axis == 0 else plane
            for m in range(along - 1, -end - 1, -1):
                if axis == 0 and m >= 0 and (m == nx - 1 or m % LANES == LANES - 1):
                    x = m - m % LANES
                    transpose(block[:, x : m + 1], given[x & mask[0] :])
                _step(m, base, mask, pitch, sums, zeros, count, size, along, halfwidth, factor, one)
                x = m + end
                if axis == 0 and x < nx and x % LANES == 0:
                    columns = done[x & mask[passes] :]
                    transpose(columns[: min(LANES, nx - x), :count], block[:, x : x + LANES])


@shared()
def _prepare(first, last, planes, out, blank, channel, found, edges, level, passes, halfwidth, factor, counts):  # type: ignore[no-untyped-def]
    """Prepare channels; each stays in the cache from one step to the next."""
    _, ny, nx = planes.shape
    room, zero = out.shape[0], out.dtype.type(0)
    ring = 1
    while ring < 2 * halfwidth + 2:
        ring *= 2
    kept = max(2 * LANES, 2 * ring)  # what enters comes by LANES, before it is needed
    height = 1 + passes + kept + (passes - 1) * ring + 2 * LANES
    blocks = 1
    longest = max(ny, nx)
    while longest > blocks * _FEWEST and height * (longest // blocks) * out.itemsize > _WORK:
        blocks += 1
    lanes = (longest + blocks - 1) // blocks
    lanes += -lanes % (2 * LANES)
    raw = np.zeros(height * lanes + LINE, out.dtype)
    start = -np.int64(raw.ctypes.data) % LINE // np.int64(out.itemsize)  # vectors that cross cache lines are slower
    work = raw[start : start + height * lanes].reshape(height, lanes)
    given, done = work[1 + passes : 1 + passes + kept], work[height - 2 * LANES :]
    base, mask, pitch = np.zeros(passes + 1, np.int64), np.zeros(passes + 1, np.int64), np.zeros(passes + 1, np.int64)
    sums = np.zeros(passes, np.int64)
    row = np.int64(work.strides[0])
    for p in range(passes):
        sums[p] = np.int64(work.ctypes.data) + (1 + p) * row
        base[p] = np.int64(work.ctypes.data) + (1 + passes + kept + (p - 1) * ring) * row  # of the first: not used
        mask[p], pitch[p] = ring - 1, row
    for n in range(first, last):
        place = (channel + n) % room
        plane, there = out[place], blank[place]
        count = 0
        for y in range(ny):
            values, target, marks = planes[n, y], plane[y], there[y]
            for x in range(nx):
                value = values[x]
                nan = value != value
                target[x] = zero if nan else value
                marks[x] = nan
                count += nan
        counts[n] = count
        flat, origin = plane.reshape(-1), (channel + n) * ny * nx
        for k in range(edges[n], edges[n + 1]):
            i = found[k] - origin
            if not there.reshape(-1)[i]:
                flat[i] = np.copysign(level, flat[i])
        if passes:
            _smooth_plane(plane, lanes, work, given, done, ring, base, mask, pitch, sums, halfwidth, factor)


@njit(**INNER)
def _finish(values, words, blank, blanks, limit, flags):  # type: ignore[no-untyped-def]
    """Blank what is blank in the cube, if anything is, and note where values are high."""
    if blanks:
        nan = values.dtype.type(np.nan)
        for i in range(values.size):
            values[i] = nan if blank[i] else values[i]  # which the compiler vectorises
    flag_blocks(words, limit, flags)


@shared()
def _smooth_channels(  # type: ignore[no-untyped-def]
    begin, end, planes, blank, blanks, halfwidth, first, last, depth, above, factor, out, words, limit, flags
):
    """Spectral recursion for chunks of the sky, which stay in the cache; a channel later blanks and flags."""
    room, pixels = planes.shape
    size, one = np.int64(out.itemsize), out.dtype.type(1)
    row = pixels * size
    none = np.zeros(_CHUNK, out.dtype)
    zeros, over = np.int64(none.ctypes.data), np.int64(above.ctypes.data)
    source, target = np.int64(planes.ctypes.data), np.int64(out.ctypes.data)
    for n in range(begin, end):
        low, high = n * _CHUNK, min((n + 1) * _CHUNK, pixels)
        count, shift = high - low, low * size
        b0, b1 = low // BLOCK, (high + BLOCK - 1) // BLOCK
        level = above[low:high]
        for z in range(last - 1, first - 1, -1):
            now = target + (z - first) * row + shift
            if halfwidth == 0:
                values, plane = out[z - first, low:high], planes[z % room, low:high]
                for i in range(count):
                    values[i] = plane[i]
            elif z == depth - 1:
                level[:] = 0
                for k in range(depth - 1, max(0, depth - 1 - halfwidth) - 1, -1):
                    advance(over + shift, over + shift, source + k % room * row + shift, zeros, one, size, count)
                advance(now, zeros, over + shift, zeros, factor, size, count)
            else:
                before = now + row if z < last - 1 else over + shift
                bottom, top = z - halfwidth, z + 1 + halfwidth
                entering = source + bottom % room * row + shift if bottom >= 0 else zeros
                leaving = source + top % room * row + shift if top < depth else zeros
                advance(now, before, entering, leaving, factor, size, count)
            k, c = z + 1 - first, (z + 1) % room
            if z < last - 1:
                _finish(out[k, low:high], words[k, low:high], blank[c, low:high], blanks[z + 1], limit, flags[k, b0:b1])
        bottom_row = out[0, low:high]
        for i in range(count):
            level[i] = bottom_row[i]
        c = first % room
        _finish(bottom_row, words[0, low:high], blank[c, low:high], blanks[first], limit, flags[0, b0:b1])
