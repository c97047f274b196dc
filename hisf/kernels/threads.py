"""Sharing the work of a compiled function among threads.

A function that releases the interpreter is called by every thread for its part of the work. numba's own ``prange`` does
the same, but what stands in such a loop takes three times as long to compile, and the first run waits for it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from numba import njit

from hisf.execution.machine import processors, threads

# options of functions that only compiled ones call: there is less to compile
INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_pools: list[ThreadPoolExecutor] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads do not come along


def shared(**options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Compile ``function(first, last, *arguments)`` into ``function(count, *arguments)``, which calls it for parts.

    The parts make up ``range(count)``, one for each of `hisf.execution.machine.threads`, the first in the calling
    thread; they run at the same time and must not touch what another one writes.

    Parameters
    ----------
    options
        Of `numba.njit`, besides ``cache`` and ``nogil``.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        part = njit(cache=True, nogil=True, **options)(function)

        @functools.wraps(function)
        def run(count: int, *arguments: Any) -> None:
            parts = min(threads(), count)
            if parts < 2:
                part(0, count, *arguments)
                return
            if not _pools:
                _pools.append(ThreadPoolExecutor(processors(), thread_name_prefix="kernel"))
            edges = [k * count // parts for k in range(parts + 1)]
            others: list[Future[None]] = []
            try:
                for k in range(1, parts):
                    others.append(_pools[0].submit(part, edges[k], edges[k + 1], *arguments))
                part(0, edges[1], *arguments)
            finally:
                wait(others)
            for other in others:
                other.result()

        return run

    return decorate
