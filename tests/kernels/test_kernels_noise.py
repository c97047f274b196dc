"""The noise estimators against literal transcriptions of spec sofia2 §3.1 and §3.4 in plain Python."""

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.noise import (
    cadence,
    count_and_extremes,
    noise_of_array,
    noise_of_planes,
    noise_of_samples,
    robust_noise,
    take_samples,
)
from hisf.kernels.windows import grid_centres, level_of_windows, noise_of_windows, spread_cells

DTYPES = [np.float32, np.float64]
STATISTICS = ["mad", "gauss", "std"]
RANGES = ["negative", "positive", "full"]
K = 1.482602218505602
TWELVE = np.array([-9, 1, -2, 3, -4, 5, -6, 7, -8, -1, -3, -5], float)
QUANTILES = np.array([NormalDist().inv_cdf(((37 * k % 256) + 0.5) / 256) for k in range(256)])


def make_cube(shape, dtype=np.float32, seed=1, blanks=0.1):
    rng = np.random.default_rng(seed)
    cube = rng.normal(-0.1, 3.0, shape).astype(dtype)
    cube[rng.random(shape) < blanks] = np.nan
    cube[rng.random(shape) < 0.05] = 0
    return cube


def same(one, other):
    return np.array_equal(one, other, equal_nan=True)


def is_used(value, flux_range):
    return {"negative": value < 0, "positive": value > 0, "full": value == value}[flux_range]


def twin_median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / type(values[0])(2)


def twin_mad(values, flux_range, step=1, centre=0):
    used = [values[n] for n in range(len(values) - step, 0, -step) if is_used(values[n], flux_range)]
    cap = len(values) // step if flux_range == "full" else len(values) // (2 * step)
    used = [abs(value - values.dtype.type(centre)) for value in used[:cap]]
    return K * float(twin_median(used)) if used else math.nan


def twin_std(values, flux_range, step=1):
    used = [float(values[n]) for n in range(len(values) - step, -1, -step) if is_used(values[n], flux_range)]
    total = 0.0
    for value in used:
        total += value * value
    return math.sqrt(total / len(used)) if used else math.nan


def twin_histogram(values, step, lo, hi):
    kind = values.dtype.type
    slope = kind(100) / (hi - lo)
    shift = kind(0.5) - slope * lo
    histogram = [0] * 101
    for n in range(len(values) - step, 0, -step):
        if lo <= values[n] <= hi:
            histogram[int(slope * values[n] + shift)] += 1
    return histogram


def twin_gauss(values, flux_range, step=1):
    kind = values.dtype.type
    present = values[~np.isnan(values)]
    if present.size == 0 or not present.min() < 0 < present.max():
        return math.nan
    lo, hi = present.min(), present.max()
    if flux_range == "negative":
        hi = kind(0)
    elif flux_range == "positive":
        lo = kind(0)
    else:
        hi = min(abs(lo), abs(hi))
        lo = -hi
    histogram = twin_histogram(values, step, lo, hi)
    total, mean, width = kind(0), kind(0), kind(0)
    for n in range(100, -1, -1):
        total += kind(histogram[n])
        mean += kind(histogram[n]) * kind(n)
    if total == 0:
        return math.nan
    mean /= total
    for n in range(100, -1, -1):
        width += kind(histogram[n]) * (mean - kind(n)) ** 2
    width = np.sqrt(width / total) * (kind(5) / kind(101))
    lo, hi = lo * width, hi * width
    if not lo < hi:
        return math.nan
    histogram = twin_histogram(values, step, lo, hi)
    origin = {"negative": 100, "positive": 0, "full": 50}[flux_range]
    points = [(kind((n - origin) ** 2), kind(math.log(histogram[n]))) for n in range(99, 0, -1) if histogram[n] > 0]
    if not points:
        return math.nan
    x_mean, y_mean, s_xy, s_xx = kind(0), kind(0), kind(0), kind(0)
    for x, y in points:
        x_mean, y_mean = x_mean + x, y_mean + y
    x_mean, y_mean = x_mean / kind(len(points)), y_mean / kind(len(points))
    for x, y in points:
        s_xy += (x - x_mean) * (y - y_mean)
        s_xx += (x - x_mean) * (x - x_mean)
    if not s_xy < 0:
        return math.nan
    return float(np.sqrt(kind(-0.5) * s_xx / s_xy) * (hi - lo) / kind(100))


