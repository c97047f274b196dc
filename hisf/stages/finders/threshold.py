"""The threshold finder (spec sofia2 §3.7)."""

from __future__ import annotations

import logging

import numpy as np

from hisf.data.box import Tile
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.execution.statistics import cube_noise
from hisf.execution.workspace import Workspace
from hisf.stages.finders.contract import Advance, Finder

log = logging.getLogger(__name__)


class Threshold(Finder):
    """Take voxels of |value| above a threshold, absolute or relative to the noise of the cube."""

    name = "threshold"
    level = float("nan")

    def passes(self) -> int:
        """Return 1 for a relative threshold, which needs the noise of the cube."""
        return 0 if self.settings["threshold.mode"] == "absolute" else 1

    def look(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Measure the noise, unless the threshold is absolute.

        Raises
        ------
        InputError
            The noise is 0 or cannot be measured.
        """
        self.level = self.settings["threshold.threshold"]
        if self.passes():
            s = self.settings
            rms = cube_noise(voxels, workspace, s["threshold.statistic"], s["threshold.fluxRange"], advance)
            self.level *= rms
            if not self.level > 0:
                raise InputError(
                    f"threshold.threshold: the noise of {self.cube.name} is {rms:g}, so that no threshold relative "
                    "to it can be set; the cube may be blank or constant."
                )
        log.info("threshold finder: |value| > %g", self.level)

    def find(self, tile: Tile) -> np.ndarray:
        """Return the voxels above the threshold, strictly, of either sign."""
        return np.abs(tile.data) > np.float64(self.level)
