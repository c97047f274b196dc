"""Smoothing by running boxcars: a spatial Gaussian made of several of them, and a spectral boxcar.

A boxcar is a recursion that starts at the last element and walks down, which leaves rounding residues that have to be
reproduced, so it cannot be replaced by a convolution or run upward. It is vectorised over the other axes instead:
up to ``_LANES`` rows or columns are copied into a small buffer with the lane innermost, all passes run there, and the
result is copied back. Fused multiply-add and reassociation would change the bits and are not used.

Source: spec sofia2 §3.5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

_LANES = 64  # most rows or columns smoothed together: enough independent recursions to hide the latency of one
_BUFFER = 131072  # bytes of a buffer above which half as many lanes are faster (measured)
_TILE = 16  # rows and columns of a tile of the transposition, small enough for the first-level cache
_CHUNK = 512  # pixels along x that one spectral recursion carries along
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


def smooth_planes(planes: NDArray[Any], fwhm: float, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Smooth every channel with a Gaussian made of boxcars.

    Parameters
    ----------
    planes : ndarray, shape (nz, ny, nx), float32 or float64
        Cube or slab. NaN is read as 0. Not modified unless it is also `out`.
    fwhm : float
        Full width at half maximum in pixels; see `boxcar_plan`.
    out : ndarray, optional
        Where the result goes: shape and dtype of `planes`, C-contiguous. It may be `planes` itself; any other overlap
        of the two is not allowed.

    Returns
    -------
    ndarray, shape (nz, ny, nx)
        `out`, or a new array of the dtype of `planes`. No NaN unless `planes` has infinities: the caller blanks again.

    Raises
    ------
    TypeError
        If `planes` is not float32 or float64 in native byte order.
    ValueError
        If `planes` is not three-dimensional, `out` does not fit, or `fwhm` is not allowed.

    Notes
    -----
    Spec sofia2 §3.5, bit for bit: all passes along x for every row, then all passes along y for every column.
    Every channel is independent, so slabs give the same result as the cube. Extra memory: none besides the result
    when `planes` is C-contiguous, otherwise one copy; each thread has two buffers of 64 × max(ny, nx) elements.
    """
    passes, halfwidth = boxcar_plan(fwhm)
    planes = _checked(planes, "planes")
    if out is None:
        out = np.empty_like(planes)
    _check_result(out, planes.shape, planes.dtype)
    if halfwidth == 0:
        _blank_to_zero(planes.reshape(-1), out.reshape(-1))
        return out
    factor = planes.dtype.type(1.0 / (2 * halfwidth + 1))
    threads = get_num_threads()
    if planes.shape[0] >= 4 * threads:  # a plane per task stays in the cache between the axes, and nobody waits
        _smooth_parts(planes, out, 1, True, True, passes, halfwidth, factor)
    else:
        _smooth_parts(planes, out, 4 * threads, True, False, passes, halfwidth, factor)
        _smooth_parts(planes, out, 4 * threads, False, True, passes, halfwidth, factor)
    return out


