"""Noise of whole cubes, measured by streaming: exactly the samples that SoFiA would take (spec sofia2 §3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
    from hisf.kernels.noise import cadence, count_and_extremes, noise_of_samples, take_samples

    nz, ny, nx = voxels.shape
    total = nz * ny * nx
    step = cadence(total, nx)
    samples, finite, low, high = [], 0, np.inf, -np.inf
    for box in workspace.slabs(voxels):
        flat = np.ascontiguousarray(voxels.read(box)).reshape(-1)
        samples.append(take_samples(flat, box.z0 * ny * nx, total, step))
        count, smallest, largest = count_and_extremes(flat)
        if count:
            finite, low, high = finite + count, min(low, smallest), max(high, largest)
        advance(flat.size)
    if not finite:
        return Survey(float("nan"), 0, float("nan"), float("nan"))
    rms = noise_of_samples(
        np.concatenate(samples), total % step == 0, total, step, statistic, flux_range, (float(low), float(high))
    )
    return Survey(float(rms), finite, float(low), float(high))
