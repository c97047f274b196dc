"""The user's own cube as the networks see it: opened and preconditioned as a run does it, averaged, normalised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import InputError
from hisf.execution.machine import usable_memory
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.nn.canonical import AveragedVoxels, Sampling, sampling_of
from hisf.nn.normalise import Normalisation, channel_noise
from hisf.plugins import PluginManager
from hisf.settings import Settings
from hisf.stages.input.opening import open_inputs
from hisf.stages.precondition.chain import precondition


@dataclass(frozen=True, eq=False)
class Observed:
    """A cube to learn from.

    Attributes
    ----------
    cube : Cube
    sampling : Sampling
    averaged : AveragedVoxels
        The preconditioned cube in that sampling, data units.
    noise : ndarray of float64, shape (z,)
        Of its channels; NaN where blank or constant.
    """

    cube: Cube
    sampling: Sampling
    averaged: AveragedVoxels
    noise: np.ndarray

    @property
    def name(self) -> str:
        """File name of the cube, without its folder."""
        return Path(self.cube.name).name


class NormalisedVoxels:
    """Averaged voxels as the segmenter sees them, NaN where blank; nothing is stored."""

    dtype = np.dtype(np.float32)

    def __init__(self, voxels: Voxels, normalisation: Normalisation) -> None:
        self._voxels, self._normalisation = voxels, normalisation
        self.shape = voxels.shape

    def read(self, box: Box) -> np.ndarray:
        """Return the normalised voxels of ``box``: float32, a new array."""
        coarse = self._voxels.read(box)
        return np.where(np.isnan(coarse), np.float32(np.nan), self._normalisation.apply(coarse, box))


def observe(settings: Settings) -> Observed:
    """Open and precondition the cube of the settings and measure its noise.

    Raises
    ------
    HisfError
        It cannot be read, or has no noise.
    """
    manager = PluginManager()
    cube = open_inputs(manager, settings)
    steps = manager.active("precondition", settings, settings, cube)
    workspace = Workspace(usable_memory())
    voxels = precondition(cube, steps, workspace, Progress(manager))
    held = voxels if isinstance(voxels, ArrayVoxels) else workspace.hold(voxels)
    sampling = sampling_of(cube)
    averaged = AveragedVoxels(held, sampling)
    noise = channel_noise(averaged)
    if np.isnan(noise).all():
        raise InputError(f"The noise of {cube.name} cannot be measured; is it blank or constant?")
    return Observed(cube, sampling, averaged, noise)
