"""Noise of whole cubes, measured by streaming: exactly the samples that SoFiA would take (spec sofia2 §3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace


@dataclass(frozen=True)
class Survey:
    """What is known of a whole cube.

    Attributes
    ----------
    rms : float
        Global noise, in data units; NaN where it cannot be measured.
    finite : int
        Number of voxels that are not blank.
    low, high : float
        Extreme values; NaN for a cube that is all blank.
    """

    rms: float
    finite: int
    low: float
    high: float


class Sampler:
    """Takes the voxels that a measurement of a whole cube samples, slab by slab, and measures (spec sofia2 §3.1).

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    statistic : str
        ``mad``, ``gauss`` or ``std``.
    flux_range : str
        ``negative``, ``positive`` or ``full``.
    """

    def __init__(self, shape: Shape, statistic: str, flux_range: str) -> None:
        from hisf.kernels.noise import cadence

        self._total = shape[0] * shape[1] * shape[2]
        self._plane = shape[1] * shape[2]
        self._step = cadence(self._total, shape[2])
        self._statistic, self._range = statistic, flux_range
        self._samples = [np.empty(0, np.float32)]
        self.finite, self.low, self.high = 0, np.inf, -np.inf  # of all voxels, where `look_at_all` saw them

    def take(self, values: np.ndarray, box: Box) -> None:
        """Take the samples of a slab of whole channels; slabs come from the last channel down."""
        from hisf.kernels.noise import take_samples

        flat = np.ascontiguousarray(values).reshape(-1)
        self._samples.append(take_samples(flat, box.z0 * self._plane, self._total, self._step))
        if self._statistic == "gauss":  # the histogram runs from one extreme to the other
            self.look_at_all(flat)

    def look_at_all(self, flat: np.ndarray) -> None:
        """Count the voxels that are not blank, and note the extremes."""
        from hisf.kernels.noise import count_and_extremes

        count, low, high = count_and_extremes(flat)
        if count:
            self.finite, self.low, self.high = self.finite + count, min(self.low, low), max(self.high, high)

    def noise(self) -> float:
        """Return the noise of what was taken; NaN where it cannot be measured."""
        from hisf.kernels.noise import noise_of_samples

        samples = np.concatenate(self._samples[1:] or self._samples)
        extremes = (float(self.low), float(self.high)) if self.finite else (float("nan"), float("nan"))
        zero = self._total % self._step == 0
        return float(noise_of_samples(samples, zero, self._total, self._step, self._statistic, self._range, extremes))


def survey(
    voxels: Voxels,
    workspace: Workspace,
    statistic: str = "mad",
    flux_range: str = "negative",
    advance: Callable[[int], None] = lambda n: None,
) -> Survey:
    """Measure noise, extremes and blanks of a cube in one pass.

    Parameters
    ----------
    voxels : Voxels
        Read slab by slab, from the last channel down.
    workspace : Workspace
    statistic : str
        ``mad``, ``gauss`` or ``std``.
    flux_range : str
        ``negative``, ``positive`` or ``full``.
    advance : callable
        ``advance(n)`` after every n voxels.

    Returns
    -------
    Survey
        The same, to the bit, however the cube is cut into slabs.
    """
    sampler = Sampler(voxels.shape, statistic, flux_range)
    for box in workspace.slabs(voxels):
        values = np.ascontiguousarray(voxels.read(box))
        sampler.take(values, box)
        if statistic != "gauss":
            sampler.look_at_all(values.reshape(-1))
        advance(values.size)
    if not sampler.finite:
        return Survey(float("nan"), 0, float("nan"), float("nan"))
    return Survey(sampler.noise(), sampler.finite, float(sampler.low), float(sampler.high))


def cube_noise(
    voxels: Voxels,
    workspace: Workspace,
    statistic: str,
    flux_range: str,
    advance: Callable[[int], None] = lambda n: None,
) -> float:
    """Return the noise that `survey` finds, without looking at more voxels than the statistic needs."""
    sampler = Sampler(voxels.shape, statistic, flux_range)
    for box in workspace.slabs(voxels):
        sampler.take(voxels.read(box), box)
        advance(box.size)
    return sampler.noise()
