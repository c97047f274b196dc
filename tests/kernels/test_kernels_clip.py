"""Clipping against what spec sofia2 §3.6 says of one voxel at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.clip import BLOCK, above, high_blocks, union

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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 50), (2, 64), (700,), (1, 1), (4, 129)])
def test_blocks_with_something_high_in_them(dtype, shape):
    values = np.random.default_rng(3).normal(size=shape).astype(dtype)
    values.flat[::37] = np.nan
    rows = values.reshape(shape[0], -1) if len(shape) > 1 else values.reshape(1, -1)
    flags = high_blocks(values, 2.2)
    for z, row in enumerate(rows):
        for n, flag in enumerate(flags[z]):
            assert flag == (~(np.abs(row[n * BLOCK : (n + 1) * BLOCK]) <= 2.2)).any()
    assert flags.shape == (len(rows), -(-rows.shape[1] // BLOCK))
    index, value = above(values, 2.4, flags)
    np.testing.assert_array_equal(index, np.flatnonzero(np.abs(values) > 2.4))
    np.testing.assert_array_equal(value, values.reshape(-1)[index])


ascending = st.lists(st.integers(0, 30), unique=True).map(sorted)


@settings(deadline=None)  # the first call compiles
@given(ascending, ascending)
def test_union(one, other):
    joined = union(np.array(one, np.int64), np.array(other, np.int64))
    assert joined.tolist() == sorted({*one, *other})
