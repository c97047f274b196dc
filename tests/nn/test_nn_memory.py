"""Memory that is kept for networks is given back, also after a failure."""

import threading

import pytest
import torch

from hisf.nn import memory


class Libc:
    """Writes down what is set."""

    def __init__(self):
        self.calls = []

    def mallopt(self, parameter, value):
        self.calls.append((parameter, value))

    def malloc_trim(self, pad):
        self.calls.append(("trim", pad))


def test_defaults_come_back_after_a_failure(monkeypatch):
    libc = Libc()
    monkeypatch.setattr(memory, "_glibc", lambda: libc)
    with pytest.raises(ZeroDivisionError), memory.reuse_memory():
        assert dict(libc.calls)[memory.MMAP_THRESHOLD] == memory.LARGE
        raise ZeroDivisionError
    last = dict(libc.calls)
    assert last[memory.TRIM_THRESHOLD] == last[memory.MMAP_THRESHOLD] == memory.DEFAULT_THRESHOLD
    assert libc.calls[-1] == ("trim", 0)


def test_nothing_is_done_without_glibc(monkeypatch):
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory.reuse_memory():
        pass


def test_what_is_borrowed_for_a_purpose_is_the_same_memory(monkeypatch):
    monkeypatch.setattr(memory, "_lent", threading.local())
    first = memory.borrow("one", (1, 16, 4, 6, 5))
    assert first.shape == (1, 16, 4, 6, 5) and first.dtype == torch.float32
    assert first.is_contiguous(memory_format=torch.channels_last_3d)
    first.fill_(1)
    smaller = memory.borrow("one", (1, 8, 4, 6, 5))
    assert smaller.data_ptr() == first.data_ptr() and bool((smaller == 1).all())
    other = memory.borrow("other", (1, 8, 4, 6, 5)).fill_(2)
    assert other.data_ptr() != first.data_ptr() and bool((first == 1).all())
    assert memory.borrow("one", (2, 16, 4, 6, 5)).shape == (2, 16, 4, 6, 5)
    assert {name: len(kept) for name, kept in vars(memory._lent).items()} == {"one": 3840, "other": 960}


def test_threads_do_not_share_what_they_borrowed(monkeypatch):
    monkeypatch.setattr(memory, "_lent", threading.local())
    mine = memory.borrow("one", (1, 4, 2, 2, 2)).fill_(1)
    places = []

    def other():
        places.append(memory.borrow("one", (1, 4, 2, 2, 2)).fill_(2).data_ptr())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert places != [mine.data_ptr()] and bool((mine == 1).all())


def test_what_was_borrowed_in_inference_may_be_written_to_elsewhere(monkeypatch):
    monkeypatch.setattr(memory, "_lent", threading.local())
    one = torch.ones(1, 4, 2, 2, 2)
    with torch.inference_mode():
        torch.add(one, 1, out=memory.borrow("one", (1, 4, 2, 2, 2)))
    with torch.no_grad():
        again = memory.borrow("one", (1, 4, 2, 2, 2))
        assert bool((again == 2).all())
        torch.add(one, 2, out=again)
    assert bool((again == 3).all())
