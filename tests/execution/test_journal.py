"""What survives a kill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.errors import FileAccessError, InputError
from hisf.execution.fingerprint import fingerprint
from hisf.execution.journal import Journal
from hisf.settings import load_settings
from hisf.stages.finders.scfind import SmoothAndClip

FINGERPRINT = {"hisf": "1", "scfind.threshold": "5.0"}


def test_entries_are_found_again(tmp_path):
    entries = {
        "scfind tile 0:3": np.array([4, 5, 6, 900, 1 << 40], np.int64),
        "none": np.empty(0, np.int64),
        "not ascending": np.array([5, 3], np.int64),
        "below zero": np.array([-5, 3], np.int64),
        "short": np.array([1, 2], np.int32),
        "noise": np.array(1.25e-4),
        "planes": np.random.default_rng(1).normal(size=(3, 4)),
    }
    journal = Journal(tmp_path / "x_journal", FINGERPRINT, resume=False)
    for name, values in entries.items():
        journal.keep(name, values)
    again = Journal(tmp_path / "x_journal", FINGERPRINT, resume=True)
    for name, values in entries.items():
        found = again.recall(name)
        assert found.dtype == values.dtype
        assert np.array_equal(found, values)
    assert again.recall("scfind tile 0:4") is None


@given(st.lists(st.integers(0, 1 << 45), max_size=30))
def test_ascending_indices_come_back(tmp_path_factory, values):
    array = np.array(sorted(values), np.int64)
    journal = Journal(tmp_path_factory.mktemp("j") / "journal", FINGERPRINT, resume=False)
    journal.keep("tile", array)
    assert np.array_equal(journal.recall("tile"), array)


def test_remember_computes_once(tmp_path):
    journal, calls = Journal(tmp_path / "j", FINGERPRINT, resume=False), []

    def compute():
        calls.append(1)
        return np.array([1.5, 2.5])

    for _ in range(2):
        assert journal.remember("noise", compute).tolist() == [1.5, 2.5]
    assert len(calls) == 1


def test_names_that_differ_in_signs_alone_are_apart(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT, resume=False)
    journal.keep("kernel 0 × 3", np.array([1]))
    journal.keep("kernel 0 - 3", np.array([2]))
    assert journal.recall("kernel 0 × 3").tolist() == [1]


def test_without_resume_the_journal_begins_anew(tmp_path):
    Journal(tmp_path / "j", FINGERPRINT, resume=False).keep("tile", np.array([1]))
    assert Journal(tmp_path / "j", FINGERPRINT, resume=False).recall("tile") is None


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        ({"hisf": "1", "scfind.threshold": "4.0"}, "scfind.threshold was 5.0 and is 4.0"),
        ({"hisf": "1"}, "scfind.threshold was 5.0 and is not there"),
        ({"hisf": "2", "scfind.threshold": "5.0", "more": "1"}, "hisf was 1 and is 2, and 1 more changed"),
    ],
)
def test_a_changed_run_is_not_resumed(tmp_path, now, sentence):
    Journal(tmp_path / "j", FINGERPRINT, resume=False).keep("tile", np.array([1]))
    with pytest.raises(InputError, match=sentence):
        Journal(tmp_path / "j", now, resume=True)
    assert Journal(tmp_path / "j", FINGERPRINT, resume=True).recall("tile").tolist() == [1]


def test_leftovers_of_a_killed_write_are_no_entries(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT, resume=False)
    journal.keep("tile", np.array([1]))
    whole = next((tmp_path / "j").glob("tile*.npz"))
    whole.rename(whole.with_name(whole.name + ".17.part"))
    assert Journal(tmp_path / "j", FINGERPRINT, resume=True).recall("tile") is None


def test_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    journal = Journal(tmp_path / "file" / "j", FINGERPRINT, resume=False)
    with pytest.raises(FileAccessError, match="journal"):
        journal.keep("tile", np.array([1]))


def test_fingerprint_sees_the_content_of_files_and_no_threads(tmp_path):
    cube, flags = tmp_path / "cube.fits", tmp_path / "flags.txt"
    cube.write_bytes(b"one"), flags.write_text("1")
    given_ = [f"input.data={cube}", f"flag.catalog={flags}"]
    before = fingerprint(load_settings(given_), [SmoothAndClip])
    assert fingerprint(load_settings([*given_, "pipeline.threads=7", "pipeline.tile=1,2,3"]), [SmoothAndClip]) == before
    for change, key in (
        (lambda: cube.write_bytes(b"two"), "the content of input.data"),
        (lambda: flags.write_text("2"), "the content of flag.catalog"),
    ):
        change()
        after = fingerprint(load_settings(given_), [SmoothAndClip])
        assert {name for name in after if after[name] != before[name]} == {key}
        before = after
    other = fingerprint(load_settings([*given_, "scfind.threshold=4"]), [])
    assert {n for n in before | other if before.get(n) != other.get(n)} == {
        "scfind.threshold",
        "the plugin hisf.stages.finders.scfind.SmoothAndClip",
    }
