"""Noise of samples and planes, bit for bit as SoFiA 2 measures it.

Everything works on values in raster order that are *visited* from the end, so that "the first K" are those with the
highest raster index. Medians are exact and need no copy: the bits of a non-negative floating-point number sort like
the number, so the wanted rank is found digit by digit with a histogram of `_DIGIT` bits (three passes for float32).

Sums that the specification leaves unordered (mean, the moments of the histogram) run in the visiting order too.

Source: spec sofia2 §3.1, §3.2 ("robust noise").
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.arrays import frozen
from hisf.kernels.threads import INNER, shared

MAD_TO_SIGMA = 1.482602218505602  # spec sofia2 §3.1
_CADENCE_SIZE = 999983  # spec sofia2 §3.1
_BINS = 101  # histogram of the gauss statistic, spec sofia2 §3.1
_DIGIT = 11  # bits; the 2048 counters stay in the first-level cache
_SPARE = 16  # counters that take rejected values; several, since hitting one again and again is slow
_PIECE = 1 << 18  # elements that are looked at together for the extremes, which stay in the cache

_STD, _MAD, _GAUSS, _MEAN, _MEDIAN = range(5)
_STATISTICS = {"std": _STD, "mad": _MAD, "gauss": _GAUSS}
_RANGES = {"negative": -1, "full": 0, "positive": 1}


def cadence(size: int, nx: int) -> int:
    """Give the step between the samples of a whole-cube measurement.

    Parameters
    ----------
    size : int
        Number of elements of the cube.
    nx : int
        Length of its x axis.

    Returns
    -------
    int
        The step, 1 or more; never a multiple of `nx` unless it is 1.

    Notes
    -----
    Spec sofia2 §3.1.
    """
    step = size // _CADENCE_SIZE
    if step < 2:
        return 1
    return step - 1 if step % nx == 0 else step


def take_samples(flat: NDArray[Any], first: int, total: int, step: int) -> NDArray[Any]:
    """Take the elements of a slab that a whole-cube measurement visits, in visiting order.

    Slabs fed from the top of the cube downward give, concatenated, the samples of the whole cube.

    Parameters
    ----------
    flat : ndarray, shape (n,)
        A piece of the cube in raster order, any dtype; NaN is kept. Not modified.
    first : int
        Raster index of ``flat[0]`` in the cube.
    total : int
        Number of elements of the whole cube.
    step : int
        The cadence.

    Returns
    -------
    ndarray, shape (m,)
        Copies of the elements at total − step, total − 2 step, … that lie in the piece, descending. Index 0 is
        included when it is met, which is when `step` divides `total` and `first` is 0.

    Raises
    ------
    ValueError
        If `step` is below 1 or the piece does not lie in the cube.

    Notes
    -----
    Spec sofia2 §3.1. Memory: the samples.
    """
    if step < 1 or first < 0 or first + flat.size > total:
        raise ValueError(f"elements {first} to {first + flat.size} of {total} with step {step}: not a valid request")
    top = min(first + flat.size - 1, total - step)
    top -= (top - total) % step
    if top < first:
        return flat[:0].copy()
    return np.ascontiguousarray(flat[: top - first + 1][::-step])


def noise_of_samples(
    samples: NDArray[Any],
    includes_zero: bool,
    capacity_total: int,
    step: int,
    statistic: str,
    flux_range: str,
    extremes: tuple[float, float] = (math.nan, math.nan),
    centre: float = 0.0,
) -> float:
    """Measure the noise of samples taken with `take_samples`.

    Parameters
    ----------
    samples : ndarray, shape (m,), float32 or float64
        Samples in visiting (descending) order. NaN is ignored. Not modified.
    includes_zero : bool
        Whether the last sample is the element with raster index 0, which mad and gauss leave out and std uses.
    capacity_total : int
        Number n of elements of the whole array; mad takes at most ⌊n / step⌋ values, ⌊n / (2 step)⌋ of a half range.
    step : int
        The cadence with which the samples were taken.
    statistic : {'mad', 'gauss', 'std'}
        Median absolute deviation, fit to the histogram, or root mean square; all about 0.
    flux_range : {'negative', 'positive', 'full'}
        Values to use; zeros belong to neither half.
    extremes : tuple of float, optional
        Smallest and largest of *all* elements of the array; used by gauss only.
    centre : float, optional
        Value that deviations are taken from; used by mad only. The range still refers to the values themselves.

    Returns
    -------
    float
        The standard deviation; NaN if no value was accepted, or if gauss does not have values on both sides of 0.

    Raises
    ------
    TypeError
        If `samples` is not float32 or float64 in native byte order.
    ValueError
        If `statistic` or `flux_range` is not one of those above.

    Notes
    -----
    Spec sofia2 §3.1, bit for bit. Memory: one copy of the samples, two when `centre` is not 0.
    """
    code, half = _code(statistic, _STATISTICS), _code(flux_range, _RANGES)
    values = _checked(samples)[::-1].copy()  # raster order
    cap = _capacity(capacity_total, step, half)
    start = 1 if includes_zero and code != _STD else 0
    if code == _MAD and centre != 0.0:
        values = values[start:]
        used = values < 0 if half < 0 else values > 0 if half > 0 else ~np.isnan(values)
        values = values[used]
        values = np.abs(values[max(0, values.size - cap) :] - values.dtype.type(centre))
        half, start = 0, 0
    lo, hi = (values.dtype.type(limit) for limit in extremes)
    return _noise(values, start, cap, code, half, lo, hi)


def noise_of_array(flat: NDArray[Any], statistic: str, flux_range: str, step: int = 1) -> float:
    """Measure the noise of a whole array.

    Parameters
    ----------
    flat : ndarray, shape (n,), float32 or float64
        All elements in raster order. NaN is ignored. Not modified.
    statistic : {'mad', 'gauss', 'std'}
        See `noise_of_samples`.
    flux_range : {'negative', 'positive', 'full'}
        See `noise_of_samples`.
    step : int, optional
        The cadence.

    Returns
    -------
    float
        The standard deviation; NaN as in `noise_of_samples`.

    Raises
    ------
    TypeError
        If `flat` is not float32 or float64 in native byte order.
    ValueError
        If `statistic` or `flux_range` is not one of those above, or `step` is below 1.

    Notes
    -----
    Spec sofia2 §3.1, bit for bit. No copies with step 1 (if `flat` is contiguous), else two of the samples.
    """
    code, half = _code(statistic, _STATISTICS), _code(flux_range, _RANGES)
    flat = _checked(flat)
    lo, hi = count_and_extremes(flat)[1:] if code == _GAUSS else (math.nan, math.nan)
    if step != 1:
        samples = take_samples(flat, 0, flat.size, step)
        return noise_of_samples(samples, flat.size % step == 0, flat.size, step, statistic, flux_range, (lo, hi))
    cap = _capacity(flat.size, 1, half)
    lo, hi = flat.dtype.type(lo), flat.dtype.type(hi)
    return _noise(flat, 0 if code == _STD else 1, cap, code, half, lo, hi)


def noise_of_planes(cube: NDArray[Any], statistic: str, flux_range: str) -> NDArray[np.float64]:
    """Measure the noise of every channel by itself, using all of its pixels.

    Parameters
    ----------
    cube : ndarray, shape (nz, ny, nx), float32 or float64
        Cube or slab. NaN is ignored. Not modified.
    statistic : {'mad', 'gauss', 'std'}
        See `noise_of_samples`.
    flux_range : {'negative', 'positive', 'full'}
        See `noise_of_samples`.

    Returns
    -------
    ndarray, shape (nz,), float64
        The standard deviations; NaN as in `noise_of_samples`.

    Raises
    ------
    TypeError
        If `cube` is not float32 or float64 in native byte order.
    ValueError
        If `cube` does not have three axes, or `statistic` or `flux_range` is not one of those above.

    Notes
    -----
    Spec sofia2 §3.4 (spectral) with §3.1. No copies if `cube` is C-contiguous.
    """
    code, half = _code(statistic, _STATISTICS), _code(flux_range, _RANGES)
    cube = _checked(cube, 3)
    planes = frozen(cube.reshape(cube.shape[0], cube.shape[1] * cube.shape[2]))
    noise = np.empty(planes.shape[0])
    if code == _MAD:  # one function for each statistic, so that nobody waits for one to be compiled that is not used
        _mad_of_planes(noise.size, planes, _words(planes), 1, _capacity(planes.shape[1], 1, half), half, noise)
    elif code == _GAUSS:
        _gauss_of_planes(noise.size, planes, half, noise)
    else:
        _std_of_planes(noise.size, planes, half, noise)
    return noise


@njit(cache=True, nogil=True)
def robust_noise(values: NDArray[Any]) -> float:
    """Measure the noise as 1.4826… times the upper median of the absolute values.

    Compiled, and callable from other compiled functions.

    Parameters
    ----------
    values : ndarray, shape (n,), float32 or float64
        Any order; NaN is ignored. Not modified.

    Returns
    -------
    float
        The noise (float64, from a median in the precision of `values`); NaN if there is nothing but NaN.

    Notes
    -----
    Spec sofia2 §3.1: rank ⌊n/2⌋ of the n magnitudes, without averaging. Memory: one copy of `values`.
    """
    magnitudes = np.empty(values.size, values.dtype)
    count = 0
    for n in range(values.size):
        if values[n] == values[n]:
            magnitudes[count] = abs(values[n])
            count += 1
    if count == 0:
        return np.nan
    return MAD_TO_SIGMA * np.float64(_select(magnitudes[:count], count // 2))


def count_and_extremes(flat: NDArray[Any]) -> tuple[int, float, float]:
    """Count the values and give the smallest and the largest.

    Parameters
    ----------
    flat : ndarray, shape (n,), float32 or float64
        NaN is ignored; infinities are values. Not modified.

    Returns
    -------
    count : int
        Number of values that are not NaN.
    lo, hi : float
        The extremes; NaN if there is no value.

    Raises
    ------
    TypeError
        If `flat` is not float32 or float64 in native byte order.

    Notes
    -----
    Needed for spec sofia2 §3.1 (gauss). No copies if `flat` is contiguous.
    """
    flat = _checked(flat)
    count, lo, hi = 0, math.nan, math.nan
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        count += piece.size - int(np.count_nonzero(np.isnan(piece)))
        lo, hi = float(np.fmin(lo, np.fmin.reduce(piece))), float(np.fmax(hi, np.fmax.reduce(piece)))
    return count, lo, hi


def _code(name: str, codes: dict[str, int]) -> int:
    """Give the number of a choice, or say what the choices are."""
    if name not in codes:
        raise ValueError(f"{name!r} is not one of {', '.join(codes)}")
    return codes[name]


def _checked(values: NDArray[Any], axes: int = 1) -> NDArray[Any]:
    """Give the array C-contiguous, or say what is wrong with it."""
    values = np.asarray(values)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"the values are {values.dtype.str}; they have to be float32 or float64 in native byte order")
    if values.ndim != axes:
        raise ValueError(f"the values have {values.ndim} axes instead of {axes}")
    return np.ascontiguousarray(values)


def _capacity(size: int, step: int, half: int) -> int:
    """Give the largest number K of values that mad takes (spec sofia2 §3.1)."""
    return size // step if half == 0 else size // (2 * step)


def _words(values: NDArray[Any]) -> NDArray[Any]:
    """Look at the bits of an array."""
    return values.view(f"u{values.itemsize}")


@njit(**INNER)
def _select(values, rank):  # type: ignore[no-untyped-def]
    """Give the element of a rank, by partitioning `values` (without NaN) in place; for short arrays."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if rank <= right:
            high = right
        elif rank >= left:
            low = left
        else:
            break
    return values[rank]


