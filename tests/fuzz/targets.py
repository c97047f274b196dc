"""Readers of files that others wrote, one target for each kind: whatever the bytes, a result or a `HisfError`.

`SEEDS` has files of each kind to begin with, `read(kind, content)` reads one.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np

from hisf.api import Box, Column
from hisf.data import hdf5_file
from hisf.data.catalogue import Catalogue
from hisf.data.cube import Cube
from hisf.data.fits_voxels import FitsVoxels
from hisf.data.hdf5_voxels import Hdf5Voxels
from hisf.data.hdf5_walk import walk
from hisf.data.header import read_header
from hisf.data.positions import read_positions
from hisf.data.source import Source, SourceList
from hisf.data.source_store import Part, read_part, write_part
from hisf.errors import HisfError
from hisf.evaluate.reading import read_catalogue
from hisf.execution.journal import Journal
from hisf.settings import PARAMETERS, as_template, check_settings, load_settings
from hisf.testing import make_cube, write_fits, write_hdf5

CORNER = Box(0, 1, 0, 1, 0, 1)
LIMIT = 1.0  # seconds for the HDF5 library to look at a file


def _how_it_ends(path: Path) -> str:
    """As `hdf5_file.how_it_ends`, a hundred times faster: a fork looks at the file."""
    child = os.fork()
    if not child:
        try:
            walk(str(path))
        finally:
            os._exit(0)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "crashes" if os.WIFSIGNALED(status) else ""
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "does not come to an end"


def read(kind: str, content: bytes) -> bool:
    """Read a file with this content; return whether it was accepted."""
    faster = patch.object(hdf5_file, "how_it_ends", _how_it_ends)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), faster:
        warnings.simplefilter("ignore")
        path = Path(folder, "file")
        path.write_bytes(content)
        try:
            TARGETS[kind](path)
        except HisfError:
            return False
    return True


def _par(path: Path) -> None:
    settings = load_settings([str(path)])
    check_settings(settings)
    assert isinstance(settings.notes + settings.ignored, tuple)


def _cube(cube: Cube) -> None:
    assert cube.read(CORNER).shape == (1, 1, 1)
    for each in (cube, cube.improve()):
        assert each.scales.beam_area is not None
        if each.wcs:
            each.wcs.to_world(*np.zeros((3, 1)))


def _fits(path: Path) -> None:
    header, offset = read_header(path)
    _cube(Cube(str(path), header, FitsVoxels(path, header, offset)))


def _hdf5(path: Path) -> None:
    stored = Hdf5Voxels(path)
    _cube(Cube(str(path), stored.header, stored))


def _weights(path: Path) -> None:
    from hisf.nn.weights import read_weights

    read_weights(path).has("segmenter")


def _journal(path: Path) -> None:
    for name in ("fingerprint.json", "x-2d711642b726.npz"):  # where the journal looks for itself, and for an entry x
        folder = path.with_name(f"journal {name}")
        folder.mkdir()
        (folder / "fingerprint.json").write_text("{}")
        path.with_name("copy").write_bytes(path.read_bytes())
        path.with_name("copy").rename(folder / name)
        Journal(folder, {}, True).recall("x")


TARGETS: dict[str, Callable[[Path], object]] = {
    "par": _par,
    "fits": _fits,
    "hdf5": _hdf5,
    "catalogue": read_catalogue,
    "truth": read_catalogue,
    "positions": read_positions,
    "weights": _weights,
    "sources": read_part,
    "journal": _journal,
}
TEXT = ("par", "truth", "positions")  # kinds that are lines of text


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Return files of a kind that can be read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        SEEDS[kind](folder)
        return tuple(path.read_bytes() for path in sorted(folder.iterdir()))


def _par_seeds(folder: Path) -> None:
    (folder / "all").write_text(as_template(PARAMETERS))
    (folder / "few").write_text("input.data = a.fits\nscfind.threshold = 4 # sigma\ninput.region = 1,2,3,4,5,6\n")
    (folder / "old").write_text("import.inFile = a.fits\nsteps.doSCfind = true\nflag.regions = []\n")


def _fits_seeds(folder: Path) -> None:
    array, header = make_cube((2, 3, 4))
    write_fits(folder / "a", array, header)
    header.update({"BSCALE": 2.0, "BZERO": 1.0, "BLANK": -1, "CUNIT3": "km/s"})
    write_fits(folder / "b", np.ones((1, 2, 3), np.int16), header)


def _hdf5_seeds(folder: Path) -> None:
    write_hdf5(folder / "a", *make_cube((2, 3, 4)))


def _catalogue() -> Catalogue:
    numbers = {"ra": "deg", "dec": "deg", "freq": "Hz", "w20": "Hz", "f_sum": "Jy*Hz", "err_f_sum": "Jy*Hz", "rel": ""}
    columns = Column("name", "text", "", "", "a"), *(Column(n, "float", unit, "", "a") for n, unit in numbers.items())
    values = {name: np.arange(1.0, 3.0) for name in numbers}
    return Catalogue(columns, {"name": np.array(["a", "b"], object), **values})


def _catalogue_seeds(folder: Path) -> None:
    table = _catalogue().to_table()
    for number, form in enumerate(("votable", "fits")):
        table.write(folder / str(number), format=form)
    plain = table.as_array()
    with h5py.File(folder / "2", "w") as file:
        kinds = [(n, h5py.string_dtype() if plain.dtype[n].kind == "U" else float) for n in plain.dtype.names]
        file.create_dataset("catalogue", data=plain.astype(kinds))
    names = " ".join(f"{name:>12}" for name in table.colnames)
    rows = "\n".join(f'"a b" 1.0 2.0 1.4e9 1e5 3.0 0.5 0.9 {n}' for n in (1, 2))
    (folder / "3").write_text(f"# hisf\n#{names} id\n#{' '.join(['-'] * 9)}\n{rows}\n")


def _truth_seeds(folder: Path) -> None:
    names = "id ra dec hi_size line_flux_integral central_freq pa i w20"
    (folder / "a").write_text(f"{names}\n1 10.5 -30.0 8.5 40.0 1.2e9 120 60 200\n")
    (folder / "b").write_text(f"{names.replace(' ', ',')},class\n1,2,3,4,5,6e8,7,8,9,spiral\n")


def _positions_seeds(folder: Path) -> None:
    (folder / "a").write_text("# x y z\n1 2 3\n4.5 6 7 8\n")


def _weights_seeds(folder: Path) -> None:
    from safetensors.numpy import save_file

    about = json.dumps({"architecture": "slim", "recipe": {}})
    metadata = {"format": "hisf-weights-1", "about": about}
    save_file({"segmenter.a": np.ones((2, 2), np.float16)}, folder / "a", metadata=metadata)


def _sources_seeds(folder: Path) -> None:
    voxels = np.array([1, 2, 14], np.int64)
    source = Source(1, voxels, Box(0, 2, 0, 1, 1, 3), 3, 9.0, 1.0, 5.0, 3.0, 1.0, 1.0, 1.0, 3, 1, 0.5)
    part = Part("a", {"input.data": "a.fits"}, Box.whole((2, 3, 4)), 1.0, SourceList((2, 3, 4), [source]))
    write_part(folder / "a", part)


def _journal_seeds(folder: Path) -> None:
    (folder / "a").write_text("{}")
    journal = Journal(folder / "j", {}, False)
    journal.keep("x", np.arange(5))
    (entry,) = (folder / "j").glob("*.npz")
    entry.rename(folder / "b")
    journal.remove()


SEEDS: dict[str, Callable[[Path], object]] = {
    "par": _par_seeds,
    "fits": _fits_seeds,
    "hdf5": _hdf5_seeds,
    "catalogue": _catalogue_seeds,
    "truth": _truth_seeds,
    "positions": _positions_seeds,
    "weights": _weights_seeds,
    "sources": _sources_seeds,
    "journal": _journal_seeds,
}
