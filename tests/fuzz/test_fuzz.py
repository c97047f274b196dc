"""The targets of `fuzz.py` without coverage guidance: pieces of good files cut, moved, repeated and overwritten."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from targets import TARGETS, TEXT, read, seeds

WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"0",
    b"",
    b" ",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"=",
    b"#",
    b"'",
    b"9" * 400,
    b"<",
]


@st.composite
def mutated(draw, kind):
    """A good file with a few pieces of it exchanged."""
    content = draw(st.sampled_from(seeds(kind)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 2, 8, 80, 512, 1 << 20])))
        piece = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8), st.just(content[start:stop])))
        content = content[:start] + piece * draw(st.sampled_from([1, 2])) + content[stop:]
    return content


@pytest.mark.parametrize("kind", TARGETS)
def test_good_files_are_read(kind):
    assert all(read(kind, seed) for seed in seeds(kind))


@pytest.mark.parametrize("kind", TARGETS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(kind, data):
    read(kind, data.draw(mutated(kind)))


@pytest.mark.parametrize("kind", TEXT)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.text())
def test_any_text_is_read_or_refused(kind, content):
    read(kind, content.encode(errors="replace"))
