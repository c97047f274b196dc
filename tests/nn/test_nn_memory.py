"""Memory that is kept for networks is given back, also after a failure."""

import pytest

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
