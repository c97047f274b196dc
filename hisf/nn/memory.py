"""Memory of networks on the processor: kept between layers and patches instead of being returned and fetched anew.

A layer allocates megabytes, which glibc fetches from the system and gives back each time; a fifth of the time of a
network then goes into clearing pages. Inside `reuse_memory` what is smaller than `LARGE` is kept. Larger pieces are
not: the holes that they leave are filled with small ones, and the process grows by twice what the network needs. Those
that every patch takes anew are borrowed (`borrow`).
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# parameters of mallopt and their default (glibc malloc.h)
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
DEFAULT_THRESHOLD = 128 * 1024
LARGE = 1 << 25  # bytes; the most that glibc allows

_lent = threading.local()  # its attributes are the arrays by purpose: a worker may compute tiles in several threads


def borrow(purpose: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return an array for a purpose; it is overwritten by what asks for the same purpose next, in the same thread.

    The largest one of every purpose is kept to the end of the thread.

    Parameters
    ----------
    purpose : str
    shape : tuple of int
        (n, channels, z, y, x).

    Returns
    -------
    Tensor of float32
        Channels last; with anything in it.
    """
    size = math.prod(shape)
    lent = _lent.__dict__
    if purpose not in lent or len(lent[purpose]) < size:
        lent.pop(purpose, None)  # which goes before the larger one comes
        with torch.inference_mode(False):  # so that it may be written to outside that mode, too
            lent[purpose] = torch.empty(size)
    n, c, z, y, x = shape
    return lent[purpose][:size].view(n, z, y, x, c).permute(0, 4, 1, 2, 3)


@contextmanager
def reuse_memory() -> Iterator[None]:
    """Keep small pieces of freed memory for what comes next, until the end. Does nothing without glibc."""
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(MMAP_THRESHOLD, LARGE)
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(MMAP_THRESHOLD, DEFAULT_THRESHOLD)
        libc.mallopt(TRIM_THRESHOLD, DEFAULT_THRESHOLD)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