@njit(inline="always")
def _find_rank(words, start, mask, base, bits, rank, both):  # type: ignore[no-untyped-def]
    """Find the `rank`-th and, if `both`, the following of the keys (word & mask) − base of at most `bits` bits.

    Keys that do not fit are ignored. Without `both` the two results are equal.
    """
    counts = np.empty(2**_DIGIT + _SPARE, np.int64)
    eleven, one = np.uint64(_DIGIT), np.uint64(1)
    prefix, shift, below = np.uint64(0), np.uint64(bits), 0
    while shift > 0:
        width = min(eleven, shift)
        upper = shift
        shift = np.uint64(shift - width)
        digits = np.uint64((one << width) - one)
        counts[:] = 0
        if upper == bits:
            for n in range(start, words.size):
                key = np.uint64((np.uint64(words[n]) & mask) - base)
                fits = (key >> upper) == 0
                counts[np.int64(key >> shift) if fits else 2**_DIGIT + (n & (_SPARE - 1))] += 1
        else:
            for n in range(start, words.size):
                key = np.uint64((np.uint64(words[n]) & mask) - base)
                if (key >> upper) == prefix:
                    counts[np.int64((key >> shift) & digits)] += 1
        digit = 0
        while below + counts[digit] <= rank:
            below += counts[digit]
            digit += 1
        prefix = np.uint64((prefix << width) | np.uint64(digit))
        if shift == 0 and (not both or below + counts[digit] > rank + 1):
            return prefix, prefix
    gap, after = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(prefix + one)
    for n in range(start, words.size):
        key = np.uint64((np.uint64(words[n]) & mask) - base)
        gap = min(gap, np.uint64(key - after))  # wraps around, to a large number, for keys up to the rank
    return prefix, np.uint64(after + gap)


