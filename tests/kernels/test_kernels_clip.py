"""Clipping, replacing and blanking against what spec sofia2 §3.6 says of one voxel at a time."""

import numpy as np
import pytest

from hisf.kernels.clip import blank_like, clip, copy_replaced

DTYPES = [np.float32, np.float64]


def make_values(dtype, shape=(5, 6, 7), seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 3, shape).astype(dtype)
    values[rng.random(shape) < 0.15] = np.nan
    values[rng.random(shape) < 0.1] = 0
    return values


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_marks_both_signs_and_never_blanks(dtype):
    values = make_values(dtype)
    mask = np.zeros(values.shape, bool)
    mask[0, 0] = True
    expected = [m or abs(float(v)) > 2.5 for m, v in zip(mask.flat, values.flat, strict=True)]
    clip(values, 2.5, mask)
    assert mask.ravel().tolist() == expected
    assert not mask[1:][np.isnan(values[1:])].any()
    assert (values[mask] > 2.5).any()
    assert (values[mask] < -2.5).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_clip_is_strict(dtype):
    values = np.array([2, -2, np.nextafter(dtype(2), dtype(3)), -np.nextafter(dtype(2), dtype(3)), np.inf, np.nan])
    mask = np.zeros((1, 1, 6), bool)
    clip(values.astype(dtype).reshape(1, 1, 6), 2, mask)
    assert mask.ravel().tolist() == [False, False, True, True, True, False]


def test_clip_compares_in_double():
    """The float32 next to 0.1 is larger than 0.1; rounded to float32 the level would be equal to it."""
    values = np.full((1, 1, 2), 0.1, np.float32)
    values[0, 0, 1] *= -1
    mask = np.zeros(values.shape, bool)
    clip(values, 0.1, mask)
    assert mask.all()
    mask[:] = False
    clip(values, float(np.float32(0.1)), mask)
    assert not mask.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_replaced_voxels_keep_their_sign(dtype):
    values = make_values(dtype)
    mask = np.random.default_rng(2).random(values.shape) < 0.5
    values[0, 0, :5], mask[0, 0, :5] = [4, -4, 0, -0.0, np.nan], True
    before, out = values.copy(), np.full(values.shape, 99, dtype)
    copy_replaced(values, mask, 0.7, out)
    expected = [
        v if not m or np.isnan(v) else dtype(-0.7) if np.signbit(v) else dtype(0.7)
        for v, m in zip(values.flat, mask.flat, strict=True)
    ]
    np.testing.assert_array_equal(out.ravel(), np.array(expected, dtype))
    np.testing.assert_array_equal(out[0, 0, :5], np.array([0.7, -0.7, 0.7, -0.7, np.nan], dtype))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_blanks_are_those_of_the_pattern_as_well(dtype):
    values, pattern = make_values(dtype), make_values(dtype, seed=3)
    expected = np.where(np.isnan(pattern), np.nan, values).astype(dtype)
    assert not np.array_equal(np.isnan(values), np.isnan(pattern))
    before = pattern.copy()
    blank_like(values, pattern)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(pattern, before)


def test_pieces_give_what_the_whole_gives():
    """Views of a cube, not contiguous, are as good as arrays."""
    values = make_values(np.float32)
    whole, pieces = np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    clip(values, 2.0, whole)
    for y in range(values.shape[1]):
        clip(values[:, y : y + 1, ::-1], 2.0, pieces[:, y : y + 1, ::-1])
    np.testing.assert_array_equal(pieces, whole)
