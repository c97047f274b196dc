"""Voxels and header of an HDF5 file.

Two layouts are read: the IDIA schema that CARTA uses (group ``0`` with the header cards as attributes and the data set
``DATA`` in it), and any file with one image data set whose attributes, or those of its group, hold the header cards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from hisf.data.box import Box, Shape
from hisf.data.fits_voxels import Scaling
from hisf.data.hdf5_file import open_hdf5
from hisf.errors import FileAccessError, HisfError, InputError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}


def is_hdf5(path: Path) -> bool:
    """Return whether a file begins with the HDF5 signature; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(8) == SIGNATURE
    except OSError:
        return False


class Hdf5Voxels:
    """One data set of an HDF5 file as a (z, y, x) cube, read by the box.

    Parameters
    ----------
    path : Path
    dataset : str
        Path of the data set inside the file; empty finds it.

    Raises
    ------
    FileAccessError
        The file cannot be opened, or it is damaged.
    InputError
        There is no data set of 1 to 4 axes, there are several, or two of the leading axes are longer than 1.
    """

    def __init__(self, path: Path, dataset: str = "") -> None:
        self._made_of = path, dataset
        try:
            self.file = open_hdf5(path)
        except OSError as error:
            raise FileAccessError(f"{path}: the HDF5 file cannot be opened ({error}).") from None
        try:
            self._describe(path, dataset)
        except HisfError:
            raise
        except Exception as error:  # noqa: BLE001 - libhdf5 raises unrelated classes
            raise FileAccessError(f"{path}: the HDF5 file is damaged ({error}).") from None

    def _describe(self, path: Path, dataset: str) -> None:
        """Find the data set, its header and its shape."""
        self.dataset = _find(self.file, path, dataset)
        stored = self.dataset.dtype
        if f"{stored.kind}{stored.itemsize}" not in BITPIX:
            raise InputError(f"{path}: data set {self.dataset.name} holds {stored}; numbers are needed.")
        self.header = _header(self.dataset)
        sizes = self.dataset.shape
        leading = sizes[:-2] if len(sizes) > 2 else ()
        if sum(n > 1 for n in leading) > 1:
            raise InputError(
                f"{path}: data set {self.dataset.name} has {len(sizes)} axes {sizes}; of the spectral and the Stokes "
                "axis one must have length 1."
            )
        self.spectral = next((axis for axis, n in enumerate(leading) if n > 1), len(leading) - 1)
        self.shape: Shape = (
            int(np.prod(leading)) if leading else 1,
            int(sizes[-2]) if len(sizes) > 1 else 1,
            int(sizes[-1]),
        )
        self.integer = stored.kind in "iu"
        self.scaling = Scaling(self.header, self.integer)
        self.dtype = np.dtype(np.float32) if self.integer else stored.newbyteorder("=")

    def __reduce__(self) -> tuple[type[Hdf5Voxels], tuple[Path, str]]:
        """Pickle what the file is opened with, not what is in it."""
        return Hdf5Voxels, self._made_of

    def read(self, box: Box) -> np.ndarray:
        """Return the physical values of ``box``, a new array in native byte order."""
        return self.scaling.apply(self._section(box)).astype(self.dtype, copy=False)

    def read_stored(self, box: Box) -> np.ndarray:
        """Return the values of ``box`` as they stand in the file, native byte order."""
        stored = self._section(box)
        return stored.astype(stored.dtype.newbyteorder("="))

    def _section(self, box: Box) -> np.ndarray:
        axes = self.dataset.ndim
        index: list[Any] = [0] * max(0, axes - 2)
        if index:
            index[self.spectral] = slice(box.z0, box.z1)
        if axes > 1:
            index.append(slice(box.y0, box.y1))
        index.append(slice(box.x0, box.x1))
        try:
            return np.asarray(self.dataset[tuple(index)]).reshape(box.shape)
        except Exception as error:  # noqa: BLE001 - libhdf5 raises unrelated classes
            path, channels = self._made_of[0], f"channels {box.z0} to {box.z1 - 1}"
            raise FileAccessError(f"{path}: {channels} cannot be read ({error}).") from None


def _find(file: Any, path: Path, name: str) -> Any:
    import h5py

    if name:
        if not isinstance(file.get(name), h5py.Dataset):
            raise InputError(f"{path}: there is no data set {name}; set input.dataset to one that is there.")
        return file[name]
    if isinstance(file.get("0/DATA"), h5py.Dataset):
        return file["0/DATA"]
    images: list[Any] = []
    file.visititems(lambda _, item: images.append(item) if _is_image(item) else None)
    if len(images) != 1:
        names = ", ".join(item.name for item in images[:5]) or "none"
        raise InputError(f"{path}: {len(images)} data sets could be the cube ({names}); name one with input.dataset.")
    return images[0]


def _is_image(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and 2 <= item.ndim <= 4 and item.dtype.kind in "iuf"


def _header(dataset: Any) -> fits.Header:
    """Build a FITS header from the attributes of a data set and its group."""
    header = fits.Header()
    header["SIMPLE"] = True
    header["BITPIX"] = BITPIX[f"{dataset.dtype.kind}{dataset.dtype.itemsize}"]
    header["NAXIS"] = dataset.ndim
    for n, size in enumerate(reversed(dataset.shape), 1):
        header[f"NAXIS{n}"] = int(size)
    for holder in (dataset.parent, dataset):
        for key, value in holder.attrs.items():
            plain = _plain(value)
            is_card = len(key) <= 8 and key.upper() == key and not key.startswith(("NAXIS", "BITPIX", "SIMPLE"))
            if is_card and plain is not None and key not in ("EXTEND", "HISTORY", "COMMENT"):
                try:
                    header[key] = plain
                except ValueError:  # an attribute that no FITS card can hold
                    continue
    return header


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (str, bool, int, float)) else None