@njit(**INNER)
def _middle(words, start, mask, base, bits, offset, flip, count, pair):  # type: ignore[no-untyped-def]
    """Give the exact median of `count` values from the keys of `_find_rank`; `pair` is scratch of the dtype.

    A key plus `offset` is a word; with `flip` the keys are those of signed numbers made by `_measure_window`.
    """
    pair_words = pair.view(words.dtype)
    rank = (count - 1) // 2
    lower, upper = _find_rank(words, start, mask, base, bits, rank, count % 2 == 0)
    for n in range(2):
        word = np.uint64((lower if n == 0 else upper) + offset)
        if flip:
            word = word ^ (np.uint64(0x80000000) if word >> np.uint64(31) else np.uint64(0xFFFFFFFF))
        pair_words[n] = word
    if count % 2 == 1:
        return np.float64(pair[0])
    pair[0] = pair[0] + pair[1]
    pair[0] = pair[0] / pair.dtype.type(2)
    return np.float64(pair[0])


@njit(**INNER)
def _count_used(values, start, half):  # type: ignore[no-untyped-def]
    """Count the values of the range from `start` on."""
    count = 0
    for n in range(start, values.size):
        value = values[n]
        if half < 0:
            count += value < 0
        elif half > 0:
            count += value > 0
        else:
            count += value == value
    return count