def twin_noise(values, statistic, flux_range, step=1):
    return {"mad": twin_mad, "std": twin_std, "gauss": twin_gauss}[statistic](values, flux_range, step)


def twin_windows(cube, centres, half_z, half_xy, measure):
    """`measure` is called with the finite float32 values of every window that has ten or more."""
    cells = np.full([len(axis) for axis in centres], np.nan, cube.dtype)
    halves = (half_z, half_xy, half_xy)
    for cell in np.ndindex(cells.shape):
        window = cube[
            tuple(
                slice(max(centres[axis][cell[axis]] - halves[axis], 0), centres[axis][cell[axis]] + halves[axis] + 1)
                for axis in range(3)
            )
        ]
        values = window[np.isfinite(window)].astype(np.float32)
        if values.size >= 10:
            cells[cell] = measure(values)
    return cells


def twin_spread(cells, centres, shape, spacing_z, spacing_xy, interpolate):
    """The noise cube as a whole, one step after the other."""
    spacings = (spacing_z, spacing_xy, spacing_xy)
    noise = np.full(shape, np.nan, cells.dtype)
    for cell in np.ndindex(cells.shape):
        block = tuple(
            slice(max(centres[a][cell[a]] - spacings[a] // 2, 0), centres[a][cell[a]] + spacings[a] // 2 + 1)
            for a in range(3)
        )
        noise[block] = cells[cell]
    if not interpolate:
        return noise

    def fill(line, centres, spacing):
        for left, right in pairwise(centres):
            low, high = float(line[left]), float(line[right])
            if math.isnan(low) or math.isnan(high):
                continue
            for k in range(1, spacing):
                line[left + k] = low + (high - low) * k / spacing

    z_centres, y_centres, x_centres = centres
    if spacing_z > 1:
        for y in y_centres:
            for x in x_centres:
                fill(noise[:, y, x], z_centres, spacing_z)
    if spacing_xy > 1:
        for z in range(shape[0]):
            for x in x_centres:
                fill(noise[z, :, x], y_centres, spacing_xy)
            for y in range(y_centres[0], y_centres[-1] + 1):
                fill(noise[z, y], x_centres, spacing_xy)
    return noise


def test_cadence_of_the_specification():
    assert cadence(1999965, 7) == 1
    assert cadence(1999966, 7) == 2
    assert cadence(160 * 150 * 90, 160) == 2
    assert cadence(10**8, 1000) == 100
    assert cadence(10**8, 100) == 99
    assert cadence(1999966, 1) == 1  # 2 is a multiple of 1
    assert cadence(10, 5) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("values", "statistic", "negative", "full", "positive"),
    [
        (TWELVE, "mad", 6.67171, 5.93041, 5.93041),
        (TWELVE, "std", 5.43139, 5.16398, 4.58258),
        (QUANTILES, "std", 0.997488, 0.997488, 0.997488),
        (QUANTILES, "mad", 0.990906, 0.990906, 1.000019),
        (QUANTILES, "gauss", 1.430105, 1.129252, 1.542151),
    ],
)
def test_examples_of_the_specification(values, statistic, negative, full, positive, dtype):
    values = values.astype(dtype)
    for flux_range, expected in zip(RANGES, (negative, positive, full), strict=True):
        assert noise_of_array(values, statistic, flux_range) == pytest.approx(expected, abs=6e-6)
        plane = noise_of_planes(values.reshape(1, 4, -1), statistic, flux_range)
        assert plane[0] == noise_of_array(values, statistic, flux_range)


@given(st.integers(1, 60), st.integers(1, 9), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=100, deadline=None)
def test_samples_of_slabs_are_the_samples_of_the_cube(total, step, cuts):
    values = np.arange(total)
    expected = [n for n in range(total - 1, -1, -1) if (total - n) % step == 0]
    assert take_samples(values, 0, total, step).tolist() == expected
    edges = sorted({0, total, *(cut for cut in cuts if cut < total)})
    pieces = [take_samples(values[low:high], low, total, step) for low, high in reversed(list(pairwise(edges)))]
    assert np.concatenate(pieces).tolist() == expected


def test_samples_are_copies_and_bad_requests_are_refused():
    values = np.arange(10.0)
    samples = take_samples(values, 0, 10, 1)
    samples[:] = -1
    assert values[3] == 3
    for first, step in ((0, 0), (-1, 1), (1, 1)):
        with pytest.raises(ValueError, match="not a valid request"):
            take_samples(values, first, 10, step)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("flux_range", RANGES)
def test_noise_has_the_bits_of_the_definition(statistic, flux_range, dtype):
    for seed, size in enumerate((1, 2, 3, 10, 11, 100, 999, 4000)):
        values = make_cube(size, dtype, seed)
        for step in (1, 2, 3, 7):
            if step > size:
                continue
            expected = twin_noise(values, statistic, flux_range, step)
            assert same(noise_of_array(values, statistic, flux_range, step), expected)
            samples = take_samples(values, 0, size, step)
            extremes = count_and_extremes(values)[1:]
            measured = noise_of_samples(samples, size % step == 0, size, step, statistic, flux_range, extremes)
            assert same(measured, expected)


@given(
    st.lists(st.sampled_from([-3.0, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, math.nan, -1e30, 1e-30]), max_size=40),
    st.sampled_from(STATISTICS),
    st.sampled_from(RANGES),
    st.integers(1, 4),
)
@settings(max_examples=200, deadline=None)
def test_noise_of_awkward_values(values, statistic, flux_range, step):
    values = np.array(values, np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        expected = twin_noise(values, statistic, flux_range, step)
    assert same(noise_of_array(values, statistic, flux_range, step), expected)


def test_mad_leaves_out_element_0_and_the_surplus_of_a_half():
    values = np.array([-100, -50, -1, -2, -3, -4], np.float32)
    assert noise_of_array(values, "mad", "negative") == K * 3  # of 4 3 2, the last three
    assert noise_of_array(values, "mad", "full") == K * 3  # of 50 1 2 3 4
    assert math.isnan(noise_of_array(values[:1], "mad", "full"))
    assert noise_of_array(values[:1], "std", "full") == 100


def test_mad_about_a_centre():
    values = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 3.0])
    scatter = noise_of_samples(values[::-1], True, 6, 1, "mad", "full", centre=1.025)
    assert scatter == pytest.approx(1.4826 * 0.075, rel=1e-5)
    for dtype in DTYPES:
        for seed, flux_range in enumerate(RANGES):
            values = make_cube(200, dtype, seed)
            expected = twin_mad(values, flux_range, 3, 0.7)
            samples = take_samples(values, 0, 200, 3)
            assert noise_of_samples(samples, False, 200, 3, "mad", flux_range, centre=0.7) == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_gauss_needs_both_signs(dtype):
    values = np.abs(make_cube(100, dtype))
    for flux_range in RANGES:
        assert math.isnan(noise_of_array(values, "gauss", flux_range))
        assert math.isnan(noise_of_array(-values, "gauss", flux_range))


