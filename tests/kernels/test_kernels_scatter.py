"""Noise of channels and spectra, and which are outliers, against spec sofia2 §3.1 and §3.2 in plain Python."""

import numpy as np
import pytest

from hisf.kernels.scatter import outliers, robust_noise_of_channels, robust_noise_of_spectra

DTYPES = [np.float32, np.float64]
K = 1.482602218505602
EXAMPLE = [1.0, 1.1, 0.9, 1.05, 0.95, 3.0]


def plain_noise(values):
    """Upper median of the magnitudes, product in double."""
    sizes = sorted(abs(v) for v in values if v == v)
    return K * float(sizes[len(sizes) // 2]) if sizes else np.nan


def plain_median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / type(values[0])(2)


def plain_outliers(noise, threshold):
    """The scatter leaves out the element of index 0, the median does not."""
    values = noise.ravel()
    centre = plain_median([v for v in values if v == v])
    deviations = [abs(v - centre) for v in values[1:] if v == v]
    scatter = K * float(plain_median(deviations)) if deviations else np.nan
    flags = [bool(abs(float(v) - float(centre)) > threshold * scatter) for v in values]
    return np.reshape(flags, noise.shape)


def make_cube(dtype, shape=(9, 6, 8), seed=1):
    rng = np.random.default_rng(seed)
    cube = (rng.normal(0.2, 1, shape) * rng.uniform(1, 4, (shape[0], 1, 1))).astype(dtype)
    cube[rng.random(shape) < 0.1] = np.nan
    cube[3], cube[:, 2, 5] = np.nan, np.nan
    return cube


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_of_channels(dtype):
    cube = make_cube(dtype)
    found = robust_noise_of_channels(cube)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array([plain_noise(plane.ravel()) for plane in cube], dtype))
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_of_spectra(dtype):
    cube = make_cube(dtype)
    found = robust_noise_of_spectra(cube)
    assert found.dtype == np.float64
    expected = [[plain_noise(cube[:, y, x]) for x in range(8)] for y in range(6)]
    np.testing.assert_array_equal(found, expected)
    assert np.argwhere(np.isnan(found)).tolist() == [[2, 5]]


def test_median_of_an_even_number_is_the_upper_one():
    """Spec sofia2 trap 18."""
    cube = np.array([1.0, -2.0, 3.0, -4.0]).reshape(1, 2, 2)
    assert robust_noise_of_channels(cube).tolist() == [K * 3]
    assert robust_noise_of_spectra(cube.reshape(4, 1, 1)).tolist() == [[K * 3]]


def test_rows_and_slabs_give_the_values_of_the_cube():
    cube = make_cube(np.float32)
    channels, spectra = robust_noise_of_channels(cube), robust_noise_of_spectra(cube)
    np.testing.assert_array_equal(robust_noise_of_channels(cube[4:]), channels[4:])
    np.testing.assert_array_equal(robust_noise_of_spectra(cube[:, 1:4]), spectra[1:4])


@pytest.mark.parametrize("dtype", DTYPES)
def test_example_of_the_specification(dtype):
    noise = np.array(EXAMPLE, dtype)
    assert outliers(noise, 17.7).tolist() == [False] * 5 + [True]
    assert not outliers(noise, 17.8).any()


def test_first_element_does_not_count_in_the_scatter():
    """Median 3; deviations 2, 1, 1, 97 without the first, median 1.5; with it 1.5 would be 2."""
    noise = np.array([0.5, 5.0, 2.0, 3.0, 100.0])
    just_above = 97 / (K * 1.5)
    assert outliers(noise, 0.99 * just_above).tolist() == [False] * 4 + [True]
    assert not outliers(noise, 1.01 * just_above).any()


def test_first_element_can_be_an_outlier():
    assert outliers(np.array([30.0, 1.0, 1.1, 0.9, 1.2, 0.8]), 5.0).tolist() == [True] + [False] * 5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [6, 7, 40, 41])
def test_outliers_against_the_plain_version(dtype, size):
    rng = np.random.default_rng(size)
    noise = rng.uniform(0.9, 1.1, (2, size)).astype(dtype)
    noise[rng.random(noise.shape) < 0.15] = np.nan
    noise[0, 2], noise[1, 3] = 1.9, 0.2
    for threshold in (1.0, 2.0, 5.0):
        found = outliers(noise, threshold)
        assert found.shape == noise.shape
        np.testing.assert_array_equal(found, plain_outliers(noise, threshold))
        assert found[0, 2]
        assert found[1, 3]


def test_blanks_are_no_outliers_and_do_not_count():
    """The median skips them, as SoFiA 2.5 does."""
    noise = np.array([np.nan, *EXAMPLE, np.nan])
    # index 0 is blank here, so that the scatter is that of all six
    assert outliers(noise, 17.7).tolist() == [False] * 6 + [True, False]
    assert not outliers(np.full(5, np.nan), 1.0).any()
    assert outliers(np.full((2, 3), np.nan), 1.0).shape == (2, 3)


def test_outlier_has_to_exceed_the_threshold():
    """A scatter of 0 makes everything that deviates an outlier, and nothing else."""
    assert outliers(np.array([1.0, 1.0, 1.0, 1.0, 1.5]), 5.0).tolist() == [False] * 4 + [True]
    assert not outliers(np.ones(5), 0.0).any()


def test_single_value_is_no_outlier():
    assert outliers(np.array([2.0]), 0.0).tolist() == [False]
