"""Clipping, replacing and blanking against what spec sofia2 §3.6 says of one voxel at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.clip import above, copy_and_mark, put_back, set_blank, union

DTYPES = [np.float32, np.float64]


def make_values(dtype, shape=(5, 6, 7), seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 3, shape).astype(dtype)
    values[rng.random(shape) < 0.15] = np.nan
    values[rng.random(shape) < 0.1] = 0
    return values


@pytest.mark.parametrize("dtype", DTYPES)
def test_above_finds_both_signs_and_never_blanks(dtype):
    values = make_values(dtype)
    expected = [n for n, v in enumerate(values.flat) if abs(float(v)) > 2.5]
    index, value = above(values, 2.5)
    assert index.tolist() == expected
    assert value.dtype == dtype
    np.testing.assert_array_equal(value, values.reshape(-1)[expected])
    assert (value > 2.5).any()
    assert (value < -2.5).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_above_is_strict(dtype):
    values = np.array([2, -2, np.nextafter(dtype(2), dtype(3)), -np.nextafter(dtype(2), dtype(3)), np.inf, np.nan])
    assert above(values.astype(dtype), 2)[0].tolist() == [2, 3, 4]


def test_above_compares_in_double():
    """The float32 next to 0.1 is larger than 0.1; rounded to float32 the level would be equal to it."""
    values = np.array([0.1, -0.1], np.float32)
    assert above(values, 0.1)[0].tolist() == [0, 1]
    assert above(values, float(np.float32(0.1)))[0].tolist() == []
    below = float(np.nextafter(np.float32(0.3), np.float32(0)))  # float32(0.3) is larger than 0.3, this is smaller
    assert above(np.array([0.3, below], np.float32), 0.3)[0].tolist() == [0]


@pytest.mark.parametrize("size", [0, 1, 32767, 32768, 32769, 100000])
def test_above_in_pieces(size):
    values = np.random.default_rng(size).normal(size=size).astype(np.float32)
    index, value = above(values, 1.5)
    np.testing.assert_array_equal(index, np.flatnonzero(np.abs(values) > 1.5))
    np.testing.assert_array_equal(value, values[index])
    assert above(values, np.inf)[0].size == 0


ascending = st.lists(st.integers(0, 30), unique=True).map(sorted)


@settings(deadline=None)  # the first call compiles
@given(ascending, ascending)
def test_union(one, other):
    joined = union(np.array(one, np.int64), np.array(other, np.int64))
    assert joined.tolist() == sorted({*one, *other})


@pytest.mark.parametrize("dtype", DTYPES)
def test_voxels_that_are_put_back_keep_their_sign(dtype):
    values = make_values(dtype)
    mask = np.random.default_rng(2).random(values.shape) < 0.5
    values[0, 0, :5], mask[0, 0, :5] = [4, -4, 0, -0.0, np.nan], True
    expected = [
        v if not m or np.isnan(v) else dtype(-0.7) if np.signbit(v) else dtype(0.7)
        for v, m in zip(values.flat, mask.flat, strict=True)
    ]
    put_back(values, np.flatnonzero(mask), 0.7)
    np.testing.assert_array_equal(values.ravel(), np.array(expected, dtype))
    np.testing.assert_array_equal(values[0, 0, :5], np.array([0.7, -0.7, 0.7, -0.7, np.nan], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_blanks_are_carried_along(dtype):
    values, other = make_values(dtype), make_values(dtype, seed=3)
    values[2] = 1.0
    copy, blank = np.full(values.shape, 99, dtype), np.ones(values.shape, bool)
    counts = copy_and_mark(values, copy, blank)
    np.testing.assert_array_equal(copy, values)
    np.testing.assert_array_equal(blank, np.isnan(values))
    assert counts.tolist() == np.isnan(values).sum((1, 2)).tolist()
    assert counts[2] == 0
    expected = np.where(blank, np.nan, other).astype(dtype)
    set_blank(other, blank)
    np.testing.assert_array_equal(other, expected)
