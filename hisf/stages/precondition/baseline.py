"""What is subtracted from the searched cube: residual continuum and ripples (spec sofia2 §3.3, §3.4)."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.precondition.contract import Advance, Step
from hisf.stages.precondition.grid import Grid, measure_grid

log = logging.getLogger(__name__)


class SubtractContinuum(Step):
    """Fit a constant or a straight line to the line-free channels of every spectrum, and subtract it.

    Raises
    ------
    InputError
        The cube has too few channels for ``contsub.shift``.
    """

    name = "subtract continuum"
    position = 60
    whole_spectra = True

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self.order = min(max(settings["contsub.order"], 0), 1)
        if settings["contsub.order"] > 1:
            log.warning("contsub.order = %d is reduced to 1.", settings["contsub.order"])
        self.threshold = abs(settings["contsub.threshold"])
        if settings["contsub.threshold"] < 0:
            log.warning("contsub.threshold = %g is made positive.", settings["contsub.threshold"])
        self.shift = settings["contsub.shift"] or 1
        if not settings["contsub.shift"]:
            log.warning("contsub.shift = 0 is replaced by 1.")
        if cube.shape[0] <= 5 * self.shift:
            raise InputError(
                f"contsub.shift = {self.shift} needs more than {5 * self.shift} channels: "
                f"{cube.name} has {cube.shape[0]}."
            )

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``contsub.enable``."""
        return settings["contsub.enable"]

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Subtract the continuum of whole spectra."""
        from hisf.kernels.continuum import subtract_continuum

        subtract_continuum(data, self.order, self.threshold, self.shift, self.settings["contsub.padding"])
        return data


class SubtractRipples(Step):
    """Subtract the mean or median of a moving window; blank where that has too few values."""

    name = "subtract ripples"
    position = 85
    level: Grid

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``rippleFilter.enable``."""
        return settings["rippleFilter.enable"]

    def measure(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Measure the windows of the whole cube."""
        from hisf.kernels.windows import level_of_windows

        measure = partial(level_of_windows, statistic=self.settings["rippleFilter.statistic"])
        self.level = measure_grid(voxels, self.settings, "rippleFilter", measure, workspace, advance)

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Subtract, in array precision."""
        data -= self.level.read(box)
        return data
