"""Sharing work among threads."""

import os
import threading

import numpy as np
import pytest

from hisf.kernels import threads
from hisf.kernels.threads import shared


@shared()
def _note(first, last, calls, values):
    """Note who did what; a value below 0 cannot be done."""
    for n in range(first, last):
        if values[n] < 0:
            raise ValueError("below 0")
        calls[n] = first + 1


@shared()
def _wait(first, last, flags):
    """Wait for the other part."""
    flags[first] = 1
    other = len(flags) - 1 - first
    for _ in range(2_000_000_000):
        if flags[other]:
            break
    flags[first] = 2


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_every_piece_is_done_once_by_a_part_of_its_own(count, number, monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: number)
    calls = np.zeros(count, np.int64)
    _note(count, calls, np.ones(count))
    firsts, lengths = np.unique(calls, return_counts=True)
    assert (calls > 0).all()
    assert len(firsts) == min(count, number)
    assert (np.diff(calls) >= 0).all()
    assert not count or lengths.max() - lengths.min() <= 1


def test_parts_run_at_the_same_time(monkeypatch):
    """Each waits for the other, so that one after the other would never end."""
    monkeypatch.setattr(threads, "threads", lambda: 2)
    monkeypatch.setattr(threads, "processors", lambda: 2)
    monkeypatch.setattr(threads, "_pools", [])
    flags = np.zeros(2, np.int64)
    _wait(2, flags)
    assert flags.tolist() == [2, 2]


@pytest.mark.parametrize("bad", [0, 9])
def test_an_error_of_any_part_is_the_caller_s(bad, monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    values = np.ones(10)
    values[bad] = -1
    with pytest.raises(ValueError, match="below 0"):
        _note(10, np.zeros(10, np.int64), values)
    calls = np.zeros(10, np.int64)
    _note(10, calls, np.ones(10))  # and the threads are still there
    assert set(calls) == {1, 6}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    _note(4, np.zeros(4, np.int64), np.ones(4))
    child = os.fork()
    if not child:
        calls = np.zeros(4, np.int64)
        worker = threading.Thread(target=_note, args=(4, calls, np.ones(4)), daemon=True)
        worker.start()
        worker.join(20)
        os._exit(0 if (calls > 0).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
