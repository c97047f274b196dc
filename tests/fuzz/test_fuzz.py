"""The targets of `fuzz.py` without coverage guidance: pieces of good files cut, moved, repeated and overwritten.

HDF5 files are cut off, or one of the things in them is exchanged: libhdf5 itself does not survive every damage.
"""

import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS, TEXT, read, seeds

from hisf.data.hdf5_voxels import SIGNATURE

thoroughly = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
WORDS = [b"nan", b"inf", b"-1", b"1e999", b"0", b"", b" ", b"\n", b"\0", b"\xff\xfe", b"=", b"#", b"'", b"9" * 400]
THINGS = ["", "text", b"\xff", 0, -1, 1 << 62, 1e300, np.nan, [], [0], [-5, 3], [[1, 2], [3, 4]], np.zeros((2, 0, 3))]
HDF5 = [kind for kind in TARGETS if any(seed.startswith(SIGNATURE) for seed in seeds(kind))]


@st.composite
def mutated(draw, kind):
    """A good file with a few pieces of it exchanged."""
    content = draw(st.sampled_from(seeds(kind)))
    if content.startswith(SIGNATURE):
        return content[: draw(st.integers(0, len(content)))]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 2, 8, 80, 512, 1 << 20])))
        piece = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8), st.just(content[start:stop])))
        content = content[:start] + piece * draw(st.sampled_from([1, 2])) + content[stop:]
    return content


@st.composite
def exchanged(draw, kind):
    """A good HDF5 file in which a data set, a group or an attribute is another, or gone."""
    content = draw(st.sampled_from([seed for seed in seeds(kind) if seed.startswith(SIGNATURE)]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            places = [(file, name) for name in _names(file)]
            places += [(item.attrs, key) for item in (file, *map(file.get, _names(file))) for key in item.attrs]
            holder, name = draw(st.sampled_from(places))
            del holder[name]
            if draw(st.booleans()):
                holder[name] = draw(st.sampled_from(THINGS))
        return path.read_bytes()


def _names(file):
    names = []
    file.visit(names.append)
    return names


@pytest.mark.parametrize("kind", TARGETS)
def test_good_files_are_read(kind):
    assert all(read(kind, seed) for seed in seeds(kind))


@pytest.mark.parametrize("kind", TARGETS)
@thoroughly
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(kind, data):
    read(kind, data.draw(mutated(kind)))


@pytest.mark.parametrize("kind", HDF5)
@thoroughly
@given(data=st.data())
def test_an_hdf5_file_with_something_else_in_it_is_read_or_refused(kind, data):
    read(kind, data.draw(exchanged(kind)))


@pytest.mark.parametrize("kind", TEXT)
@thoroughly
@given(content=st.text())
def test_any_text_is_read_or_refused(kind, content):
    read(kind, content.encode(errors="replace"))
