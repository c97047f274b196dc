"""Residual continuum of single spectra (spec sofia2 §3.3)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hisf.kernels.noise import robust_noise
from hisf.kernels.threads import shared


@njit(cache=True, nogil=True)
def _fit(spectrum, order, threshold, shift, padding, level):  # type: ignore[no-untyped-def]
    """Put offset and slope of the continuum into `level`; False if there is nothing to subtract."""
    depth = spectrum.size
    difference = np.full(depth, np.nan)
    for z in range(shift, depth - shift):
        difference[z] = spectrum[z - shift] - spectrum[z + shift]
    limit = threshold * robust_noise(difference)
    masked = np.zeros(depth, np.bool_)
    for z in range(depth):
        if abs(difference[z]) > limit:
            masked[max(0, z - padding) : min(depth, z + padding + 1)] = True
    count, z_mean, mean = 0, 0.0, 0.0
    for z in range(depth):
        if not masked[z] and np.isfinite(spectrum[z]):
            count += 1
            z_mean += z
            mean += spectrum[z]
    if count == 0:
        return False
    z_mean /= count
    mean /= count
    level[0], level[1] = mean, 0.0
    if order == 0:
        return True
    above, below = 0.0, 0.0
    for z in range(depth):
        if not masked[z] and np.isfinite(spectrum[z]):
            above += (z_mean - z) * (mean - spectrum[z])
            below += (z_mean - z) * (z_mean - z)
    if below == 0:
        return False
    level[1] = above / below
    level[0] = mean - level[1] * z_mean
    return True


@shared()
def _subtract(first, last, cube, order, threshold, shift, padding):  # type: ignore[no-untyped-def]
    depth, _, nx = cube.shape
    for y in range(first, last):
        spectrum, level = np.empty(depth), np.empty(2)
        for x in range(nx):
            for z in range(depth):
                spectrum[z] = cube[z, y, x]
            if _fit(spectrum, order, threshold, shift, padding, level):
                for z in range(depth):
                    cube[z, y, x] = spectrum[z] - (level[0] + level[1] * z)


def subtract_continuum(cube: NDArray[np.floating], order: int, threshold: float, shift: int, padding: int) -> None:
    """Subtract a constant or a straight line from every spectrum, fitted where there is no line emission.

    Channels whose difference to their neighbours, `shift` channels to either side, exceeds `threshold` times the noise
    of such differences are masked together with `padding` channels around them, before the fit.

    Parameters
    ----------
    cube : ndarray of float32 or float64, shape (z, y, x)
        Whole spectra. **Modified in place**; NaN stays NaN. A spectrum without channels left for the fit is untouched.
    order : int
        0 constant, 1 straight line.
    threshold : float
    shift, padding : int
        In channels.

    Raises
    ------
    ValueError
        `shift` or `padding` is negative.

    Notes
    -----
    Spec sofia2 §3.3; all arithmetic in double, the result cast to array precision. Memory: three spectra per thread.
    """
    if shift < 0 or padding < 0:
        raise ValueError(f"shift = {shift} and padding = {padding}: a number of channels is not negative")
    _subtract(cube.shape[1], cube, int(order), float(threshold), int(shift), int(padding))