def smooth_spectra(
    planes: NDArray[Any],
    halfwidth: int,
    first: int,
    last: int,
    z_offset: int,
    depth: int,
    above: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Smooth channels `first` to `last` (exclusive) with a spectral boxcar.

    Slabs are taken from the top channel downward, each handing the plane ``result[0]`` to the next as `above`; the
    result then has the bits of the whole cube smoothed at once.

    Parameters
    ----------
    planes : ndarray, shape (m, ny, nx), float32 or float64
        Unsmoothed channels z_offset … z_offset + m − 1 of the cube. They must include every channel of the cube from
        ``first - halfwidth`` to ``last + halfwidth`` (inclusive). NaN is read as 0. Not modified unless it shares
        memory with `out`.
    halfwidth : int
        Half-width R of the boxcar of 2R + 1 channels; 0 only replaces NaN by 0.
    first, last : int
        Channel numbers in the cube, 0 ≤ first ≤ last ≤ depth.
    z_offset : int
        Channel number in the cube of ``planes[0]``.
    depth : int
        Number of channels of the cube; channels outside it count as 0.
    above : ndarray, shape (ny, nx), optional
        Smoothed channel `last`; needed unless last == depth or halfwidth == 0, ignored otherwise.
    out : ndarray, shape (last - first, ny, nx), optional
        Where the result goes, dtype of `planes`, C-contiguous. It may be ``planes[first - z_offset:last - z_offset]``
        (so a whole cube can be smoothed in place); any other overlap is not allowed. After that the overwritten
        channels can no longer serve as input of the next slab.

    Returns
    -------
    ndarray, shape (last - first, ny, nx)
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `planes` is not float32 or float64 in native byte order.
    ValueError
        If channels are missing from `planes`, `above` is missing, or shapes do not fit.

    Notes
    -----
    Spec sofia2 §3.5, bit for bit. Each element is read once and written once. Extra memory: none besides the result
    when `planes` is C-contiguous, otherwise one copy; each thread has a ring of 512 × (2R + 1) elements.
    """
    planes = _checked(planes, "planes")
    if halfwidth < 0 or not 0 <= first <= last <= depth:
        raise ValueError(f"halfwidth {halfwidth}, channels {first} to {last} of {depth}: not a valid request")
    reach = 0 if first == last else halfwidth
    if z_offset > max(0, first - reach) or z_offset + planes.shape[0] < min(depth, last + reach + (reach > 0)):
        raise ValueError(
            f"channels {z_offset} to {z_offset + planes.shape[0]} do not cover {first} to {last} with {reach} around"
        )
    shape = (last - first, *planes.shape[1:])
    if out is None:
        out = np.empty(shape, planes.dtype)
    _check_result(out, shape, planes.dtype)
    if out.size == 0:
        return out
    if halfwidth == 0:
        _blank_to_zero(planes[first - z_offset : last - z_offset].reshape(-1), out.reshape(-1))
        return out
    fresh = last == depth
    if fresh:
        above = planes[0]  # not read
    elif above is None:
        raise ValueError(f"channel {last} is inside the cube, so its smoothed plane is needed as above")
    elif above.shape != shape[1:] or above.dtype != planes.dtype:
        raise ValueError(f"above is {above.dtype} {above.shape}; it has to be {planes.dtype} {shape[1:]}")
    else:
        above = np.ascontiguousarray(above)
    factor = planes.dtype.type(1.0 / (2 * halfwidth + 1))
    _smooth_channels(planes, halfwidth, first, last, z_offset, depth, above, fresh, factor, out)
    return out


def _checked(planes: NDArray[Any], name: str) -> NDArray[Any]:
    """Give the array C-contiguous, or say what is wrong with it."""
    planes = np.asarray(planes)
    if planes.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{name} is {planes.dtype.str}; it has to be float32 or float64 in native byte order")
    if planes.ndim != 3:
        raise ValueError(f"{name} has {planes.ndim} axes; it has to have the three axes (z, y, x)")
    return np.ascontiguousarray(planes)


def _check_result(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse a result array that does not fit."""
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.dtype} {out.shape}; it has to be C-contiguous {dtype} {shape}")


@njit(cache=True, nogil=True, parallel=True)
def _blank_to_zero(values, out):  # type: ignore[no-untyped-def]
    """Copy with NaN replaced by 0."""
    zero = out.dtype.type(0)
    for n in prange(values.size):
        value = values[n]
        out[n] = value if value == value else zero


