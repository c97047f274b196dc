"""Steps of running sums and transposing, element by element."""

import numpy as np
import pytest
from numba import njit

from hisf.kernels.lanes import advance, transpose

DTYPES = [np.float32, np.float64]


@njit
def step(out, before, entering, leaving, factor):
    advance(
        np.int64(out.ctypes.data), np.int64(before.ctypes.data), np.int64(entering.ctypes.data),
        np.int64(leaving.ctypes.data), factor, np.int64(out.itemsize), np.int64(entering.size),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 31, 300])
def test_a_step_is_rounded_three_times_and_touches_its_lanes_only(count, dtype):
    rng = np.random.default_rng(count)
    before, entering, leaving = (rng.normal(size=count).astype(dtype) for _ in range(3))
    factor = dtype(1) / dtype(3)
    out = np.full(count + 16, 99, dtype)
    step(out[8:], before, entering, leaving, factor)
    assert np.array_equal(out[8 : 8 + count], before + (entering - leaving) * factor)  # numpy fuses nothing
    assert np.all(out[:8] == 99)
    assert np.all(out[8 + count :] == 99)
    expected = before + (entering - leaving) * factor
    step(before, before, entering, leaving, factor)
    assert np.array_equal(before, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (7, 9), (16, 8), (19, 26), (300, 8), (0, 5), (5, 0)])
def test_transposing_copies_every_element_to_its_place(shape, dtype):
    values = np.arange(np.prod(shape) + 1, dtype=dtype)[1:].reshape(shape)
    columns = np.zeros((shape[1] + 3, shape[0] + 5), dtype)
    transpose(values, columns)
    assert np.array_equal(columns[: shape[1], : shape[0]], values.T)
    assert np.count_nonzero(columns) == values.size


def test_part_of_a_wider_array_is_transposed():
    values = np.arange(40.0 * 30).reshape(40, 30)
    columns = np.zeros((8, 60))
    transpose(values[3:33, 11:19], columns[:, 20:])
    assert np.array_equal(columns[:, 20:50], values[3:33, 11:19].T)
    assert np.count_nonzero(columns) == 240
