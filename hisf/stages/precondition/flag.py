"""Flagging: boxes of the cube that are blanked before anything else (spec sofia2 §3.2)."""

from __future__ import annotations

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.settings import Settings
from hisf.stages.precondition.contract import Step


class FlagRegions(Step):
    """Blank the boxes of ``flag.region``.

    Upper bounds are clipped to the cube and a lower bound above its upper bound is pulled down to it, so that a box
    outside the cube still blanks its last plane, as in SoFiA.
    """

    name = "flag regions"
    position = 10
    measuring = True

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self.boxes = flag_boxes(settings["flag.region"], cube.shape)

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there are boxes."""
        return bool(settings["flag.region"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Blank the voxels of ``box`` that lie in a flagged box."""
        for flagged in self.boxes:
            if flagged.overlaps(box):
                b = flagged.inside(box)
                data[max(0, b.z0) : b.z1, max(0, b.y0) : b.y1, max(0, b.x0) : b.x1] = np.nan
        return data


def flag_boxes(values: tuple[int, ...], shape: Shape) -> list[Box]:
    """Turn ``flag.region`` (xmin, xmax, ymin, ymax, zmin, zmax, … inclusive) into boxes of a cube of ``shape``."""
    boxes = []
    for start in range(0, len(values) - len(values) % 6, 6):
        bounds = []
        for axis, size in enumerate(reversed(shape)):
            low, high = values[start + 2 * axis : start + 2 * axis + 2]
            high = min(high, size - 1)
            bounds.append((min(low, high), high + 1))
        (x0, x1), (y0, y1), (z0, z1) = bounds
        boxes.append(Box(z0, z1, y0, y1, x0, x1))
    return boxes
