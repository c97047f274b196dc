"""The mask cube: every voxel carries the id of its source (spec sofia2 §4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.data.source import SourceList
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.fits_image import image_header, write_image

SLAB_BYTES = 1 << 25


class MaskCube(Product):
    """int32 cube of the size of the data or its region: 0, or the id of the source in the catalogue."""

    name = "mask cube"
    suffix = "_mask.fits"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeMask``."""
        return settings["output.writeMask"]

    def write(self, result: Result, path: Path) -> None:
        """Write the mask, some channels at a time."""
        assert result.sources is not None
        header = image_header(result.cube, np.dtype(np.int32), result.settings, unit=" ", beam=False)
        write_image(path, header, _label_planes(result.sources))


def _label_planes(sources: SourceList) -> Iterator[np.ndarray]:
    nz, ny, nx = sources.shape
    depth = max(1, SLAB_BYTES // (4 * ny * nx))
    for z in range(0, nz, depth):
        yield sources.paint(Box(z, min(nz, z + depth), 0, ny, 0, nx))
