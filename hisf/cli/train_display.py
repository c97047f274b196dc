"""What the user sees of a training: bars on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hisf.train.loop import State

PATIENCE = 30.0  # seconds between lines of one stage in a log


class TrainDisplay:
    """Shows stages, losses and scores; a `hisf.train.recipe.Display`."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._terminal = sys.stdout.isatty()
        columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(highlight=False), disable=not self._terminal)

    def __enter__(self) -> TrainDisplay:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a stage; the value is told what was done."""
        task = self._bar.add_task(name, total=total)
        done, spoken = 0, time.monotonic()
        self._say(f"{name} ({total})", logged=True)

        def advance(n: int) -> None:
            nonlocal done, spoken
            done += n
            self._bar.update(task, advance=n)
            if time.monotonic() - spoken > PATIENCE:
                spoken = time.monotonic()
                self._say(f"  {name} {done}/{total}", logged=True)

        yield advance

    def state(self, name: str, state: State) -> None:
        """Show losses and score."""
        losses = ", ".join(f"{key} {value:.4f}" for key, value in state.losses.items()) or "before the first step"
        best = " (best)" if state.score >= state.best else ""
        self._say(f"  {name} {state.step}/{state.steps}: {losses}; score {state.score:.4f}{best}")

    def _say(self, text: str, logged: bool = False) -> None:
        """Print a line; one that is ``logged`` only where there is no bar."""
        if not self._terminal:
            click.echo(text)
        elif not logged:
            self._bar.console.print(text, markup=False)
