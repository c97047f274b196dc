"""Progress of a run, told to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Observer(Protocol):
    """Who is told: the plugin manager, which passes it on to every plugin that watches."""

    def start_stage(self, stage: str, total: int, unit: str) -> None:
        """Begin."""
        ...

    def advance_stage(self, stage: str, done: int, total: int) -> None:
        """Go on."""
        ...

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """End."""
        ...


class Progress:
    """Counts and times the stages of a run.

    Parameters
    ----------
    observer : Observer

    Attributes
    ----------
    timings : list of dict
        One entry per finished stage: ``stage``, ``seconds``, ``done``, ``unit``.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.timings: list[dict[str, object]] = []

    @contextmanager
    def stage(self, name: str, total: int, unit: str = "voxel") -> Iterator[Callable[[int], None]]:
        """Run a stage; the value is the function to call with what was done since the last call."""
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += int(n)
            self._observer.advance_stage(name, done, total)

        start = time.perf_counter()
        self._observer.start_stage(name, total, unit)
        yield advance
        seconds = time.perf_counter() - start
        self.timings.append({"stage": name, "seconds": round(seconds, 4), "done": done, "unit": unit})
        self._observer.finish_stage(name, done, seconds, unit)
