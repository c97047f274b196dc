"""A program of its own that looks at everything in an HDF5 file: `python hdf5_walk.py FILE`.

Damaged files can crash libhdf5 or keep it busy for ever, which no `except` helps against; see `hisf.data.hdf5_file`.
"""

import contextlib
import signal
import sys

import h5py

LIMIT = 120  # seconds after which it ends by itself, whoever waits for it or has gone
LARGE = 1 << 26  # bytes; of what is larger one value is read


def walk(path: str) -> None:
    """Read every attribute, every small data set and one value of every large one; errors are left to the reader."""
    with contextlib.suppress(Exception), h5py.File(path, "r") as file:
        _look(file, set())


def _look(item: h5py.Group | h5py.Dataset, seen: set[object]) -> None:
    """Look at a thing and what is in it, each once; what cannot be read does not keep from reading the rest."""
    if item.id in seen:
        return
    seen.add(item.id)
    with contextlib.suppress(Exception):
        for key in item.attrs:
            with contextlib.suppress(Exception):
                _ = item.attrs[key]
    if isinstance(item, h5py.Dataset):
        with contextlib.suppress(Exception):
            _ = item[()] if item.nbytes <= LARGE else item[(0,) * item.ndim]
        return
    with contextlib.suppress(Exception):
        for name in item:
            with contextlib.suppress(Exception):
                _look(item[name], seen)


if __name__ == "__main__":
    if hasattr(signal, "alarm"):
        signal.alarm(LIMIT)
    walk(sys.argv[1])