@njit(cache=True, nogil=True)
def _median_deviation(values, words, start, cap, half):  # type: ignore[no-untyped-def]
    """MAD about 0 of the last `cap` accepted values from `start` on."""
    count = _count_used(values, start, half)
    while count > cap:  # drop the surplus with the lowest raster indices
        value = values[start]
        if value < 0 if half < 0 else value > 0 if half > 0 else value == value:
            count -= 1
        start += 1
    if count == 0:
        return np.nan
    bits = np.uint64(8 * words.itemsize - 1)
    magnitude = np.uint64((np.uint64(1) << bits) - np.uint64(1))
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    pair = np.empty(2, values.dtype)
    # The keys of accepted values are below those of NaN, and of rejected values that happen to fit: no rank meets them.
    if half < 0:
        mask, base, offset = every, np.uint64(magnitude + np.uint64(2)), np.uint64(1)  # −0 would have key −1
    elif half > 0:
        mask, base, offset = every, np.uint64(1), np.uint64(1)
    else:
        mask, base, offset = magnitude, np.uint64(0), np.uint64(0)
    return _middle(words, start, mask, base, bits, offset, False, count, pair)


@njit(cache=True, nogil=True)
def _root_mean_square(values, half):  # type: ignore[no-untyped-def]
    """Standard deviation about 0 with double sums."""
    sign = values.dtype.type(1 if half > 0 else -1)
    total = 0.0
    for n in range(values.size - 1, -1, -1):
        value = abs(values[n]) if half == 0 else sign * values[n]
        term = np.float64(value) if value > 0 else 0.0  # not a branch, which would cost five times as much
        total += term * term
    count = _count_used(values, 0, half)
    return math.sqrt(total / count) if count > 0 else np.nan


@njit(**INNER)
def _fill_histogram(values, start, lo, hi, histogram):  # type: ignore[no-untyped-def]
    """Histogram of the gauss statistic; what lies outside the limits is counted in the spare bins."""
    kind = values.dtype.type
    slope = kind(_BINS - 1) / (hi - lo)
    shift = kind(0.5) - slope * lo
    histogram[:] = 0
    for n in range(start, values.size):
        value = values[n]
        position = slope * value + shift
        fits = (value >= lo) & (value <= hi) & (position >= 0) & (position < _BINS)  # no branches
        histogram[np.int64(position) if fits else _BINS + (n & (_SPARE - 1))] += 1


