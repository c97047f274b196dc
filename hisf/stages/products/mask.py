"""Mask cubes: of the sources, and of what was detected before linking (spec sofia2 §4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.data.mask_store import MaskStore
from hisf.data.source import SourceList
from hisf.settings import Settings
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.fits_image import image_header, write_image

SLAB_BYTES = 1 << 21  # stays in the cache until it is written


class MaskCube(Product):
    """int32 cube of the size of the data or its region: 0, or the id of the source in the catalogue."""

    name = "mask cube"
    suffix = "_mask.fits"
    image = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeMask``, or ``output.writeReport``, which is made of it."""
        return settings["output.writeMask"] or settings["output.writeReport"]

    def write(self, result: Result, path: Path) -> None:
        """Write the mask, some channels at a time."""
        assert result.sources is not None
        header = image_header(result.cube, np.dtype(np.int32), result.settings, unit=" ", beam=False)
        write_image(path, header, _label_planes(result.sources), result.settings)


class RawMask(Product):
    """uint8 cube: 1 where the finders detected something, before linking and without the input mask."""

    name = "raw mask"
    suffix = "_mask-raw.fits"
    image = True
    moment = Moment.FOUND

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeRawMask``."""
        return settings["output.writeRawMask"]

    def write(self, result: Result, path: Path) -> None:
        """Write the mask, channel by channel."""
        assert result.mask is not None
        header = image_header(result.cube, np.dtype(np.uint8), result.settings, unit=" ", beam=False)
        write_image(path, header, _raw_planes(result.mask), result.settings)


def _raw_planes(mask: MaskStore) -> Iterator[np.ndarray]:
    nz, ny, nx = mask.shape
    voxels = mask.voxels()
    for z in range(nz):
        plane = np.zeros(ny * nx, np.uint8)
        low, high = np.searchsorted(voxels, (z * ny * nx, (z + 1) * ny * nx))
        plane[voxels[low:high] - z * ny * nx] = 1
        yield plane.reshape(1, ny, nx)


def _label_planes(sources: SourceList) -> Iterator[np.ndarray]:
    nz, ny, nx = sources.shape
    depth = max(1, SLAB_BYTES // (4 * ny * nx))
    for z in range(0, nz, depth):
        yield sources.paint(Box(z, min(nz, z + depth), 0, ny, 0, nx))
