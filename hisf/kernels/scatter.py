"""Robust noise of every channel and of every spectrum (spec sofia2 §3.1, §3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hisf.kernels.noise import noise_of_samples, robust_noise
from hisf.kernels.threads import shared


@shared()
def _channels(first, last, cube, noise):  # type: ignore[no-untyped-def]
    for z in range(first, last):
        noise[z] = robust_noise(cube[z].copy().reshape(-1))


def robust_noise_of_channels(cube: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the robust noise of every channel of a (z, y, x) array in array precision; NaN for a blank one."""
    noise = np.empty(cube.shape[0], cube.dtype)
    _channels(cube.shape[0], cube, noise)
    return noise


@shared()
def _spectra(first, last, cube, noise):  # type: ignore[no-untyped-def]
    depth, _, nx = cube.shape
    for y in range(first, last):
        spectrum = np.empty(depth, cube.dtype)
        for x in range(nx):
            for z in range(depth):
                spectrum[z] = cube[z, y, x]
            noise[y, x] = robust_noise(spectrum)


def robust_noise_of_spectra(cube: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the robust noise of every spectrum of a (z, y, x) array, shape (y, x), in double; NaN for a blank one."""
    noise = np.empty(cube.shape[1:])
    _spectra(cube.shape[1], cube, noise)
    return noise


def outliers(noise: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Return which noise values deviate from their median by more than ``threshold`` times their scatter.

    Parameters
    ----------
    noise : ndarray of float32 or float64, any shape
        NaN is never an outlier and does not count.
    threshold : float
        In units of 1.4826 × MAD about the median, the first element left out as in every MAD (spec sofia2 §3.2).
    """
    values = np.ascontiguousarray(noise).reshape(-1)
    if not np.isfinite(values).any():
        return np.zeros(noise.shape, np.bool_)
    centre = float(np.nanmedian(values))
    scatter = noise_of_samples(values[::-1].copy(), True, values.size, 1, "mad", "full", centre=centre)
    with np.errstate(invalid="ignore"):
        return np.abs(noise.astype(np.float64) - centre) > threshold * scatter
