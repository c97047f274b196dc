"""The built-in openers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.data.cube import Cube
    from hisf.settings import Settings


@hookimpl
def hisf_open_input(path: Path, settings: Settings, region: tuple[int, ...]) -> Cube:
    """Open an HDF5 file by its signature, anything else as FITS."""
    from hisf.data.cube import Cube
    from hisf.data.fits_voxels import FitsVoxels
    from hisf.data.hdf5_voxels import Hdf5Voxels, is_hdf5
    from hisf.data.header import read_header

    if is_hdf5(path):
        stored = Hdf5Voxels(path, settings["input.dataset"])
        return Cube(str(path), stored.header, stored, region)
    header, offset = read_header(path)
    return Cube(str(path), header, FitsVoxels(path, header, offset), region)