def test_limits_that_cannot_be_divided_into_bins_give_no_noise():
    values = np.array([-3, 1e-40, -3, 1e-40, 1e-40], np.float32)
    assert math.isnan(noise_of_array(values, "gauss", "positive"))


def test_choices_and_types_are_checked():
    values = np.zeros(20, np.float32)
    with pytest.raises(ValueError, match="'median' is not one of std, mad, gauss"):
        noise_of_array(values, "median", "full")
    with pytest.raises(ValueError, match="'both' is not one of negative, full, positive"):
        noise_of_array(values, "mad", "both")
    with pytest.raises(TypeError, match="native byte order"):
        noise_of_array(values.astype(">f4"), "mad", "full")
    with pytest.raises(ValueError, match="axes"):
        noise_of_planes(values, "mad", "full")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("flux_range", RANGES)
def test_planes_are_measured_one_by_one(statistic, flux_range, dtype):
    cube = make_cube((7, 13, 21), dtype)
    cube[3] = np.nan
    cube[5] = 0
    noise = noise_of_planes(cube, statistic, flux_range)
    assert noise.dtype == np.float64
    assert same(noise, [twin_noise(plane.ravel(), statistic, flux_range) for plane in cube])
    assert math.isnan(noise[3])


@pytest.mark.parametrize("dtype", DTYPES)
@given(values=st.lists(st.sampled_from([-3.5, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, math.nan]), max_size=30))
@settings(max_examples=60, deadline=None)
def test_robust_noise_takes_the_upper_median(dtype, values):
    values = np.array(values, dtype)
    before = values.copy()
    present = np.sort(np.abs(values[~np.isnan(values)]))
    expected = K * float(present[present.size // 2]) if present.size else math.nan
    assert same(robust_noise(values), expected)
    assert same(values, before)


def test_robust_noise_of_many_values():
    values = make_cube(1000)
    present = np.sort(np.abs(values[~np.isnan(values)]))
    assert robust_noise(values) == K * float(present[present.size // 2])
    assert robust_noise(np.array([1.0, -2.0, 3.0, -4.0])) == K * 3


@pytest.mark.parametrize(
    ("length", "spacing", "centres"),
    [
        (51, 13, [6, 19, 32, 45]),
        (52, 13, [6, 19, 32, 45]),
        (40, 13, [0, 13, 26, 39]),
        (48, 13, [4, 17, 30, 43]),
        (10, 13, [5]),
        (100, 7, list(range(1, 100, 7))),
        (1, 1, [0]),
    ],
)
def test_grid_of_the_specification(length, spacing, centres):
    assert grid_centres(length, spacing).tolist() == centres


@given(st.integers(1, 200), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_cells_cover_the_axis(length, half):
    centres = grid_centres(length, 2 * half + 1)
    covered = {pixel for centre in centres for pixel in range(centre - half, centre + half + 1)}
    assert covered.issuperset(range(length))
    assert centres.min() >= 0
    assert centres.max() < length


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("flux_range", RANGES)
def test_windows_have_the_bits_of_the_definition(statistic, flux_range, dtype):
    cube = make_cube((8, 11, 13), dtype)
    cube[:, :5, :6] = np.nan
    cube[0, 10, 12] = np.inf
    centres = [grid_centres(8, 3), grid_centres(11, 5), grid_centres(13, 5)]
    measured = noise_of_windows(cube, *centres, 1, 2, statistic, flux_range)
    expected = twin_windows(cube, centres, 1, 2, lambda values: twin_noise(values, statistic, flux_range))
    assert measured.dtype == dtype
    assert same(measured, expected)
    assert np.isnan(measured[:, 0, 0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_levels_have_the_bits_of_the_definition(statistic, dtype):
    cube = make_cube((8, 11, 13), dtype)
    centres = [grid_centres(8, 3), grid_centres(11, 5), grid_centres(13, 5)]

    def measure(values):
        if statistic == "median":
            return twin_median(list(values))
        total = 0.0
        for value in values[::-1]:
            total += float(value)
        return total / len(values)

    measured = level_of_windows(cube, *centres, 1, 2, statistic)
    assert measured.dtype == dtype
    assert same(measured, twin_windows(cube, centres, 1, 2, measure))


def test_window_needs_ten_values():
    cube = np.full((1, 1, 12), np.nan, np.float32)
    cube[0, 0, 1:10] = -1
    at = [np.array([0]), np.array([0]), np.array([5])]
    assert np.isnan(noise_of_windows(cube, *at, 0, 6, "std", "full")).all()
    assert np.isnan(level_of_windows(cube, *at, 0, 6, "mean")).all()
    cube[0, 0, 11] = -1
    assert noise_of_windows(cube, *at, 0, 6, "std", "full")[0, 0, 0] == 1
    assert level_of_windows(cube, *at, 0, 6, "mean")[0, 0, 0] == -1


def test_windows_of_double_cubes_are_measured_in_single():
    cube = make_cube((3, 5, 5), np.float64)
    at = [np.array([1]), np.array([2]), np.array([2])]
    single = noise_of_windows(cube.astype(np.float32).astype(float), *at, 1, 2, "std", "full")
    assert noise_of_windows(cube, *at, 1, 2, "std", "full")[0, 0, 0] == single[0, 0, 0]
    assert single[0, 0, 0] != twin_std(cube.ravel(), "full")


@pytest.mark.parametrize("statistic", ["mad", "mean"])
def test_windows_of_slabs_are_the_windows_of_the_cube(statistic):
    cube = make_cube((20, 9, 9))
    centres = [grid_centres(20, 5), grid_centres(9, 3), grid_centres(9, 3)]

    def measure(slab, z_centres, z_offset=0):
        if statistic == "mean":
            return level_of_windows(slab, z_centres, *centres[1:], 3, 2, "mean", z_offset)
        return noise_of_windows(slab, z_centres, *centres[1:], 3, 2, "mad", "negative", z_offset)

    whole = measure(cube, centres[0])
    for cell, z in enumerate(centres[0]):
        low, high = max(z - 3, 0), min(z + 4, 20)
        assert same(measure(cube[low:high], centres[0][cell : cell + 1], low)[0], whole[cell])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolate", [False, True])
@pytest.mark.parametrize(
    ("shape", "spacing_z", "spacing_xy"),
    [((17, 20, 23), 5, 7), ((6, 5, 4), 1, 3), ((9, 4, 5), 3, 1), ((3, 1, 1), 1, 1), ((4, 30, 3), 9, 5)],
)
def test_noise_cube_has_the_bits_of_the_definition(shape, spacing_z, spacing_xy, interpolate, dtype):
    spacings = (spacing_z, spacing_xy, spacing_xy)
    centres = [grid_centres(length, spacing) for length, spacing in zip(shape, spacings, strict=True)]
    for blanks in (0.0, 0.3):
        cells = make_cube([len(axis) for axis in centres], dtype, blanks=blanks)
        expected = twin_spread(cells, centres, shape, spacing_z, spacing_xy, interpolate)
        noise = spread_cells(cells, *centres, shape, spacing_z, spacing_xy, interpolate, 0, shape[0])
        assert noise.dtype == dtype
        assert same(noise, expected)
        for z_first, z_last in ((0, 1), (1, shape[0]), (2, 3), (1, 1)):
            slab = spread_cells(cells, *centres, shape, spacing_z, spacing_xy, interpolate, z_first, z_last)
            assert same(slab, expected[z_first:z_last])


def test_interpolation_leaves_the_rim_as_blocks():
    centres = [np.array([0]), np.array([0]), np.array([2, 7])]
    noise = spread_cells(np.array([[[1.0, 2.0]]]), *centres, (1, 1, 10), 1, 5, True, 0, 1)
    assert noise.ravel().tolist() == [1, 1, 1, 1.2, 1.4, 1.6, 1.8, 2, 2, 2]
    blocks = spread_cells(np.array([[[1.0, 2.0]]]), *centres, (1, 1, 10), 1, 5, False, 0, 1)
    assert blocks.ravel().tolist() == [1] * 5 + [2] * 5


def test_bad_cells_are_refused():
    centres = [np.array([0]), np.array([0]), np.array([2, 7])]
    with pytest.raises(ValueError, match="does not fit"):
        spread_cells(np.ones((1, 1, 3)), *centres, (1, 1, 10), 1, 5, True, 0, 1)
    with pytest.raises(ValueError, match="not in a cube"):
        spread_cells(np.ones((1, 1, 2)), *centres, (1, 1, 10), 1, 5, True, 0, 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 31, 32, 33, 65536 + 77, 3 * 65536])
def test_extremes_of_any_length(size, dtype):
    values = make_cube(size, dtype, blanks=0.2)
    values[0] = 1
    assert count_and_extremes(values) == (np.isfinite(values).sum(), np.nanmin(values), np.nanmax(values))
    values[-1] = -99
    assert count_and_extremes(values)[1] == -99
    values[size // 2] = 77
    assert count_and_extremes(values)[2] == 77


def test_extremes_of_nothing():
    for values in (np.empty(0, np.float32), np.full(40, np.nan, np.float32)):
        count, lo, hi = count_and_extremes(values)
        assert count == 0
        assert math.isnan(lo)
        assert math.isnan(hi)
