"""Convolutions with fewer multiplications, and with strides, against the sum over taps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.convolution import convolve, convolve_strided, transform_weights


def make(shape, taps, inputs, outputs, seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(*shape, inputs)).astype(np.float32)
    weights = rng.normal(size=(outputs, inputs, taps, 3, 3)).astype(np.float32)
    return values, weights, rng.normal(size=outputs).astype(np.float32)


def twin(values, weights, bias, added=0.0):
    """Sum over taps in double, add, set negative results to 0."""
    nz, ny, nx, _ = values.shape
    half = weights.shape[2] // 2
    padded = np.pad(values.astype(float), ((half, half), (1, 1), (1, 1), (0, 0)))
    total = np.zeros((nz, ny, nx, weights.shape[0])) + bias + added
    for k in range(weights.shape[2]):
        for j in range(3):
            for i in range(3):
                total += padded[k : k + nz, j : j + ny, i : i + nx] @ weights[:, :, k, j, i].T.astype(float)
    return np.maximum(total, 0.0)


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 33)),
    st.sampled_from([1, 3, 5, 7]),
    st.sampled_from([(8, 16), (32, 32), (16, 48)]),
    st.booleans(),
    st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_any_grid_is_convolved_as_by_the_sum_over_taps(shape, taps, channels, added, seed):
    values, weights, bias = make(shape, taps, *channels, seed)
    before = np.random.default_rng(seed).normal(size=(*shape, channels[1])).astype(np.float32)
    out, kept = before.copy(), values.copy()
    convolve(values, transform_weights(weights), bias, out, added)
    expected = twin(values, weights, bias, before if added else 0.0)
    scale = np.abs(weights).sum((1, 2, 3, 4)).max() * np.abs(values).max()
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * scale)
    assert np.array_equal(values, kept)


def test_an_impulse_gives_the_weights_turned_round():
    weights = np.arange(16 * 8 * 27, dtype=np.float32).reshape(16, 8, 3, 3, 3)
    values = np.zeros((5, 7, 9, 8), np.float32)
    values[2, 3, 4, 5] = 1
    out = np.empty((5, 7, 9, 16), np.float32)
    convolve(values, transform_weights(weights), np.zeros(16, np.float32), out, False)
    block = out[1:4, 2:5, 3:6]
    np.testing.assert_allclose(block, weights[:, 5, ::-1, ::-1, ::-1].transpose(1, 2, 3, 0), rtol=1e-6)
    out[1:4, 2:5, 3:6] = 0
    assert np.abs(out).max() < 1e-3  # of 3455


def test_what_is_negative_becomes_0_and_nan_stays():
    values, weights, bias = make((3, 6, 8), 3, 8, 16)
    out = np.full((3, 6, 8, 16), 1e6, np.float32)
    convolve(values, transform_weights(weights), bias - np.float32(1e7), out, True)
    assert not out.any()
    values[1, 2, 3, 4] = np.nan
    convolve(values, transform_weights(weights), bias, out, False)
    assert np.isnan(out[:, 1:4, 2:5]).all()
    assert np.isfinite(out[:, 5:]).all()


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_bits_depend_neither_on_threads_nor_on_what_lies_further_away(number, monkeypatch):
    values, weights, bias = make((6, 22, 26), 3, 16, 16)
    points = transform_weights(weights)
    whole = np.empty(values.shape, np.float32)
    convolve(values, points, bias, whole, False)
    monkeypatch.setattr("hisf.kernels.threads.threads", lambda: number)
    part = np.ascontiguousarray(values[1:, 4:18, 6:])
    out = np.empty(part.shape, np.float32)
    convolve(part, points, bias, out, False)
    assert np.array_equal(out[1:, 1:-1, 1:], whole[2:, 5:17, 7:])


def test_what_does_not_fit_is_refused():
    values, weights, bias = make((2, 4, 4), 3, 8, 16)
    points, out = transform_weights(weights), np.zeros((2, 4, 4, 16), np.float32)
    for bad in (out[..., :8], out[:1], out.astype(float)):
        with pytest.raises(ValueError, match=r"values|arrays"):
            convolve(values, points, bias, bad, False)
    with pytest.raises(ValueError, match="C-contiguous"):
        convolve(values, points, bias, np.empty((2, 4, 16, 4), np.float32).swapaxes(2, 3), False)
    for inputs, outputs, taps in ((4, 16, 3), (8, 8, 3), (8, 16, 2)):
        values, weights, bias = make((2, 4, 4), taps, inputs, outputs)
        with pytest.raises(ValueError, match="multiple"):
            convolve(values, transform_weights(weights), bias, np.empty((2, 4, 4, outputs), np.float32), False)
    convolve(np.empty((0, 4, 4, 8), np.float32), points, np.zeros(16, np.float32), out[:0], False)


def strided_twin(values, weights, bias, strides):
    """Sum over taps in double, set negative results to 0."""
    grid = [1 + (n - k) // s for n, k, s in zip(values.shape, weights.shape[2:], strides, strict=False)]
    total = np.zeros((*grid, weights.shape[0])) + bias
    for k, j, i in np.ndindex(weights.shape[2:]):
        part = values[tuple(slice(o, o + s * (n - 1) + 1, s) for o, s, n in zip((k, j, i), strides, grid, strict=True))]
        total += part.astype(float) @ weights[:, :, k, j, i].T.astype(float)
    return np.maximum(total, 0.0)


@given(
    st.sampled_from([(1, 16, (7, 3, 3), (2, 1, 1)), (16, 32, (3, 3, 3), (2, 2, 2)), (3, 16, (1, 2, 5), (1, 3, 1))]),
    st.tuples(st.integers(7, 12), st.integers(3, 9), st.integers(15, 40)),
    st.integers(0, 999),
)
@settings(max_examples=30, deadline=None)
def test_strides_pass_over_what_lies_between(layer, shape, seed):
    inputs, outputs, kernel, strides = layer
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(*shape, inputs)).astype(np.float32)
    weights = rng.normal(size=(outputs, inputs, *kernel)).astype(np.float32)
    bias = rng.normal(size=outputs).astype(np.float32)
    expected = strided_twin(values, weights, bias, strides)
    around = np.full([n + 2 for n in expected.shape[:3]] + [outputs], 99, np.float32)
    out = around[1:-1, 1:-1, 1:-1]
    convolve_strided(values, weights, bias, strides, out)
    scale = np.abs(weights).sum((1, 2, 3, 4)).max() * np.abs(values).max()
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * scale)
    out[:] = 99
    assert np.all(around == 99)  # nothing beside it was touched


def test_strided_rows_do_not_depend_on_threads_and_keep_nan(monkeypatch):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 12, 20, 16)).astype(np.float32)
    values[4, 5, 6, 7] = np.nan
    weights, bias = rng.normal(size=(32, 16, 3, 3, 3)).astype(np.float32), np.zeros(32, np.float32)
    results = []
    for number in (1, 2, 5):
        monkeypatch.setattr("hisf.kernels.threads.threads", lambda number=number: number)
        results.append(np.empty((4, 5, 9, 32), np.float32))
        convolve_strided(values, weights, bias, (2, 2, 2), results[-1])
    assert np.array_equal(results[0], results[1], equal_nan=True)
    assert np.array_equal(results[0], results[2], equal_nan=True)
    assert np.isnan(results[0][1:3, 2, 2:4]).all()
    assert np.isnan(results[0]).sum() == 4 * 32


def test_strides_that_do_not_fit_are_refused():
    values, weights = np.zeros((5, 5, 20, 1), np.float32), np.zeros((16, 1, 3, 3, 3), np.float32)
    bias, out = np.zeros(16, np.float32), np.zeros((3, 3, 18, 16), np.float32)
    convolve_strided(values, weights, bias, (1, 1, 1), out)
    with pytest.raises(ValueError, match="values"):
        convolve_strided(values, weights, bias, (2, 1, 1), out)
    with pytest.raises(ValueError, match="contiguous"):
        convolve_strided(values, weights, bias, (1, 1, 1), np.zeros((3, 3, 36, 16), np.float32)[:, :, ::2])
    with pytest.raises(ValueError, match="needed"):
        convolve_strided(values[:, :, :7], weights, bias, (1, 1, 1), out[:, :, :5])
