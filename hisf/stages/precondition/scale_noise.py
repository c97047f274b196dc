"""Noise scaling: the searched cube in units of its own noise (spec sofia2 §3.4)."""

from __future__ import annotations

import numpy as np

from hisf.data.box import Box
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.precondition.contract import Advance, Step
from hisf.stages.precondition.noise_model import NoiseModel, measure_noise


class ScaleNoise(Step):
    """Divide the searched data by their noise, measured per channel or in a moving window."""

    name = "scale noise"
    position = 70
    rescales = True
    noise: NoiseModel

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``scaleNoise.enable``."""
        return settings["scaleNoise.enable"]

    def measure(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Measure the noise of the whole cube."""
        self.noise = measure_noise(voxels, self.settings, workspace, advance)

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide by the noise."""
        return self.noise.divide(data, box)
