"""The searched cube (spec sofia2 §4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hisf.data.box import Box
from hisf.data.voxels import Voxels
from hisf.settings import Settings
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.fits_image import image_header, write_image


class FilteredCube(Product):
    """The cube as it was searched, after all preconditioning; BUNIT is that of the data, whatever was divided out."""

    name = "filtered cube"
    suffix = "_filtered.fits"
    image = True
    moment = Moment.PRECONDITIONED

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeFiltered``."""
        return settings["output.writeFiltered"]

    def write(self, result: Result, path: Path) -> None:
        """Write the cube, channel by channel."""
        assert result.searched is not None
        header = image_header(result.cube, result.searched.dtype, result.settings, unit=None, beam=True)
        write_image(path, header, _planes(result.searched), result.settings)


def _planes(voxels: Voxels) -> Iterator[np.ndarray]:
    nz, ny, nx = voxels.shape
    for z in range(nz):
        yield voxels.read(Box(z, z + 1, 0, ny, 0, nx))
