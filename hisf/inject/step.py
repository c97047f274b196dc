"""The preconditioning step that adds mocks to the data, and the plugin that registers it for one run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hisf.data.box import Box
from hisf.hookspecs import hookimpl
from hisf.inject.mocks import Mock
from hisf.settings import Settings
from hisf.stages.precondition.contract import Step


class MockPlugin:
    """Adds mocks to the searched and the measured cube, after inversion and before any scaling.

    Parameters
    ----------
    mocks : sequence of Mock
    flip : bool
        Whether the sign of the data is turned first, so that no real emission is left.
    """

    def __init__(self, mocks: Sequence[Mock], flip: bool) -> None:
        class AddMocks(Step):
            """Add the mocks of this run."""

            name = "inject"
            position = 25
            measuring = True

            @classmethod
            def wanted(cls, settings: Settings) -> bool:
                """Return True: the plugin is registered for nothing else."""
                return True

            def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
                """Add the mocks that overlap ``box``."""
                return add_mocks(data, box, mocks, flip)

        self._step = AddMocks

    @hookimpl
    def hisf_register_steps(self) -> list[type[Step]]:
        """Return the step."""
        return [self._step]


def add_mocks(data: np.ndarray, box: Box, mocks: Sequence[Mock], flip: bool) -> np.ndarray:
    """Add mocks to the voxels of ``box``, in place; blank voxels stay blank."""
    if flip:
        np.negative(data, out=data)
    for mock in mocks:
        if mock.box.size and mock.box.overlaps(box):
            low = np.maximum((mock.box.z0, mock.box.y0, mock.box.x0), (box.z0, box.y0, box.x0))
            high = np.minimum((mock.box.z1, mock.box.y1, mock.box.x1), (box.z1, box.y1, box.x1))
            common = Box(low[0], high[0], low[1], high[1], low[2], high[2])
            data[common.inside(box).slices] += mock.cutout[common.inside(mock.box).slices]
    return data
