"""The input mask as a finder: its non-zero voxels are detected (spec sofia2 §2.2, steps 20 and 21)."""

from __future__ import annotations

import numpy as np

from hisf.data.box import Tile
from hisf.stages.finders.contract import Finder


class InputMask(Finder):
    """Take the non-zero voxels of ``input.mask``; its labels are discarded, everything is linked anew."""

    name = "mask"

    def find(self, tile: Tile) -> np.ndarray:
        """Return the non-zero voxels of the mask that are not blank in the data."""
        return (self.cube.companions["mask"].read_labels(tile.box) != 0) & ~np.isnan(tile.data)