@njit(cache=True, nogil=True)
def _run_passes(ping, pong, length, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Run all passes along axis 0 of a buffer with `halfwidth` zero rows below the data and one more above.

    Returns the buffer that holds the result; the zero rows of both stay zero.
    """
    width = 2 * halfwidth + 1
    lanes = ping.shape[1]  # a variable: loops over a constant get unrolled before they can be vectorised
    for _ in range(passes):
        result = pong[length - 1 + halfwidth]
        for lane in range(lanes):
            result[lane] = 0
        for n in range(width - 1, -1, -1):
            entering = ping[length - 1 + n]
            for lane in range(lanes):
                result[lane] += entering[lane]
        for lane in range(lanes):
            result[lane] *= factor
        for n in range(length - 2, -1, -1):
            previous, result = pong[n + halfwidth + 1], pong[n + halfwidth]
            entering, leaving = ping[n], ping[n + width]
            for lane in range(lanes):
                result[lane] = previous[lane] + (entering[lane] - leaving[lane]) * factor
        ping, pong = pong, ping
    return ping


@njit(cache=True, nogil=True)
def _smooth_rows(plane, out, y0, ping, pong, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth a buffer's worth of rows from `y0` along x; lanes past the edge carry old numbers and are not written."""
    ny, nx = plane.shape
    rows = min(ping.shape[1], ny - y0)
    zero = plane.dtype.type(0)
    for x0 in range(0, nx, _TILE):
        x1 = min(x0 + _TILE, nx)
        for lane in range(rows):
            for x in range(x0, x1):
                value = plane[y0 + lane, x]
                ping[halfwidth + x, lane] = value if value == value else zero
    result = _run_passes(ping, pong, nx, passes, halfwidth, factor)
    for x0 in range(0, nx, _TILE):
        x1 = min(x0 + _TILE, nx)
        for lane in range(rows):
            for x in range(x0, x1):
                out[y0 + lane, x] = result[halfwidth + x, lane]


@njit(cache=True, nogil=True)
def _smooth_columns(out, x0, ping, pong, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth a buffer's worth of columns from `x0` along y, in place."""
    ny, nx = out.shape
    columns = min(ping.shape[1], nx - x0)
    for y in range(ny):
        for lane in range(columns):
            ping[halfwidth + y, lane] = out[y, x0 + lane]
    result = _run_passes(ping, pong, ny, passes, halfwidth, factor)
    for y in range(ny):
        for lane in range(columns):
            out[y, x0 + lane] = result[halfwidth + y, lane]


@njit(cache=True, nogil=True)
def _buffers(like, length, halfwidth):  # type: ignore[no-untyped-def]
    """Two arrays of zeros, (length + padding of `_run_passes`, lanes)."""
    lanes = _LANES if length * _LANES * like.itemsize <= _BUFFER else _LANES // 2
    shape = (length + 2 * halfwidth + 1, lanes)
    return np.zeros(shape, like.dtype), np.zeros(shape, like.dtype)


@njit(cache=True, nogil=True, parallel=True)
def _smooth_parts(planes, out, parts, along_x, along_y, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth every plane in `parts` tasks of whole blocks; both axes in one call need a single part."""
    nz, ny, nx = planes.shape
    rows = (ny + _LANES - 1) // _LANES
    columns = (nx + _LANES - 1) // _LANES
    for n in prange(nz * parts):
        z, part = n // parts, n % parts
        if along_x:
            ping, pong = _buffers(out, nx, halfwidth)
            stop = min((part + 1) * rows // parts * _LANES, ny)
            for y0 in range(part * rows // parts * _LANES, stop, ping.shape[1]):
                _smooth_rows(planes[z], out[z], y0, ping, pong, passes, halfwidth, factor)
        if along_y:
            ping, pong = _buffers(out, ny, halfwidth)
            stop = min((part + 1) * columns // parts * _LANES, nx)
            for x0 in range(part * columns // parts * _LANES, stop, ping.shape[1]):
                _smooth_columns(out[z], x0, ping, pong, passes, halfwidth, factor)


@njit(cache=True, nogil=True, parallel=True)
def _smooth_channels(planes, halfwidth, first, last, z_offset, depth, above, fresh, factor, out):  # type: ignore[no-untyped-def]
    """Spectral recursion for chunks of a row; a ring keeps the 2R + 1 unsmoothed channels in the window."""
    ny, nx = planes.shape[1], planes.shape[2]
    width = 2 * halfwidth + 1
    chunks = (nx + _CHUNK - 1) // _CHUNK
    zero = planes.dtype.type(0)
    for n in prange(ny * chunks):
        y, x0 = n // chunks, n % chunks * _CHUNK
        size = min(_CHUNK, nx - x0)
        ring = np.zeros((width, _CHUNK), planes.dtype)
        level = np.zeros(_CHUNK, planes.dtype)
        start = last - 1 if fresh else last  # the channel whose window fills the ring, from its top
        for z in range(start + halfwidth, max(start - halfwidth, 0) - 1, -1):
            if z < depth:
                slot = z % width
                for lane in range(size):
                    value = planes[z - z_offset, y, x0 + lane]
                    ring[slot, lane] = value if value == value else zero
        if fresh:
            for z in range(start + halfwidth, start - halfwidth - 1, -1):
                slot = z % width
                for lane in range(size):
                    level[lane] += ring[slot, lane]
            for lane in range(size):
                level[lane] *= factor
                out[start - first, y, x0 + lane] = level[lane]
        else:
            for lane in range(size):
                level[lane] = above[y, x0 + lane]
        for z in range(start - 1, first - 1, -1):
            slot = (z - halfwidth) % width  # also the slot of the channel that leaves, z + 1 + halfwidth
            if z >= halfwidth:
                for lane in range(size):
                    value = planes[z - halfwidth - z_offset, y, x0 + lane]
                    value = value if value == value else zero
                    level[lane] += (value - ring[slot, lane]) * factor
                    ring[slot, lane] = value
                    out[z - first, y, x0 + lane] = level[lane]
            else:
                for lane in range(size):
                    level[lane] += (zero - ring[slot, lane]) * factor
                    ring[slot, lane] = zero
                    out[z - first, y, x0 + lane] = level[lane]
