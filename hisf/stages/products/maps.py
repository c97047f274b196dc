"""Maps of everything in the mask: moments 0, 1 and 2, and the number of channels (spec sofia2 §3.12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from hisf.data.box import slabs
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.fits_image import image_header, write_image
from hisf.stages.products.moments import (
    Maps,
    add_up,
    has_channels,
    moment0_unit,
    spectral_coordinates,
    spectral_unit,
)

SLAB_BYTES = 1 << 25


_MADE: WeakKeyDictionary[Result, Maps] = WeakKeyDictionary()  # does not keep the cube of a finished run


def make_maps(result: Result) -> Maps:
    """Make all maps of a result, once; see `Maps`."""
    if result not in _MADE:
        coordinate, width = spectral_coordinates(result.cube, result.settings)
        _MADE[result] = add_up(lambda: _channels(result), result.cube.shape[1:], coordinate, width)
    return _MADE[result]


def _channels(result: Result) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield channel, its voxels (y, x) and which of them belong to a source, from the last channel down."""
    assert result.sources is not None and result.measured is not None
    _, ny, nx = result.cube.shape
    for box in slabs(result.cube.shape, max(1, SLAB_BYTES // (8 * ny * nx))):
        if not result.sources.in_box(box):
            continue
        labels, data = result.sources.paint(box), result.measured.read(box)
        for n in range(box.shape[0] - 1, -1, -1):
            inside = labels[n] != 0
            if inside.any():
                yield box.z0 + n, data[n], inside


class _Map(Product):
    """One of the maps; an image, which has no spectral axis, has only that of moment 0."""

    image = True

    def applies(self, result: Result) -> bool:
        """Return whether the data have channels."""
        return has_channels(result.cube)

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeMoments``."""
        return settings["output.writeMoments"]

    def _write(self, result: Result, path: Path, image: np.ndarray, unit: str) -> None:
        header = image_header(result.cube, image.dtype, result.settings, unit=unit, beam=True, axes=2)
        write_image(path, header, [image], result.settings)


class Moment0(_Map):
    """Integrated flux."""

    name = "moment 0"
    suffix = "_mom0.fits"

    def applies(self, result: Result) -> bool:
        """Return True: an image has an integrated flux, too."""
        return True

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).moment0, moment0_unit(result.cube, result.settings))


class Moment1(_Map):
    """Mean spectral coordinate."""

    name = "moment 1"
    suffix = "_mom1.fits"

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).moment1, spectral_unit(result.cube, result.settings))


class Moment2(_Map):
    """Dispersion of the spectral coordinate."""

    name = "moment 2"
    suffix = "_mom2.fits"

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).moment2, spectral_unit(result.cube, result.settings))


class Channels(_Map):
    """Number of channels in the mask."""

    name = "channel map"
    suffix = "_chan.fits"

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).channels, " ")


class MaskImage(Product):
    """Mask on the sky: the id in the highest channel that has one."""

    name = "mask image"
    suffix = "_mask-2d.fits"
    image = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeMask2d``."""
        return settings["output.writeMask2d"]

    def write(self, result: Result, path: Path) -> None:
        """Write the image."""
        assert result.sources is not None
        _, ny, nx = result.cube.shape
        image = np.zeros((ny, nx), np.int32)
        for box in slabs(result.cube.shape, max(1, SLAB_BYTES // (4 * ny * nx))):
            for plane in result.sources.paint(box)[::-1]:
                image = np.where(image == 0, plane, image)
        header = image_header(result.cube, image.dtype, result.settings, unit=" ", beam=False, axes=2)
        write_image(path, header, [image], result.settings)
