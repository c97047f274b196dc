"""The measured noise: a spectrum, or a cube (spec sofia2 §4.1, §4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.settings import Settings
from hisf.stages.precondition.flag import FlagRegions
from hisf.stages.precondition.noise_model import LocalNoise, NoiseModel, SpectralNoise
from hisf.stages.precondition.scale_noise import ScaleNoise
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.fits_image import image_header, write_image
from hisf.stages.products.stamp import CREATOR


def _wanted(settings: Settings, local: bool) -> bool:
    scaled = settings["output.writeNoise"] and settings["scaleNoise.enable"]
    return scaled and (settings["scaleNoise.mode"] == "local") == local


def _noise(result: Result) -> NoiseModel:
    return next(step.noise for step in result.steps if isinstance(step, ScaleNoise))


class NoiseSpectrum(Product):
    """Text file with channel (counted from 0 in the region) and noise."""

    name = "noise spectrum"
    suffix = "_noise.txt"
    moment = Moment.PRECONDITIONED

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether noise is written and measured per channel."""
        return _wanted(settings, local=False)

    def write(self, result: Result, path: Path) -> None:
        """Write the spectrum."""
        noise = _noise(result)
        assert isinstance(noise, SpectralNoise)
        head = f"# Measured noise spectrum\n# Creator: {CREATOR}\n#\n# Channel\tNoise\n"
        rows = "".join(f"{z}\t{value:.15f}\n" for z, value in enumerate(noise.spectrum))
        path.write_text(head + rows, encoding="ascii")


class NoiseCube(Product):
    """Cube of the local noise, in data units."""

    name = "noise cube"
    suffix = "_noise.fits"
    image = True
    moment = Moment.PRECONDITIONED

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether noise is written and measured locally."""
        return _wanted(settings, local=True)

    def write(self, result: Result, path: Path) -> None:
        """Write the cube, channel by channel; flagged boxes are blank."""
        noise = _noise(result)
        assert isinstance(noise, LocalNoise)
        header = image_header(result.cube, noise.grid.cells.dtype, result.settings, unit=None, beam=True)
        write_image(path, header, _noise_planes(noise, result), result.settings)


def _noise_planes(noise: LocalNoise, result: Result) -> Iterator[np.ndarray]:
    nz, ny, nx = result.cube.shape
    flags = [step for step in result.steps if isinstance(step, FlagRegions)]
    for z in range(nz):
        box = Box(z, z + 1, 0, ny, 0, nx)
        plane = noise.grid.read(box)
        for step in flags:
            plane = step.apply(plane, box)
        yield plane
