"""Noise of whole cubes, measured by streaming: exactly the samples that SoFiA would take (spec sofia2 §3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Shape
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
    from hisf.kernels.noise import count_and_extremes

    finite, low, high = 0, np.inf, -np.inf

    def look(flat: np.ndarray) -> None:
        nonlocal finite, low, high
        count, smallest, largest = count_and_extremes(flat)
        if count:
            finite, low, high = finite + count, min(low, smallest), max(high, largest)

    samples = _samples(voxels, workspace, advance, look)
    if not finite:
        return Survey(float("nan"), 0, float("nan"), float("nan"))
    rms = _noise(samples, voxels.shape, statistic, flux_range, (float(low), float(high)))
    return Survey(rms, finite, float(low), float(high))


def cube_noise(
    voxels: Voxels,
    workspace: Workspace,
    statistic: str,
    flux_range: str,
    advance: Callable[[int], None] = lambda n: None,
) -> float:
    """Return the noise that `survey` finds, without looking at more voxels than the statistic needs."""
    if statistic == "gauss":  # the histogram runs from one extreme to the other
        return survey(voxels, workspace, statistic, flux_range, advance).rms
    samples = _samples(voxels, workspace, advance, lambda flat: None)
    return _noise(samples, voxels.shape, statistic, flux_range, (float("nan"), float("nan")))


def _samples(
    voxels: Voxels, workspace: Workspace, advance: Callable[[int], None], look: Callable[[np.ndarray], None]
) -> np.ndarray:
    """Return the voxels that a measurement of the whole cube samples, in the order in which SoFiA visits them."""
    from hisf.kernels.noise import cadence, take_samples

    nz, ny, nx = voxels.shape
    total = nz * ny * nx
    step = cadence(total, nx)
    samples = []
    for box in workspace.slabs(voxels):
        flat = np.ascontiguousarray(voxels.read(box)).reshape(-1)
        samples.append(take_samples(flat, box.z0 * ny * nx, total, step))
        look(flat)
        advance(flat.size)
    return np.concatenate(samples)


def _noise(samples: np.ndarray, shape: Shape, statistic: str, flux_range: str, extremes: tuple[float, float]) -> float:
    from hisf.kernels.noise import cadence, noise_of_samples

    total = shape[0] * shape[1] * shape[2]
    step = cadence(total, shape[2])
    return float(noise_of_samples(samples, total % step == 0, total, step, statistic, flux_range, extremes))
