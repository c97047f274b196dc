"""The boxcars against a literal transcription of spec sofia2 §3.5."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels import smooth
from hisf.kernels.smooth import boxcar_plan, smooth_planes, smooth_spectra

DTYPES = [np.float32, np.float64]


def make_cube(shape, dtype, seed=1, blanks=0.1):
    rng = np.random.default_rng(seed)
    cube = rng.normal(0.0, 3.0, shape).astype(dtype)
    cube[rng.random(shape) < blanks] = np.nan
    return cube


def twin_boxcar(values, halfwidth):
    """One pass along axis 0; the other axes come along."""
    values = np.where(np.isnan(values), 0, values).astype(values.dtype)
    if halfwidth == 0:
        return values
    length, kind = values.shape[0], values.dtype.type
    factor = kind(1) / kind(2 * halfwidth + 1)
    zero = np.zeros_like(values[0])

    def padded(n):
        return values[n] if 0 <= n < length else zero

    result = np.empty_like(values)
    total = zero
    for n in range(length - 1 + halfwidth, length - 2 - halfwidth, -1):
        total = total + padded(n)
    result[length - 1] = total * factor
    for n in range(length - 2, -1, -1):
        result[n] = result[n + 1] + (padded(n - halfwidth) - padded(n + 1 + halfwidth)) * factor
    return result


def twin_planes(cube, passes, halfwidth):
    result = cube
    for axis in (2, 1):
        for _ in range(passes):
            result = np.moveaxis(twin_boxcar(np.moveaxis(result, axis, 0), halfwidth), 0, axis)
    return result


@pytest.mark.parametrize(
    ("fwhm", "passes", "halfwidth", "sigma"),
    [
        (1, 6, 0, 0.0),
        (2, 6, 0, 0.0),
        (2.5, 3, 1, 1.414),
        (3, 3, 1, 1.414),
        (4, 4, 1, 1.633),
        (5, 6, 1, 2.000),
        (6, 3, 2, 2.449),
        (8, 6, 2, 3.464),
        (9, 4, 3, 4.000),
        (10, 5, 3, 4.472),
        (12, 4, 4, 5.164),
        (15, 6, 4, 6.325),
        (20, 3, 8, 8.485),
    ],
)
def test_plan_of_the_specification(fwhm, passes, halfwidth, sigma):
    assert boxcar_plan(fwhm) == (passes, halfwidth)
    assert abs(np.sqrt(passes * ((2 * halfwidth + 1) ** 2 - 1) / 12) - sigma) < 5e-4


def test_plan_of_no_smoothing_and_of_bad_widths():
    assert boxcar_plan(0.0) == (3, 0)
    for fwhm in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fwhm"):
            boxcar_plan(fwhm)


def test_impulse_of_the_specification():
    plane = np.zeros((1, 11, 11), np.float32)
    plane[0, 5, 5] = 1
    row = smooth_planes(plane, 3.0)[0, 5, 1:10]
    expected = [0.0096021937, 0.028806586, 0.057613179, 0.067215376, 0.057613179, 0.028806590, 0.0096021974, 0.0]
    assert np.array_equal(row[1:], np.array(expected, np.float32))
    assert abs(row[0] + 2.9e-9) < 5e-11
    assert np.allclose(row * 729 / 7, [0, 1, 3, 6, 7, 6, 3, 1, 0], atol=1e-5)


def test_boxcar_of_the_specification():
    spectrum = np.array([0, 0, 1, 0, 0, np.nan, 2], np.float32).reshape(7, 1, 1)
    result = smooth_spectra(spectrum, 1, 0, 7, 0, 7)
    assert np.allclose(result.ravel(), [0, 1 / 3, 1 / 3, 1 / 3, 0, 2 / 3, 2 / 3], atol=1e-6)


def test_recursion_leaves_residues_where_the_exact_answer_is_zero():
    spectrum = np.zeros((40, 1, 1), np.float32)
    spectrum[30:36, 0, 0] = [1.1, 1.3, 0.7, 0.3, 2.2, 0.9]
    result = smooth_spectra(spectrum, 1, 0, 40, 0, 40).ravel()
    assert result[0] != 0
    assert abs(result[0]) < 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "fwhm"),
    [
        ((3, 1, 1), 3),
        ((2, 1, 70), 6),
        ((2, 131, 1), 4),
        ((1, 67, 139), 6),
        ((9, 65, 37), 3),
        ((17, 13, 21), 20),  # a boxcar wider than the plane
        ((2, 600, 5), 5),  # buffers with half as many lanes
    ],
)
def test_planes_have_the_bits_of_the_recursion(shape, fwhm, dtype):
    cube = make_cube(shape, dtype)
    before = cube.copy()
    result = smooth_planes(cube, fwhm)
    assert result.dtype == dtype
    assert np.array_equal(result, twin_planes(cube, *boxcar_plan(fwhm)))
    assert np.array_equal(cube, before, equal_nan=True)


@pytest.mark.parametrize(("parts", "threads"), [(1, 1), (2, 1), (3, 2), (16, 3), (1, 7)])
def test_planes_do_not_depend_on_how_the_work_is_shared(parts, threads, monkeypatch):
    monkeypatch.setattr("hisf.kernels.threads.get_num_threads", lambda: threads)
    cube = make_cube((3, 200, 75), np.float32)
    expected = twin_planes(cube, 3, 2)
    factor = np.float32(1) / np.float32(5)
    result = np.empty_like(cube)
    smooth._smooth_parts(3 * parts, cube, result, parts, True, False, 3, 2, factor)
    smooth._smooth_parts(3 * parts, cube, result, parts, False, True, 3, 2, factor)
    assert np.array_equal(result, expected)
    result[:] = 0
    smooth._smooth_parts(3, cube, result, 1, True, True, 3, 2, factor)
    assert np.array_equal(result, expected)


@pytest.mark.parametrize("nz", [1, 7, 70])
def test_few_and_many_planes_are_smoothed_alike(nz):
    cube = make_cube((nz, 12, 9), np.float32)
    assert np.array_equal(smooth_planes(cube, 4), twin_planes(cube, *boxcar_plan(4)))


@pytest.mark.parametrize("fwhm", [0.0, 2.0, 6.0])
def test_planes_smoothed_in_place_or_from_a_view_are_the_same(fwhm):
    cube = make_cube((3, 20, 30), np.float32)
    expected = twin_planes(cube, *boxcar_plan(fwhm))
    view = np.repeat(cube, 2, axis=2)[:, :, ::2]
    assert np.array_equal(smooth_planes(view, fwhm), expected)
    assert smooth_planes(cube, fwhm, out=cube) is cube
    assert np.array_equal(cube, expected)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([2.5, 4, 6, 9]), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_planes_of_any_shape(ny, nx, fwhm, seed):
    cube = make_cube((2, ny, nx), np.float32, seed, blanks=0.3)
    assert np.array_equal(smooth_planes(cube, fwhm), twin_planes(cube, *boxcar_plan(fwhm)))


def test_planes_refuse_what_they_cannot_do():
    cube = make_cube((2, 3, 4), np.float32)
    assert smooth_planes(cube[:0], 3).shape == (0, 3, 4)
    with pytest.raises(TypeError, match="float32 or float64"):
        smooth_planes(cube.astype(">f4"), 3)
    with pytest.raises(TypeError, match="float32 or float64"):
        smooth_planes(np.zeros((2, 3, 4), int), 3)
    with pytest.raises(ValueError, match="axes"):
        smooth_planes(cube[0], 3)
    for out in (np.empty((2, 3, 5), np.float32), np.empty((2, 3, 4)), np.empty((2, 4, 3), np.float32).swapaxes(1, 2)):
        with pytest.raises(ValueError, match="out"):
            smooth_planes(cube, 3, out=out)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "halfwidth"),
    [((1, 3, 5), 1), ((40, 3, 5), 3), ((9, 1, 1), 0), ((7, 2, 3), 9), ((25, 2, 1050), 7)],
)
def test_spectra_have_the_bits_of_the_recursion(shape, halfwidth, dtype):
    cube = make_cube(shape, dtype)
    before = cube.copy()
    result = smooth_spectra(cube, halfwidth, 0, shape[0], 0, shape[0])
    assert result.dtype == dtype
    assert np.array_equal(result, twin_boxcar(cube, halfwidth))
    assert np.array_equal(cube, before, equal_nan=True)


@given(st.integers(0, 6), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_streamed_spectra_equal_the_whole_cube(halfwidth, slabs, spare, seed):
    depth = sum(slabs)
    cube = make_cube((depth, 2, 3), np.float32, seed, blanks=0.2)
    whole = smooth_spectra(cube, halfwidth, 0, depth, 0, depth)
    assert np.array_equal(whole, twin_boxcar(cube, halfwidth))
    last, above, parts = depth, None, []
    for slab in slabs:
        first = last - slab
        low, high = max(0, first - halfwidth - spare), min(depth, last + halfwidth + 1 + spare)
        part = smooth_spectra(cube[low:high], halfwidth, first, last, low, depth, above)
        parts.insert(0, part)
        last, above = first, part[0]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("halfwidth", [0, 1, 4, 30])
def test_spectra_smoothed_in_place_are_the_same(halfwidth):
    cube = make_cube((20, 3, 4), np.float32)
    expected = twin_boxcar(cube, halfwidth)
    assert smooth_spectra(cube, halfwidth, 0, 20, 0, 20, out=cube) is cube
    assert np.array_equal(cube, expected)


def test_slab_smoothed_inside_its_own_array_is_the_same():
    cube = make_cube((20, 3, 4), np.float32)
    expected = twin_boxcar(cube, 2)
    slab = cube[4:17].copy()
    smooth_spectra(slab, 2, 7, 14, 4, 20, expected[14], out=slab[3:10])
    assert np.array_equal(slab[3:10], expected[7:14])
    assert np.array_equal(slab[:3], cube[4:7], equal_nan=True)
    assert np.array_equal(slab[10:], cube[14:17], equal_nan=True)


def test_spectra_refuse_what_they_cannot_do():
    cube = make_cube((10, 2, 2), np.float32)
    above = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match="do not cover"):
        smooth_spectra(cube[2:], 2, 3, 10, 2, 10)  # channel 1 is missing
    with pytest.raises(ValueError, match="do not cover"):
        smooth_spectra(cube[:7], 2, 0, 5, 0, 10, above)  # channel 7 is missing
    with pytest.raises(ValueError, match="needed as above"):
        smooth_spectra(cube, 2, 0, 5, 0, 10)
    with pytest.raises(ValueError, match="above is"):
        smooth_spectra(cube, 2, 0, 5, 0, 10, above.astype(float))
    with pytest.raises(ValueError, match="not a valid request"):
        smooth_spectra(cube, -1, 0, 10, 0, 10)
    with pytest.raises(ValueError, match="not a valid request"):
        smooth_spectra(cube, 1, 0, 11, 0, 10)
    with pytest.raises(ValueError, match="out is"):
        smooth_spectra(cube, 1, 0, 10, 0, 10, out=np.empty((9, 2, 2), np.float32))
    assert smooth_spectra(cube, 1, 4, 4, 0, 10, above).shape == (0, 2, 2)
