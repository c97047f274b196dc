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
from numba import get_num_threads, njit
from numpy.typing import NDArray

from hisf.kernels.threads import shared

_LANES = 128  # most rows or columns smoothed together: what a step costs besides is shared by them
_BUFFER = 1 << 19  # bytes of a buffer above which half as many lanes are taken: two stay in the second-level cache
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
        _blank_to_zero(out.size, planes.reshape(-1), out.reshape(-1))
        return out
    factor = planes.dtype.type(1.0 / (2 * halfwidth + 1))
    threads = get_num_threads()
    if planes.shape[0] >= 2 * threads:  # a plane per task stays in the cache between the axes, and nobody waits
        _smooth_parts(planes.shape[0], planes, out, 1, True, True, passes, halfwidth, factor)
    else:
        parts = 4 * threads
        _smooth_parts(planes.shape[0] * parts, planes, out, parts, True, False, passes, halfwidth, factor)
        _smooth_parts(planes.shape[0] * parts, planes, out, parts, False, True, passes, halfwidth, factor)
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
    ring: bool = False,
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
    ring : bool, optional
        Channel z lies at ``planes[(z - z_offset) % m]``; whether the right ones are there is not checked.

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
    low, high = max(0, first - reach), min(depth, last + reach + (reach > 0))
    if planes.shape[0] < high - low if ring else z_offset > low or z_offset + planes.shape[0] < high:
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
        given = planes[first - z_offset : last - z_offset].reshape(-1)
        _blank_to_zero(out.size, given, out.reshape(-1))
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
    chunks = shape[1] * -(-shape[2] // _CHUNK)
    _smooth_channels(chunks, planes, halfwidth, first, last, z_offset, depth, above, fresh, factor, out)
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


@shared()
def _blank_to_zero(first, last, values, out):  # type: ignore[no-untyped-def]
    """Copy with NaN replaced by 0."""
    zero = out.dtype.type(0)
    for n in range(first, last):
        value = values[n]
        out[n] = value if value == value else zero


@njit(cache=True, nogil=True)
def _pass(source, first, out, place, lanes, halfwidth, factor, zeros, level):  # type: ignore[no-untyped-def]
    """Run a boxcar along axis 0 over `lanes` columns of `source` from `first` on, into `out` from column `place`.

    The recursion runs in `level`, apart from `out`: were it read back from there, the compiler could not tell one row
    from the next and would not vectorise.
    """
    length, width = source.shape[0], 2 * halfwidth + 1
    zeros, level = zeros[:lanes], level[:lanes]  # slices, since an index that may be negative has the same effect
    for lane in range(lanes):
        level[lane] = 0
    for n in range(length - 1 + halfwidth, length - 2 - halfwidth, -1):
        entering = source[n][first : first + lanes] if 0 <= n < length else zeros
        for lane in range(lanes):
            level[lane] += entering[lane]
    result = out[length - 1][place : place + lanes]
    for lane in range(lanes):
        level[lane] *= factor
        result[lane] = level[lane]
    for n in range(length - 2, -1, -1):
        result = out[n][place : place + lanes]
        entering = source[n - halfwidth][first : first + lanes] if n >= halfwidth else zeros
        leaving = source[n - halfwidth + width][first : first + lanes] if n - halfwidth + width < length else zeros
        for lane in range(lanes):
            level[lane] += (entering[lane] - leaving[lane]) * factor
            result[lane] = level[lane]


@njit(cache=True, nogil=True)
def _smooth_rows(plane, out, y0, ping, pong, zeros, level, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth a buffer's worth of rows from `y0` along x."""
    rows = min(ping.shape[1], plane.shape[0] - y0)
    _to_lanes(plane[y0 : y0 + rows], ping)
    start = np.int64(0)  # a literal 0 would be compiled apart
    for _ in range(passes):
        _pass(ping, start, pong, start, rows, halfwidth, factor, zeros, level)
        ping, pong = pong, ping
    _from_lanes(ping, out[y0 : y0 + rows])


@njit(cache=True, nogil=True)
def _smooth_columns(out, x0, ping, pong, zeros, level, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth a buffer's worth of columns from `x0` along y, in place."""
    columns = min(ping.shape[1], out.shape[1] - x0)
    start = np.int64(0)  # a literal 0 would be compiled apart
    _pass(out, x0, ping, start, columns, halfwidth, factor, zeros, level)
    for _ in range(passes - 2):
        _pass(ping, start, pong, start, columns, halfwidth, factor, zeros, level)
        ping, pong = pong, ping
    _pass(ping, start, out, x0, columns, halfwidth, factor, zeros, level)


@njit(cache=True, nogil=True)
def _or0(value):  # type: ignore[no-untyped-def]
    """Return a value, or 0 for NaN."""
    return value if value == value else type(value)(0)


@njit(cache=True, nogil=True)
def _to_lanes(rows, lanes):  # type: ignore[no-untyped-def]
    """Transpose rows (n, nx) into lanes (nx or more, n or more), NaN replaced by 0.

    Written out for 4 × 4 elements, which the compiler turns into vector moves: four times as fast as loops.
    """
    n, nx = rows.shape
    for i in range(0, n - n % 4, 4):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for x in range(0, nx - nx % 4, 4):
            a0, a1, a2, a3 = _or0(a[x]), _or0(a[x + 1]), _or0(a[x + 2]), _or0(a[x + 3])
            b0, b1, b2, b3 = _or0(b[x]), _or0(b[x + 1]), _or0(b[x + 2]), _or0(b[x + 3])
            c0, c1, c2, c3 = _or0(c[x]), _or0(c[x + 1]), _or0(c[x + 2]), _or0(c[x + 3])
            d0, d1, d2, d3 = _or0(d[x]), _or0(d[x + 1]), _or0(d[x + 2]), _or0(d[x + 3])
            p, q, r, s = lanes[x], lanes[x + 1], lanes[x + 2], lanes[x + 3]
            p[i], p[i + 1], p[i + 2], p[i + 3] = a0, b0, c0, d0
            q[i], q[i + 1], q[i + 2], q[i + 3] = a1, b1, c1, d1
            r[i], r[i + 1], r[i + 2], r[i + 3] = a2, b2, c2, d2
            s[i], s[i + 1], s[i + 2], s[i + 3] = a3, b3, c3, d3
        for x in range(nx - nx % 4, nx):
            lanes[x, i], lanes[x, i + 1], lanes[x, i + 2], lanes[x, i + 3] = (
                _or0(a[x]),
                _or0(b[x]),
                _or0(c[x]),
                _or0(d[x]),
            )
    for i in range(n - n % 4, n):
        for x in range(nx):
            lanes[x, i] = _or0(rows[i, x])


@njit(cache=True, nogil=True)
def _from_lanes(lanes, rows):  # type: ignore[no-untyped-def]
    """Transpose lanes (nx or more, n or more) back into rows (n, nx), as `_to_lanes`."""
    n, nx = rows.shape
    for i in range(0, n - n % 4, 4):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for x in range(0, nx - nx % 4, 4):
            p, q, r, s = lanes[x], lanes[x + 1], lanes[x + 2], lanes[x + 3]
            a0, b0, c0, d0 = p[i], p[i + 1], p[i + 2], p[i + 3]
            a1, b1, c1, d1 = q[i], q[i + 1], q[i + 2], q[i + 3]
            a2, b2, c2, d2 = r[i], r[i + 1], r[i + 2], r[i + 3]
            a3, b3, c3, d3 = s[i], s[i + 1], s[i + 2], s[i + 3]
            a[x], a[x + 1], a[x + 2], a[x + 3] = a0, a1, a2, a3
            b[x], b[x + 1], b[x + 2], b[x + 3] = b0, b1, b2, b3
            c[x], c[x + 1], c[x + 2], c[x + 3] = c0, c1, c2, c3
            d[x], d[x + 1], d[x + 2], d[x + 3] = d0, d1, d2, d3
        for x in range(nx - nx % 4, nx):
            a[x], b[x], c[x], d[x] = lanes[x, i], lanes[x, i + 1], lanes[x, i + 2], lanes[x, i + 3]
    for i in range(n - n % 4, n):
        for x in range(nx):
            rows[i, x] = lanes[x, i]


@shared()
def _smooth_parts(first, last, planes, out, parts, along_x, along_y, passes, halfwidth, factor):  # type: ignore[no-untyped-def]
    """Smooth every plane in `parts` tasks of whole blocks; both axes in one call need a single part."""
    _, ny, nx = planes.shape
    length = max(nx, ny)
    lanes = _LANES if length * _LANES * out.itemsize <= _BUFFER else _LANES // 2
    rows, columns = (ny + lanes - 1) // lanes, (nx + lanes - 1) // lanes
    buffers = np.zeros((2, length, lanes), out.dtype)
    zeros, level = np.zeros(lanes, out.dtype), np.zeros(lanes, out.dtype)
    for n in range(first, last):
        z, part = n // parts, n % parts
        if along_x:
            ping, pong = buffers[0, :nx], buffers[1, :nx]
            for block in range(part * rows // parts, (part + 1) * rows // parts):
                _smooth_rows(planes[z], out[z], block * lanes, ping, pong, zeros, level, passes, halfwidth, factor)
        if along_y:
            ping, pong = buffers[0, :ny], buffers[1, :ny]
            for block in range(part * columns // parts, (part + 1) * columns // parts):
                _smooth_columns(out[z], block * lanes, ping, pong, zeros, level, passes, halfwidth, factor)


@shared()
def _smooth_channels(begin, end, planes, halfwidth, first, last, z_offset, depth, above, fresh, factor, out):  # type: ignore[no-untyped-def]
    """Spectral recursion for chunks of a row; a ring keeps the 2R + 1 unsmoothed channels in the window."""
    nx = planes.shape[2]
    width = 2 * halfwidth + 1
    chunks = (nx + _CHUNK - 1) // _CHUNK
    zero = planes.dtype.type(0)
    for n in range(begin, end):
        y, x0 = n // chunks, n % chunks * _CHUNK
        x1 = min(x0 + _CHUNK, nx)
        size = x1 - x0
        level = np.zeros(size, planes.dtype)
        if not fresh and last - first < width:  # filling a window would take longer than reading each channel twice
            for lane in range(size):  # a slice that is assigned compiles a sentence about sizes that differ
                level[lane] = above[y, x0 + lane]
            zeros = np.zeros(size, planes.dtype)
            for z in range(last - 1, first - 1, -1):
                low, high = z - halfwidth, z + 1 + halfwidth
                entering = planes[(low - z_offset) % planes.shape[0], y, x0:x1] if low >= 0 else zeros
                leaving = planes[(high - z_offset) % planes.shape[0], y, x0:x1] if high < depth else zeros
                result = out[z - first, y, x0:x1]
                for lane in range(size):
                    level[lane] += (_or0(entering[lane]) - _or0(leaving[lane])) * factor
                    result[lane] = level[lane]
            continue
        window = np.zeros((width, size), planes.dtype)  # the channels under the boxcar
        start = last - 1 if fresh else last  # the channel whose window is filled first, from its top
        for z in range(start + halfwidth, max(start - halfwidth, 0) - 1, -1):
            if z < depth:
                under, plane = window[z % width], planes[(z - z_offset) % planes.shape[0], y, x0:x1]
                for lane in range(size):
                    value = plane[lane]
                    under[lane] = value if value == value else zero
        if fresh:
            for z in range(start + halfwidth, start - halfwidth - 1, -1):
                under = window[z % width]
                for lane in range(size):
                    level[lane] += under[lane]
            result = out[start - first, y, x0:x1]
            for lane in range(size):
                level[lane] *= factor
                result[lane] = level[lane]
        else:
            for lane in range(size):  # a slice that is assigned compiles a sentence about sizes that differ
                level[lane] = above[y, x0 + lane]
        for z in range(start - 1, first - 1, -1):
            under = window[(z - halfwidth) % width]  # also that of the channel that leaves, z + 1 + halfwidth
            result = out[z - first, y, x0:x1]
            if z >= halfwidth:
                plane = planes[(z - halfwidth - z_offset) % planes.shape[0], y, x0:x1]
                for lane in range(size):
                    value = plane[lane]
                    value = value if value == value else zero
                    level[lane] += (value - under[lane]) * factor
                    under[lane] = value
                    result[lane] = level[lane]
            else:
                for lane in range(size):
                    level[lane] += (zero - under[lane]) * factor
                    under[lane] = zero
                    result[lane] = level[lane]
