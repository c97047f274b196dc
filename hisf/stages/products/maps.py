"""Maps of everything in the mask: moments 0, 1 and 2, and the number of channels (spec sofia2 §3.12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from hisf.data.box import slabs
from hisf.data.cube import Cube
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.fits_image import image_header, write_image

SLAB_BYTES = 1 << 25


@dataclass(frozen=True)
class Maps:
    """Maps of shape (y, x).

    Attributes
    ----------
    moment0, moment1, moment2 : ndarray of float32
        Flux times channel width; mean and dispersion of the spectral coordinate, NaN where there is no positive flux.
    channels : ndarray of int32
    """

    moment0: np.ndarray
    moment1: np.ndarray
    moment2: np.ndarray
    channels: np.ndarray


_MADE: WeakKeyDictionary[Result, Maps] = WeakKeyDictionary()  # does not keep the cube of a finished run


def make_maps(result: Result) -> Maps:
    """Make all maps of a result, once; see `Maps`.

    Notes
    -----
    As SoFiA does it (spec sofia2 §3.12): channel by channel from the last one down, every term in double, then added in
    float32. The spectral coordinate is that of pixel (0, 0), or the channel number without world coordinates.
    """
    if result not in _MADE:
        _MADE[result] = _make_maps(result)
    return _MADE[result]


def _make_maps(result: Result) -> Maps:
    _, ny, nx = result.cube.shape
    coordinate, width = _spectral_coordinates(result.cube, result.settings)
    zero = np.zeros((ny, nx), np.float32)
    flux, weight, weighted, scatter = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    channels = np.zeros((ny, nx), np.int32)
    for z, values, inside in _channels(result):
        flux[inside] += values[inside].astype(np.float32)
        channels[inside] += 1
        positive = inside & (values > 0)
        weight[positive] += values[positive].astype(np.float32)
        weighted[positive] += (values[positive].astype(float) * coordinate[z]).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight > 0, weighted / weight, np.float32(np.nan))
        for z, values, inside in _channels(result):
            positive = inside & (values > 0)
            offset = mean[positive].astype(float) - coordinate[z]
            scatter[positive] += (values[positive] * offset**2).astype(np.float32)
        good = (weight > 0) & (scatter > 0)
        dispersion = np.where(good, np.sqrt(scatter.astype(float) / weight), np.nan).astype(np.float32)
    return Maps((flux.astype(float) * width).astype(np.float32), mean, dispersion, channels)


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


def _has_coordinates(cube: Cube, settings: Settings) -> bool:
    return cube.wcs is not None and settings["parameter.wcs"] and cube.shape[0] > 1


def _spectral_coordinates(cube: Cube, settings: Settings) -> tuple[np.ndarray, float]:
    """Return the spectral coordinate of every channel, and the channel width that moment 0 is multiplied by."""
    z = np.arange(cube.shape[0], dtype=float)
    if cube.wcs is None or not _has_coordinates(cube, settings):
        return z, 1.0
    return cube.wcs.to_world(np.zeros_like(z), np.zeros_like(z), z)[2], cube.scales.channel


def _spectral_unit(result: Result) -> str:
    """Return the unit of the spectral coordinate, that of the header as SoFiA prints it; pix for channel numbers."""
    return result.cube.spectral_unit if _has_coordinates(result.cube, result.settings) else "pix"


class _Map(Product):
    """One of the maps; an image, which has no spectral axis, has only that of moment 0."""

    def applies(self, result: Result) -> bool:
        """Return whether the data have channels."""
        return int(result.cube.header["NAXIS"]) > 2

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeMoments``."""
        return settings["output.writeMoments"]

    def _write(self, result: Result, path: Path, image: np.ndarray, unit: str) -> None:
        header = image_header(result.cube, image.dtype, result.settings, unit=unit, beam=True, axes=2)
        write_image(path, header, [image])


class Moment0(_Map):
    """Integrated flux."""

    name = "moment 0"
    suffix = "_mom0.fits"

    def applies(self, result: Result) -> bool:
        """Return True: an image has an integrated flux, too."""
        return True

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        unit = result.cube.scales.unit
        if _has_coordinates(result.cube, result.settings):
            unit = f"{unit}*{result.cube.spectral_unit}"
        self._write(result, path, make_maps(result).moment0, unit)


class Moment1(_Map):
    """Mean spectral coordinate."""

    name = "moment 1"
    suffix = "_mom1.fits"

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).moment1, _spectral_unit(result))


class Moment2(_Map):
    """Dispersion of the spectral coordinate."""

    name = "moment 2"
    suffix = "_mom2.fits"

    def write(self, result: Result, path: Path) -> None:
        """Write the map."""
        self._write(result, path, make_maps(result).moment2, _spectral_unit(result))


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
        write_image(path, header, [image])