@njit(cache=True, nogil=True)
def _fit_histogram(values, start, half, lo, hi):  # type: ignore[no-untyped-def]
    """Noise from a straight line through the logarithm of the histogram against the square of the value."""
    kind = values.dtype.type
    if not (lo < 0 and hi > 0):
        return np.nan
    if half < 0:
        hi = kind(0)
    elif half > 0:
        lo = kind(0)
    else:
        hi = min(-lo, hi)
        lo = -hi
    histogram = np.zeros(_BINS + _SPARE, np.int64)
    _fill_histogram(values, start, lo, hi, histogram)
    total, mean, width = kind(0), kind(0), kind(0)
    for n in range(_BINS - 1, -1, -1):
        total += kind(histogram[n])
        mean += kind(histogram[n]) * kind(n)
    if total == 0:
        return np.nan
    mean /= total
    for n in range(_BINS - 1, -1, -1):
        width += kind(histogram[n]) * ((mean - kind(n)) * (mean - kind(n)))
    width = kind(math.sqrt(width / total)) * (kind(5) / kind(_BINS))
    lo *= width
    hi *= width
    if not lo < hi:
        return np.nan
    _fill_histogram(values, start, lo, hi, histogram)
    origin = _BINS - 1 if half < 0 else 0 if half > 0 else _BINS // 2
    count, x_mean, y_mean = kind(0), kind(0), kind(0)
    for n in range(_BINS - 2, 0, -1):
        if histogram[n] > 0:
            count += kind(1)
            x_mean += kind((n - origin) ** 2)
            y_mean += kind(math.log(np.float64(histogram[n])))
    if count == 0:
        return np.nan
    x_mean /= count
    y_mean /= count
    s_xy, s_xx = kind(0), kind(0)
    for n in range(_BINS - 2, 0, -1):
        if histogram[n] > 0:
            x = kind((n - origin) ** 2) - x_mean
            y = kind(math.log(np.float64(histogram[n]))) - y_mean
            s_xy += x * y
            s_xx += x * x
    if not s_xy < 0:
        return np.nan
    ratio = kind(-0.5) * s_xx / s_xy
    return np.float64(kind(math.sqrt(ratio)) * (hi - lo) / kind(_BINS - 1))


def _noise(values, start, cap, code, half, lo, hi):  # type: ignore[no-untyped-def]
    """Noise of values in raster order; mad and gauss use those from `start` on, std uses all."""
    values = frozen(values)
    if code == _MAD:
        return float(MAD_TO_SIGMA * _median_deviation(values, _words(values), start, cap, half))
    if code == _GAUSS:
        return float(_fit_histogram(values, start, half, lo, hi))
    return float(_root_mean_square(values, half))


@njit(cache=True, nogil=True)
def _limits(values):  # type: ignore[no-untyped-def]
    """Count, smallest and largest of the values that are not NaN; inf and −inf if there is none."""
    kind = values.dtype.type
    lanes = 32
    lo, hi = np.full(lanes, kind(np.inf)), np.full(lanes, kind(-np.inf))
    count, whole = 0, values.size // lanes * lanes
    for n in range(0, whole, lanes):
        piece = values[n : n + lanes]
        for lane in range(lo.size):
            value = piece[lane]
            lo[lane] = value if value < lo[lane] else lo[lane]
            hi[lane] = value if value > hi[lane] else hi[lane]
            count += value == value
    for n in range(whole, values.size):
        value = values[n]
        lo[0] = value if value < lo[0] else lo[0]
        hi[0] = value if value > hi[0] else hi[0]
        count += value == value
    return count, lo.min(), hi.max()


@shared()
def _mad_of_planes(first, last, planes, words, start, cap, half, noise):  # type: ignore[no-untyped-def]
    """Noise of every row of `planes`, which is a channel in raster order."""
    for z in range(first, last):
        noise[z] = MAD_TO_SIGMA * _median_deviation(planes[z], words[z], start, cap, half)


@shared()
def _gauss_of_planes(first, last, planes, half, noise):  # type: ignore[no-untyped-def]
    """As `_mad_of_planes`."""
    for z in range(first, last):
        _, lo, hi = _limits(planes[z])
        noise[z] = _fit_histogram(planes[z], 1, half, lo, hi)


@shared()
def _std_of_planes(first, last, planes, half, noise):  # type: ignore[no-untyped-def]
    """As `_mad_of_planes`."""
    for z in range(first, last):
        noise[z] = _root_mean_square(planes[z], half)
