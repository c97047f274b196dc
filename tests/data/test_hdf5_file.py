"""HDF5 files that the HDF5 library itself does not survive."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from hisf.data import hdf5_file
from hisf.data.hdf5_file import open_hdf5, read_all
from hisf.data.hdf5_voxels import Hdf5Voxels
from hisf.data.source_store import read_part
from hisf.errors import FileAccessError, InputError
from hisf.evaluate.layouts import parse_hdf5
from hisf.testing import make_cube, write_hdf5

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
HANG = "while True: pass"


@pytest.fixture
def cube(tmp_path):
    return write_hdf5(tmp_path / "cube.h5", *make_cube((2, 3, 4)))


@pytest.fixture(params=[(CRASH, "crashes"), (HANG, "does not come to an end")], ids=["crash", "hang"])
def damage(request, tmp_path, monkeypatch):
    """Let looking at a file end badly; yields the words for it."""
    program, words = request.param
    (tmp_path / "walk.py").write_text(program)
    monkeypatch.setattr(hdf5_file, "WALK", tmp_path / "walk.py")
    monkeypatch.setattr(hdf5_file, "LIMIT", 1.0)
    return words


@pytest.mark.parametrize("read", [open_hdf5, Hdf5Voxels, read_part, parse_hdf5])
def test_file_that_ends_the_library_is_a_sentence(cube, damage, read):
    with pytest.raises(FileAccessError, match=f"cube.h5: the HDF5 file is damaged, so that the HDF5 library {damage}"):
        read(cube)


def test_sound_file_is_opened(cube):
    with open_hdf5(cube) as file:
        assert file["0/DATA"].shape == (2, 3, 4)


def test_walk_reads_attributes_and_data(tmp_path):
    """It looks at everything, as shown by a file of which each part is missing in turn."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/data", data=np.arange(1000), chunks=(10,), compression="gzip")
        file["group"].attrs["text"] = "words"
    program = (
        "import sys, runpy, h5py\n"
        "seen = []\n"
        "for cls, name in ((h5py.AttributeManager, '__getitem__'), (h5py.Dataset, '__getitem__')):\n"
        "    old = getattr(cls, name)\n"
        "    setattr(cls, name, lambda self, key, old=old, cls=cls: (seen.append(cls.__name__), old(self, key))[1])\n"
        f"sys.argv = ['walk', {str(path)!r}]\n"
        f"runpy.run_path({str(hdf5_file.WALK)!r}, run_name='__main__')\n"
        "print(*sorted(set(seen)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["AttributeManager", "Dataset"]


def test_data_set_that_promises_more_than_the_file_holds(tmp_path):
    """A few bytes can ask for any amount of memory: chunks that are not there are read as zeros."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("catalogue", shape=(1 << 40,), chunks=(1000,), dtype=[("ra", float)])
        file.create_dataset("zeros", data=np.zeros(1_000_000), compression="gzip")
    with pytest.raises(InputError, match="/catalogue promises 8796093022208 bytes"):
        parse_hdf5(path)
    with open_hdf5(path) as file:
        assert not read_all(file["zeros"]).any()
