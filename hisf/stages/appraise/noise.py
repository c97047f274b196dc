"""The noise around a source, and what it does to sums over its voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLIP = 4.0  # sigmas; brighter voxels say nothing of the noise
WHITE = 0.05  # correlation of neighbours below which they count as independent
LEAST = 30  # voxels from which anything is known of the noise
REACH = 4.0  # sigmas at which a kernel is cut


@dataclass(frozen=True)
class Noise:
    """Gaussian noise: independent voxels, smoothed with a Gaussian kernel.

    Attributes
    ----------
    sigma : float
        Standard deviation of a voxel; NaN where it is not known.
    spread : tuple of float
        Standard deviations (z, y, x) of the kernel, voxels; 0 along an axis without correlation.
    """

    sigma: float
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def of_sum(self, weights: np.ndarray) -> float:
        """Return the standard deviation of ``(weights * noise).sum()``; ``weights`` has shape (z, y, x)."""
        return self.sigma * float(np.sqrt(self._variance(weights, (0, 1, 2)).sum()))

    def of_channels(self, weights: np.ndarray) -> np.ndarray:
        """Return the standard deviation of ``(weights * noise).sum((1, 2))``, shape (z,)."""
        return self.sigma * np.sqrt(self._variance(weights, (1, 2)).sum((1, 2)))

    def _variance(self, weights: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """Return the squares of the weights that every independent voxel beneath the smoothed ones has."""
        for axis in axes:
            if self.spread[axis] > 0:
                weights = _smooth(weights, self.spread[axis], axis)
        return weights**2


def measure_noise(data: np.ndarray, free: np.ndarray) -> Noise:
    """Measure the noise of a cut-out and how it is correlated.

    Parameters
    ----------
    data : ndarray of float64, shape (z, y, x)
        NaN is left out.
    free : ndarray of bool, shape (z, y, x)
        Voxels of no source.

    Returns
    -------
    Noise
        1.4826 times the median absolute deviation from zero; the kernel has the correlation of direct neighbours that
        is measured along each axis.
    """
    used = free & np.isfinite(data)
    if np.count_nonzero(used) < LEAST:
        return Noise(float("nan"))
    sigma = 1.482602218505602 * float(np.median(np.abs(data[used])))
    used &= np.abs(np.where(used, data, 0.0)) <= CLIP * sigma
    values = np.where(used, data, 0.0)
    return Noise(sigma, tuple(_spread(values, used, axis) for axis in range(3)))  # type: ignore[arg-type]


def _spread(values: np.ndarray, used: np.ndarray, axis: int) -> float:
    """Return the width of the kernel along an axis; neighbours have the correlation exp(−1/(4 spread²))."""
    first, second = (np.take(values, np.arange(k, values.shape[axis] - 1 + k), axis) for k in (0, 1))
    both = np.take(used, np.arange(used.shape[axis] - 1), axis) & np.take(used, np.arange(1, used.shape[axis]), axis)
    power = 0.5 * (first[both] ** 2 + second[both] ** 2).sum()
    if np.count_nonzero(both) < LEAST or not power > 0:
        return 0.0
    correlation = min(float((first[both] * second[both]).sum() / power), 0.99)
    return 0.5 / np.sqrt(-np.log(correlation)) if correlation > WHITE else 0.0


def _smooth(array: np.ndarray, spread: float, axis: int) -> np.ndarray:
    """Return an array convolved along an axis with a Gaussian whose squares add up to 1, with room for what leaks."""
    reach = int(np.ceil(REACH * spread))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    moved = np.moveaxis(array, axis, 0)
    result = np.zeros((len(moved) + 2 * reach, *moved.shape[1:]))
    for k, weight in enumerate(kernel):
        result[k : k + len(moved)] += weight * moved
    return np.moveaxis(result, 0, axis)
