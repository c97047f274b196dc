"""Dividing channels by their noise, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hisf.kernels.divide import divide_channels


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
