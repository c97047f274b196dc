"""Images and cubes made by hisf: header and data, written channel by channel (spec sofia2 §4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from astropy.io import fits

from hisf.data.box import Shape
from hisf.data.cube import Cube
from hisf.data.header import card
from hisf.settings import Settings
from hisf.stages.products.stamp import CREATOR, utc_date

BITPIX = {"uint8": 8, "int16": 16, "int32": 32, "int64": 64, "float32": -32, "float64": -64}
AXIS = re.compile(r"(?:CTYPE|CRPIX|CDELT|CRVAL|CUNIT|CROTA)(?P<n>\d)|PV(?P<k>\d)_\d+|(?:PC|CD)0*(?P<i>\d)_?0*(?P<j>\d)")
GLOBAL = ("RESTFREQ", "RESTFRQ", "SPECSYS", "VELREF", "EQUINOX", "EPOCH", "RADESYS", "LONPOLE", "LATPOLE")
PAGE = 1 << 12  # bytes that a file system keeps together
BEAM = ("BMAJ", "BMIN", "BPA")


def image_header(
    cube: Cube, dtype: np.dtype, settings: Settings, unit: str | None, beam: bool, axes: int = 3
) -> fits.Header:
    """Return the header of a cube or image on the grid of the data.

    Parameters
    ----------
    cube : Cube
        Its world coordinates are copied, those of axes beyond the third are left out.
    dtype : dtype
        Of the image.
    settings : Settings
        Recorded as HISTORY.
    unit : str or None
        BUNIT; None copies that of the cube.
    beam : bool
        Whether the beam belongs into the header.
    axes : int
        3 for a cube, of which an image has only 2; 2 for a map.
    """
    return grid_header(cube.header, cube.shape, dtype, settings, unit, beam, axes)


def grid_header(
    grid: fits.Header, shape: Shape, dtype: np.dtype, settings: Settings, unit: str | None, beam: bool, axes: int = 3
) -> fits.Header:
    """Return the header of a cube or image on the grid of ``grid``, of ``shape`` (z, y, x); see `image_header`."""
    axes = min(axes, int(card(grid, "NAXIS", axes)))
    header = empty_header(dtype, tuple(reversed(shape))[:axes])
    for key in grid:
        if key in header or not _belongs(key, beam, axes):
            continue
        value = card(grid, key)
        if value is not None:
            header[key] = value
    sign(header, settings, card(grid, "BUNIT", "") if unit is None else unit)
    return header


def empty_header(dtype: np.dtype, sizes: Sequence[int]) -> fits.Header:
    """Return a header that says nothing but type and sizes, NAXIS1 first."""
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = BITPIX[dtype.name]
    header["NAXIS"] = len(sizes)
    for n, size in enumerate(sizes, 1):
        header[f"NAXIS{n}"] = size
    return header


def sign(header: fits.Header, settings: Settings, unit: str) -> None:
    """Add to a header, in place, the unit, who made it when, and the settings as HISTORY."""
    header["BUNIT"] = unit or " "
    header["ORIGIN"] = CREATOR
    header["DATE"] = utc_date()
    header["HISTORY"] = f"{CREATOR} was run with these settings:"
    for name in settings:
        header["HISTORY"] = printable(f"{name} = {settings.text(name)}")


def _belongs(key: str, beam: bool, axes: int) -> bool:
    if key == "CELLSCAL":
        return axes == 3
    if key in GLOBAL or key.startswith("SPECSYS"):
        return True
    if key in BEAM:
        return beam
    match = AXIS.fullmatch(key)
    return match is not None and all(int(n) <= axes for n in match.groups() if n)


def printable(text: str) -> str:
    """Return text that a FITS card can hold: printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def write_image(path: Path, header: fits.Header, planes: Iterable[np.ndarray], settings: Settings) -> None:
    """Write an image in the format of ``output.dataFormat``, from pieces of whole channels; memory: one piece.

    Parameters
    ----------
    path : Path
    header : `~astropy.io.fits.Header`
    planes : iterable of ndarray, shape (n, y, x), or one of shape (y, x)
        In order from the first channel; native byte order, of the type that BITPIX says.
    settings : Settings
    """
    if settings["output.dataFormat"] == "hdf5":
        _write_hdf5(path, header, planes)
    else:
        _write_fits(path, header, planes)


def _write_hdf5(path: Path, header: fits.Header, planes: Iterable[np.ndarray]) -> None:
    """Write the layout that CARTA and hisf read: a group ``0`` with the cards as attributes, and ``DATA`` in it."""
    import h5py

    shape = tuple(header[f"NAXIS{n}"] for n in range(header["NAXIS"], 0, -1))
    dtype = next(name for name, bitpix in BITPIX.items() if bitpix == header["BITPIX"])
    with h5py.File(path, "w") as file:
        group = file.create_group("0")
        for key in dict.fromkeys(header):
            group.attrs[key] = list(header["HISTORY"]) if key == "HISTORY" else header[key]
        data, first = group.create_dataset("DATA", shape, dtype), 0
        for piece in planes:
            rows = piece.reshape(-1, *shape[1:])
            data[first : first + len(rows)] = rows
            first += len(rows)


def _write_fits(path: Path, header: fits.Header, planes: Iterable[np.ndarray]) -> None:
    with path.open("wb") as file:
        file.write(header.tostring(sep="", endcard=True, padding=True).encode("ascii"))
        size = 0
        for piece in planes:
            _write_sparse(file, np.ascontiguousarray(piece).reshape(-1))
            size += piece.nbytes
        file.truncate(file.tell() + -size % 2880)


def _write_sparse(file: IO[bytes], values: np.ndarray) -> None:
    """Write values in the byte order of FITS; where a page is all zeros, as in a mask, the file gets a hole."""
    step = PAGE // values.itemsize
    whole = len(values) - len(values) % step
    filled = values[:whole].view(np.uint64).reshape(-1, PAGE // 8).any(1)
    edges = step * np.flatnonzero(np.diff(filled, prepend=False, append=False))  # where a run of pages begins, and ends
    start, order = file.tell(), values.dtype.newbyteorder(">")
    for first, last in edges.reshape(-1, 2):
        file.seek(start + int(first) * values.itemsize)
        file.write(values[first:last].astype(order).data)
    file.seek(start + whole * values.itemsize)
    file.write(values[whole:].astype(order).data)
