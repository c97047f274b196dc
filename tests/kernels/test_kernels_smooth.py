"""The boxcars against a literal transcription of spec sofia2 §3.5."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.clip import high_blocks
from hisf.kernels.smooth import boxcar_plan, prepare_channels, smooth_spectra

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


def smooth_planes(cube, fwhm, **how):
    """Smooth channels on the sky."""
    out, blank = np.full(cube.shape, 99, cube.dtype), np.ones(cube.shape, bool)
    prepare_channels(cube, out, blank, 0, fwhm, **how)
    return out


def smooth_cube(cube, halfwidth, slabs=None, spare=0, limit=np.inf):
    """Smooth and blank spectra, slab by slab from the top; blanks in the middle of the sky."""
    depth = len(cube)
    slabs = slabs or [depth]
    room = min(depth, max(slabs) + 2 * halfwidth + 1) + spare
    ring, there = np.full((room, *cube.shape[1:]), 99, cube.dtype), np.ones((room, *cube.shape[1:]), bool)
    blanks = np.zeros(depth, np.int64)
    above = np.full(cube.shape[1:], 99, cube.dtype)
    last, bottom, parts = depth, depth, []
    for slab in slabs:
        first = last - slab
        reach = max(0, first - halfwidth)
        blanks[reach:bottom] = prepare_channels(cube[reach:bottom], ring, there, reach)
        out = np.full((slab, *cube.shape[1:]), 99, cube.dtype)
        flags = smooth_spectra(ring, there, blanks, halfwidth, first, last, depth, above, out, limit)
        assert np.array_equal(flags, high_blocks(out, limit))
        parts.insert(0, out)
        last, bottom = first, reach
    assert np.array_equal(blanks, np.isnan(cube).sum((1, 2)))
    return np.concatenate(parts)


def twin_cube(cube, halfwidth):
    return np.where(np.isnan(cube), cube, twin_boxcar(cube, halfwidth))


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
    spectrum = np.array([0, 0, 1, 0, 0, 0, 2], np.float32).reshape(7, 1, 1)
    result = smooth_cube(spectrum, 1)
    assert np.allclose(result.ravel(), [0, 1 / 3, 1 / 3, 1 / 3, 0, 2 / 3, 2 / 3], atol=1e-6)
    spectrum[5] = np.nan
    result = smooth_cube(spectrum, 1)
    assert np.allclose(result.ravel(), [0, 1 / 3, 1 / 3, 1 / 3, 0, np.nan, 2 / 3], atol=1e-6, equal_nan=True)


def test_recursion_leaves_residues_where_the_exact_answer_is_zero():
    spectrum = np.zeros((40, 1, 1), np.float32)
    spectrum[30:36, 0, 0] = [1.1, 1.3, 0.7, 0.3, 2.2, 0.9]
    result = smooth_cube(spectrum, 1).ravel()
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
        ((2, 16, 24), 9),  # whole vectors only
        ((2, 1300, 5), 5),  # buffers of fewer lanes
        ((1, 150, 700), 40),
    ],
)
def test_planes_have_the_bits_of_the_recursion(shape, fwhm, dtype):
    cube = make_cube(shape, dtype)
    before = cube.copy()
    result = smooth_planes(cube, fwhm)
    assert result.dtype == dtype
    assert np.array_equal(result, twin_planes(cube, *boxcar_plan(fwhm)))
    assert np.array_equal(cube, before, equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_nothing_depends_on_how_the_work_is_shared(threads, monkeypatch):
    monkeypatch.setattr("hisf.kernels.threads.threads", lambda: threads)
    cube = make_cube((5, 90, 75), np.float32)
    assert np.array_equal(smooth_planes(cube, 6), twin_planes(cube, *boxcar_plan(6)))
    assert np.array_equal(smooth_cube(cube, 2), twin_cube(cube, 2), equal_nan=True)


@pytest.mark.parametrize("fwhm", [0.0, 2.0, 6.0])
def test_planes_from_a_view_are_the_same(fwhm):
    cube = make_cube((3, 20, 30), np.float32)
    view = np.repeat(cube, 2, axis=2)[:, :, ::2]
    assert np.array_equal(smooth_planes(view, fwhm), twin_planes(cube, *boxcar_plan(fwhm)))


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([2.5, 4, 6, 9, 15]), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_planes_of_any_shape(ny, nx, fwhm, seed):
    cube = make_cube((2, ny, nx), np.float32, seed, blanks=0.3)
    assert np.array_equal(smooth_planes(cube, fwhm), twin_planes(cube, *boxcar_plan(fwhm)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_voxels_that_are_put_back_keep_their_sign(dtype):
    cube = make_cube((4, 9, 11), dtype)
    mask = np.random.default_rng(2).random(cube.shape) < 0.5
    cube[0, 0, :5], mask[0, 0, :5] = [4, -4, 0, -0.0, np.nan], True
    found = 7 * 99 + np.flatnonzero(mask)  # the first is channel 7 of the cube
    expected = [
        0 if np.isnan(v) else v if not m else dtype(-0.7) if np.signbit(v) else dtype(0.7)
        for v, m in zip(cube.flat, mask.flat, strict=True)
    ]
    expected = np.array(expected, dtype).reshape(cube.shape)
    ring, blank = np.full((6, 9, 11), 99, dtype), np.ones((6, 9, 11), bool)
    others = np.array([0, 99 * 7 - 1, 99 * 11], np.int64)  # in channels before and after
    counts = prepare_channels(cube, ring, blank, 7, 0.0, np.union1d(found, others), 0.7)
    for z in range(4):
        assert np.array_equal(ring[(7 + z) % 6], expected[z])
        assert np.array_equal(blank[(7 + z) % 6], np.isnan(cube[z]))
    assert np.all(ring[5] == 99)
    assert np.all(ring[(7 + 4) % 6] == 99)
    assert counts.tolist() == np.isnan(cube).sum((1, 2)).tolist()
    assert ring[1, 0, :5].tolist() == [dtype(0.7), dtype(-0.7), dtype(0.7), dtype(-0.7), 0]
    smoothed = smooth_planes(cube, 4, found=np.flatnonzero(mask), level=0.7)
    assert np.array_equal(smoothed, twin_planes(expected, *boxcar_plan(4)))


def test_channels_refuse_what_they_cannot_do():
    cube = make_cube((2, 3, 4), np.float32)
    assert smooth_planes(cube[:0], 3).shape == (0, 3, 4)
    with pytest.raises(TypeError, match="float32 or float64"):
        smooth_planes(cube.astype(">f4"), 3)
    with pytest.raises(TypeError, match="float32 or float64"):
        smooth_planes(np.zeros((2, 3, 4), int), 3)
    with pytest.raises(ValueError, match="axes"):
        smooth_planes(cube[0], 3)
    good, blank = np.empty((2, 3, 4), np.float32), np.empty((2, 3, 4), bool)
    for out in (np.empty((2, 3, 5), np.float32), np.empty((2, 3, 4)), np.empty((2, 4, 3), np.float32).swapaxes(1, 2)):
        with pytest.raises(ValueError, match="C-contiguous"):
            prepare_channels(cube, out, blank, 0, 3)
    with pytest.raises(ValueError, match="C-contiguous"):
        prepare_channels(cube, good, blank[:, :2], 0, 3)
    with pytest.raises(ValueError, match="room for 1"):
        prepare_channels(cube, good[:1], blank[:1], 0, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "halfwidth"),
    [((1, 3, 5), 1), ((40, 3, 5), 3), ((9, 1, 1), 0), ((7, 2, 3), 9), ((25, 2, 1050), 7), ((3, 1, 4100), 1)],
)
def test_spectra_have_the_bits_of_the_recursion(shape, halfwidth, dtype):
    cube = make_cube(shape, dtype)
    result = smooth_cube(cube, halfwidth, limit=2.0)
    assert result.dtype == dtype
    assert np.array_equal(result, twin_cube(cube, halfwidth), equal_nan=True)


@given(st.integers(0, 6), st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_streamed_spectra_equal_the_whole_cube(halfwidth, slabs, spare, seed):
    cube = make_cube((sum(slabs), 2, 3), np.float32, seed, blanks=0.2)
    result = smooth_cube(cube, halfwidth, slabs, spare, limit=1.0)
    assert np.array_equal(result, twin_cube(cube, halfwidth), equal_nan=True)


def test_spectra_refuse_what_they_cannot_do():
    ring, there, blanks = np.zeros((6, 2, 2), np.float32), np.zeros((6, 2, 2), bool), np.zeros(10, np.int64)
    out, above = np.zeros((3, 2, 2), np.float32), np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match="room for 6 channels, 4 to 7 with 2 around are 8"):
        smooth_spectra(ring, there, blanks, 2, 4, 7, 10, above, out)
    with pytest.raises(ValueError, match="C-contiguous"):
        smooth_spectra(ring, there, blanks, 1, 4, 7, 10, above.astype(float), out)
    with pytest.raises(ValueError, match="not a valid request"):
        smooth_spectra(ring, there, blanks, -1, 4, 7, 10, above, out)
    with pytest.raises(ValueError, match="not a valid request"):
        smooth_spectra(ring, there, blanks, 1, 8, 11, 10, above, out)
    with pytest.raises(ValueError, match="C-contiguous"):
        smooth_spectra(ring, there, blanks, 1, 4, 6, 10, above, out)
    assert smooth_spectra(ring, there, blanks, 1, 4, 4, 10, above, out[:0]).shape == (0, 1)
