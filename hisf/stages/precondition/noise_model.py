"""The noise of a cube by channel or by place, measured once and then divided out box by box (spec sofia2 §3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from hisf.data.box import Box
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.precondition.grid import Grid, measure_grid


class NoiseModel(Protocol):
    """Noise of every voxel of a cube."""

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide ``data`` of shape ``box.shape`` by its noise, in place."""
        ...


@dataclass(frozen=True)
class SpectralNoise:
    """One value per channel.

    Attributes
    ----------
    spectrum : ndarray of float64, shape (nz,)
        NaN for a channel without samples.
    """

    spectrum: np.ndarray

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide every channel by its noise; in double, result in array precision, no protection against 0."""
        from hisf.kernels.divide import divide_channels

        divide_channels(data, self.spectrum[box.z0 : box.z1])
        return data


@dataclass(frozen=True)
class LocalNoise:
    """One value per cell of a grid, spread over the cell or interpolated between cell centres."""

    grid: Grid

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide by the noise where it is positive; blank everything else."""
        noise = self.grid.read(box)
        positive = noise > 0
        np.divide(data, noise, out=data, where=positive)
        data[~positive] = np.nan
        return data


def measure_noise(
    voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None] = lambda n: None
) -> NoiseModel:
    """Measure the noise of a cube as the settings of ``scaleNoise`` say.

    Parameters
    ----------
    voxels : Voxels
        Read slab by slab.
    settings : Settings
    workspace : Workspace
    advance : callable
        ``advance(n)`` after every n voxels.
    """
    local = settings["scaleNoise.mode"] == "local"
    return (_local if local else _spectral)(voxels, settings, workspace, advance)


def _spectral(
    voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None]
) -> SpectralNoise:
    from hisf.kernels.noise import noise_of_planes

    spectrum = np.empty(voxels.shape[0])
    for box in workspace.slabs(voxels):
        spectrum[box.z0 : box.z1] = noise_of_planes(
            voxels.read(box), settings["scaleNoise.statistic"], settings["scaleNoise.fluxRange"]
        )
        advance(box.size)
    return SpectralNoise(spectrum)


def _local(voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None]) -> LocalNoise:
    from hisf.kernels.windows import noise_of_windows

    measure = partial(
        noise_of_windows, statistic=settings["scaleNoise.statistic"], flux_range=settings["scaleNoise.fluxRange"]
    )
    return LocalNoise(measure_grid(voxels, settings, "scaleNoise", measure, workspace, advance))
