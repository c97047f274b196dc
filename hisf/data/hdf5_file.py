"""Opening HDF5 files that others wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hisf.errors import FileAccessError

if TYPE_CHECKING:
    import h5py

WALK = Path(__file__).with_name("hdf5_walk.py")
LIMIT = 60.0  # seconds that looking at a file may take
COMPRESSION = 1100  # times that what is in a file may be as large as the file; gzip reaches 1032


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, once a process of its own has looked at all that is in it and survived.

    Raises
    ------
    FileAccessError
        The HDF5 library crashes on it or does not come to an end.
    OSError
        It cannot be opened.
    """
    import h5py

    end = how_it_ends(path)
    if end:
        raise FileAccessError(f"{path}: the HDF5 file is damaged, so that the HDF5 library {end}.")
    return h5py.File(path, "r")


def read_all(dataset: h5py.Dataset) -> Any:
    """Return what a data set holds.

    Raises
    ------
    ValueError
        It promises more than its file can hold, which would only fill the memory.
    """
    room = COMPRESSION * Path(dataset.file.filename).stat().st_size
    if dataset.nbytes > room:
        raise ValueError(f"{dataset.name} promises {dataset.nbytes} bytes, the file can hold {room} at most")
    return dataset[()]


def how_it_ends(path: Path) -> str:
    """Return what becomes of a process that looks at a file: ``crashes`` or ``does not come to an end``, else empty."""
    if not sys.executable:
        return ""
    try:
        done = subprocess.run(
            [sys.executable, str(WALK), str(path)], timeout=LIMIT, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "does not come to an end"
    return "crashes" if done.returncode < 0 else ""
