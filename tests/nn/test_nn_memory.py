"""Memory that is kept for networks is given back, also after a failure."""

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
    monkeypatch.setattr(memory, "_lent", {})
    first = memory.borrow("one", (1, 16, 4, 6, 5))
    assert first.shape == (1, 16, 4, 6, 5) and first.dtype == torch.float32
    assert first.is_contiguous(memory_format=torch.channels_last_3d)
    first.fill_(1)
    smaller = memory.borrow("one", (1, 8, 4, 6, 5))
    assert smaller.data_ptr() == first.data_ptr() and bool((smaller == 1).all())
    other = memory.borrow("other", (1, 8, 4, 6, 5)).fill_(2)
    assert other.data_ptr() != first.data_ptr() and bool((first == 1).all())
    assert memory.borrow("one", (2, 16, 4, 6, 5)).shape == (2, 16, 4, 6, 5)
    assert {name: len(kept) for name, kept in memory._lent.items()} == {"one": 3840, "other": 960}
