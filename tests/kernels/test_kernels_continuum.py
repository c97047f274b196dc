"""Continuum subtraction against a transcription of spec sofia2 §3.3 in plain Python, bit for bit."""

import math

import numpy as np
import pytest

from hisf.kernels.continuum import subtract_continuum

DTYPES = [np.float32, np.float64]
K = 1.482602218505602
EXAMPLE = [1, 1.2, 0.9, 1.1, 1, 0.8, 1.05, 0.95, 1.1, 6, 9, 7, 1, 0.9, 1.15, 1, 0.85, 1.1, 1, 0.95, 1.05, 1, 0.9, 1.1]


def plain_masked(s, threshold, shift, padding):
    """Return the masked channels; the noise is the upper median of |d|."""
    n = len(s)
    d = [s[i - shift] - s[i + shift] if shift <= i < n - shift else math.nan for i in range(n)]
    sizes = sorted(abs(v) for v in d if not math.isnan(v))
    limit = threshold * (K * sizes[len(sizes) // 2]) if sizes else math.nan
    return {i for z in range(n) if abs(d[z]) > limit for i in range(z - padding, z + padding + 1) if 0 <= i < n}


def plain_level(s, order, threshold, shift, padding):
    """Return offset and slope, None where there is nothing to subtract."""
    masked = plain_masked(s, threshold, shift, padding)
    used = [i for i in range(len(s)) if i not in masked and not math.isnan(s[i])]
    if not used:
        return None
    x_mean = sum(float(i) for i in used) / len(used)
    total = 0.0
    for i in used:  # not sum(), which compensates its rounding
        total += s[i]
    y_mean = total / len(used)
    if order == 0:
        return y_mean, 0.0
    above = below = 0.0
    for i in used:
        above += (x_mean - i) * (y_mean - s[i])
        below += (x_mean - i) * (x_mean - i)
    if below == 0:
        return None
    slope = above / below
    return y_mean - slope * x_mean, slope


def plain_subtract(cube, *arguments):
    result = cube.copy()
    for y, x in np.ndindex(cube.shape[1:]):
        s = [float(v) for v in cube[:, y, x]]
        level = plain_level(s, *arguments)
        if level is not None:
            result[:, y, x] = [v - (level[0] + level[1] * z) for z, v in enumerate(s)]
    return result


def make_cube(shape, dtype, seed=1):
    """Sloped spectra with lines and blanks; one blank, one of a single value, one with a blank end."""
    rng = np.random.default_rng(seed)
    z = np.arange(shape[0])[:, None, None]
    cube = rng.normal(0, 1, shape) + rng.normal(5, 3, shape[1:]) + rng.normal(0, 0.1, shape[1:]) * z
    cube += 20 * np.exp(-0.5 * (z - rng.uniform(0, shape[0], shape[1:])) ** 2)
    cube[rng.random(shape) < 0.05] = np.nan
    cube[:, 0, 0] = np.nan
    cube[:-1, 0, 1] = np.nan
    cube[shape[0] // 2 :, 0, 2] = np.nan
    return cube.astype(dtype)


def as_spectrum(values, dtype=np.float64):
    return np.array(values, dtype).reshape(-1, 1, 1)


def subtracted(values, order, *arguments):
    cube = as_spectrum(values)
    subtract_continuum(cube, order, *arguments)
    return np.array(values) - cube.ravel()


def test_example_of_the_specification():
    """Differences at 5-7 and 13-15 mask 2-10 and 10-18; the numbers are printed with seven decimals."""
    assert plain_masked(EXAMPLE, 2, 4, 0) == {5, 6, 7, 13, 14, 15}
    assert plain_masked(EXAMPLE, 2, 4, 3) == set(range(2, 19))
    np.testing.assert_allclose(subtracted(EXAMPLE, 0, 2, 4, 3), 1.0285714, atol=5.1e-8, rtol=0)
    line = subtracted(EXAMPLE, 1, 2, 4, 3)
    np.testing.assert_allclose(line[:2], [1.094972, 1.090587], atol=5.1e-7, rtol=0)
    np.testing.assert_allclose(np.diff(line), line[1] - line[0], atol=1e-14, rtol=0)


def test_example_needs_its_padding():
    """Spec sofia2 §3.3: without it the line itself, channels 9 to 11, gets into the fit."""
    unmasked = [v for z, v in enumerate(EXAMPLE) if z not in {5, 6, 7, 13, 14, 15}]
    assert {6, 9, 7} < set(unmasked)
    np.testing.assert_allclose(subtracted(EXAMPLE, 0, 2, 4, 0), np.mean(unmasked), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("depth", "threshold", "shift", "padding"),
    [
        (24, 2.0, 4, 3),
        (25, 2.0, 4, 3),
        (30, 1.0, 1, 0),
        (30, 3.5, 5, 1),
        (21, 0.5, 2, 7),
        (6, 2.0, 1, 3),
        (26, 0, 3, 2),
    ],
)
def test_bits_are_those_of_the_plain_version(dtype, order, depth, threshold, shift, padding):
    cube = make_cube((depth, 5, 6), dtype)
    expected = plain_subtract(cube, order, threshold, shift, padding)
    blank = np.isnan(cube)
    assert not np.array_equal(cube, expected, equal_nan=True)
    subtract_continuum(cube, order, threshold, shift, padding)
    np.testing.assert_array_equal(cube, expected)
    assert cube.dtype == dtype
    np.testing.assert_array_equal(np.isnan(cube), blank)


@pytest.mark.parametrize("order", [0, 1])
def test_spectrum_that_is_masked_everywhere_stays(order):
    cube = as_spectrum(EXAMPLE)
    subtract_continuum(cube, order, 2, 4, 24)
    assert cube.ravel().tolist() == EXAMPLE


def test_single_value_takes_a_constant_and_no_line():
    values = [math.nan] * 11 + [3.5] + [math.nan] * 12
    for order, left in ((0, 0.0), (1, 3.5)):
        cube = as_spectrum(values)
        subtract_continuum(cube, order, 2, 4, 3)
        np.testing.assert_array_equal(cube.ravel(), [math.nan] * 11 + [left] + [math.nan] * 12)


def test_noise_of_an_even_number_of_differences_is_the_upper_median():
    """|d| = 1, 1, 3, 3: the noise is 4.45, not 2.97, and the two 3 do not stand out at 0.9."""
    s = [0.0, 0.0, 1.0, 1.0, 4.0, 4.0]  # d at 1-4 with shift 1: −1, −1, −3, −3
    assert plain_masked(s, 0.7, 1, 0) == set()
    np.testing.assert_allclose(subtracted(s, 0, 0.7, 1, 0), np.mean(s), rtol=1e-15)
    assert plain_masked(s, 0.6, 1, 0) == {3, 4}
    np.testing.assert_allclose(subtracted(s, 0, 0.6, 1, 0), 5 / 4, rtol=1e-15)


def test_difference_at_the_limit_is_not_masked():
    s = [0.0, 0.0, 1.0, 1.0, 4.0, 4.0]
    at_limit = 3 / (K * 3)
    assert at_limit * (K * 3) == 3
    np.testing.assert_allclose(subtracted(s, 0, at_limit, 1, 0), np.mean(s), rtol=1e-15)


def test_straight_line_disappears():
    z = np.arange(40.0)
    cube = as_spectrum(7 - 0.25 * z)
    subtract_continuum(cube, 1, 2, 4, 3)
    # rounding of numbers of order 10
    np.testing.assert_allclose(cube, 0, atol=1e-14)


def test_rows_of_a_cube_are_changed_in_place():
    cube = make_cube((24, 6, 5), np.float32)
    expected = plain_subtract(cube, 1, 2.0, 4, 3)
    expected[:, [0, 1, 4, 5]] = cube[:, [0, 1, 4, 5]]
    subtract_continuum(cube[:, 2:4], 1, 2.0, 4, 3)
    np.testing.assert_array_equal(cube, expected)


@pytest.mark.parametrize(("shift", "padding"), [(-1, 3), (4, -1)])
def test_negative_numbers_of_channels_are_refused(shift, padding):
    with pytest.raises(ValueError, match="not negative"):
        subtract_continuum(as_spectrum(EXAMPLE), 0, 2.0, shift, padding)
