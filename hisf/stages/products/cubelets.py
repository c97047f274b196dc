"""The folder of cubelets: a small cube of every source, its mask, maps, spectra and diagrams (spec sofia2 §4.9)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from hisf.data.box import Box
from hisf.data.header import cut_region
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.cubelet import Cubelet, cubelets
from hisf.stages.products.fits_image import image_header, printable, write_image
from hisf.stages.products.moments import add_up, has_channels, moment0_unit, spectral_coordinates, spectral_unit
from hisf.stages.products.names import base_name, image_ending
from hisf.stages.products.pv import common_header, diagram_header, diagrams
from hisf.stages.products.spectra import APERTURE, MASK, aperture_sums, as_spectrum, channel_sums

log = logging.getLogger(__name__)


class Image(NamedTuple):
    """One FITS file of a source.

    Attributes
    ----------
    name : str
        End of the file's name.
    array : ndarray, shape (z, y, x) or (y, x)
    unit : str or None
        BUNIT; None for that of the cube.
    beam : bool
        Whether the header has the beam.
    """

    name: str
    array: np.ndarray
    unit: str | None
    beam: bool = True


class Cubelets(Product):
    """Files of every source, ``NAME_<id>_*``, in a folder ``NAME_cubelets``.

    With ``output.writeCubelets``: ``cube``, ``mask`` (1 for this source, else 0), ``mom0``, ``mom1``, ``mom2``,
    ``chan``, ``snr`` (all ``.fits``), ``spec.txt`` and ``spec_aperture.txt``. With ``output.writePV``: ``pv``,
    ``pv_min`` and their ``_mask``. An image, which has no spectral axis, has neither moments 1 and 2 nor diagrams.
    """

    name = "cubelets"
    suffix = "_cubelets"
    files = r"_\d+_(?:(?:cube|mask|mom[012]|chan|snr|pv(?:_min)?(?:_mask)?)\.(?:fits|h5)|spec(?:_aperture)?\.txt)"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCubelets`` or ``output.writePV``."""
        return settings["output.writeCubelets"] or settings["output.writePV"]

    def write(self, result: Result, path: Path) -> None:
        """Write the files of all sources; memory: those of one."""
        settings, coordinate = result.settings, spectral_coordinates(result.cube, result.settings)
        if not settings["parameter.enable"]:
            log.warning("Without parameter.enable there are no signal-to-noise maps and no position-velocity diagrams.")
        headers: dict[str, fits.Header] = {}
        for cubelet in cubelets(result):
            base = path / f"{base_name(settings)}_{cubelet.source.label}"
            if settings["output.writeCubelets"]:
                for image in _images(cubelet, result, *coordinate):
                    _write(base, image, cubelet, result, headers)
                _write_spectra(base, cubelet, result, coordinate[0])
            if settings["output.writePV"] and has_channels(result.cube):
                _write_diagrams(base, cubelet, result, headers)


def _images(cubelet: Cubelet, result: Result, coordinate: np.ndarray, width: float) -> Iterator[Image]:
    """Yield cube, mask and maps of a source; ``coordinate`` is that of the channels of the whole cube."""
    cube, settings, box = result.cube, result.settings, cubelet.box
    yield Image("cube", cubelet.data, None)
    yield Image("mask", cubelet.member.astype(np.uint8), " ", beam=False)

    def channels() -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for z in range(box.shape[0] - 1, -1, -1):
            yield z, cubelet.data[z], cubelet.member[z]

    threshold = settings["output.thresholdMom12"] * cubelet.rms
    maps = add_up(channels, box.shape[1:], coordinate[box.z0 : box.z1], width, threshold)
    yield Image("mom0", maps.moment0, moment0_unit(cube, settings))
    if has_channels(cube):
        yield Image("mom1", maps.moment1, spectral_unit(cube, settings))
        yield Image("mom2", maps.moment2, spectral_unit(cube, settings))
        yield Image("chan", maps.channels, " ")
    if cubelet.rms > 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = np.where(maps.channels > 0, cubelet.rms * np.sqrt(maps.channels), np.nan)
        yield Image("snr", (maps.flux / noise).astype(np.float32), " ")


def _write(base: Path, image: Image, cubelet: Cubelet, result: Result, headers: dict[str, fits.Header]) -> None:
    """Write one image; ``headers`` keeps what is the same for all sources, for a header takes longer than its data."""
    if image.name not in headers:
        kind, axes = image.array.dtype, image.array.ndim
        headers[image.name] = image_header(result.cube, kind, result.settings, image.unit, image.beam, axes)
    header = cut_region(headers[image.name], cubelet.box)
    header["OBJECT"] = printable(cubelet.name)
    place = _place(base, f"{image.name}{image_ending(result.settings)}")
    write_image(place, header, [image.array], result.settings)


def _write_spectra(base: Path, cubelet: Cubelet, result: Result, coordinate: np.ndarray) -> None:
    """Write the spectrum of the mask, in all channels of the cubelet, and that of its outline on the sky."""
    assert result.measured is not None
    cube, settings, box = result.cube, result.settings, cubelet.source.box
    sums = channel_sums(cubelet.data, cubelet.member)
    lines = as_spectrum(f"Spectrum of {cubelet.name}", MASK, cube, settings, cubelet.box.z0, coordinate, sums)
    _place(base, "spec.txt").write_text(lines, encoding="utf-8")
    inner = box.inside(cubelet.box)
    outline = np.any(cubelet.member[inner.slices], axis=0)
    margin = settings["output.marginAperSpec"]
    depth = cube.shape[0]
    low, high = (0, depth) if margin < 0 else (max(0, box.z0 - margin), min(depth, box.z1 + margin))
    sums = aperture_sums(result.measured, Box(low, high, box.y0, box.y1, box.x0, box.x1), outline)
    lines = as_spectrum(f"Aperture spectrum of {cubelet.name}", APERTURE, cube, settings, low, coordinate, sums)
    _place(base, "spec_aperture.txt").write_text(lines, encoding="utf-8")


def _write_diagrams(base: Path, cubelet: Cubelet, result: Result, headers: dict[str, fits.Header]) -> None:
    """Write the diagrams along and across the kinematic major axis; none where the axis is not known."""
    for suffix, turn in (("pv", 0.0), ("pv_min", 90.0)):
        angle = cubelet.kin_pa + turn
        if not np.isfinite((angle, cubelet.x, cubelet.y)).all():
            continue
        for name, image in zip((suffix, f"{suffix}_mask"), diagrams(cubelet, angle), strict=True):
            if name not in headers:
                headers[name] = common_header(image.dtype, result.cube, result.settings)
            header = diagram_header(cubelet, angle, image, result.cube, headers[name])
            place = _place(base, f"{name}{image_ending(result.settings)}")
            write_image(place, header, [image], result.settings)


def _place(base: Path, ending: str) -> Path:
    return base.with_name(f"{base.name}_{ending}")
