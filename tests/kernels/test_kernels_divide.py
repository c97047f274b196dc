"""Dividing channels by their noise, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hisf.kernels.divide import divide_channels, in_units


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_division_is_in_double_and_rounded_once(dtype, data):
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 19)))
    width = 8 * np.dtype(dtype).itemsize
    cube = data.draw(arrays(dtype, shape, elements=st.floats(width=width)))
    noise = data.draw(arrays(np.float64, shape[0], elements=st.floats()))
    with np.errstate(all="ignore"):
        expected = (cube.astype(np.float64) / noise[:, None, None]).astype(dtype)
    divide_channels(cube, noise)
    assert np.array_equal(cube, expected, equal_nan=True)


def test_zero_is_not_special():
    cube = np.array([[[1.0, -1.0, 0.0, np.nan]]], np.float32)
    divide_channels(cube, np.zeros(1))
    assert np.array_equal(cube[0, 0], [np.inf, -np.inf, np.nan, np.nan], equal_nan=True)


def test_units_of_the_noise_have_limits_and_no_blanks():
    rng = np.random.default_rng(4)
    data = (rng.standard_normal((6, 5, 7)) * 10).astype(np.float32)
    data[0, 0, 0], data[1, 2, 3], data[2, 0, 0] = np.nan, np.inf, -np.inf
    noise = np.array([1.0, 0.5, 2.0, np.nan, 0.0, 3.0], np.float32)
    found = in_units(data[:, ::-1], noise, 12.0)
    with np.errstate(all="ignore"):
        expected = np.clip(data[:, ::-1] / noise[:, None, None], -12, 12)
    expected = np.where(np.isnan(expected), np.float32(0), expected)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    assert (found[3] == 0).all()
    assert np.abs(found[4]).min() == 12
