"""Trials in processes of their own, which can be ended when a trial takes too long; what they know dies with them."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from hisf.errors import FileAccessError, HisfError, OutOfMemoryError
from hisf.inject.step import MockPlugin
from hisf.plugins import PluginManager
from hisf.settings import COMMAND_LINE, Settings, load_settings
from hisf.tune.bench import Bench
from hisf.tune.objective import load_objective, shares
from hisf.tune.record import Trial
from hisf.tune.space import parse_dimension
from hisf.tune.truth import Injection, Truth, read_truth

UNDETERMINED = 1  # exit code of a run whose reliability cannot be determined


@dataclass(frozen=True)
class Task:
    """All that a process has to know.

    Attributes
    ----------
    arguments : tuple of str
        Parameter files and settings of the user.
    changes : mapping of str to str
        What tuning sets besides: no products, physical units.
    vary : tuple of str
    truth : Path
    injection : Injection or None
        The mocks of which ``truth`` speaks.
    objective : str
    """

    arguments: tuple[str, ...]
    changes: Mapping[str, str]
    vary: tuple[str, ...]
    truth: Path
    injection: Injection | None
    objective: str


class Question(NamedTuple):
    """A trial to be made."""

    number: int
    values: dict[str, str]
    alpha: float | None


class Trier:
    """Makes trials in this process.

    Parameters
    ----------
    task : Task

    Raises
    ------
    HisfError
        Anything in it cannot be read.
    """

    def __init__(self, task: Task) -> None:
        manager = PluginManager()
        settings = load_settings(task.arguments, manager.parameters())
        self._settings = changed(settings, task.changes)
        self._truth: Truth = read_truth(task.truth)
        if task.injection:
            mocks, _ = task.injection.draw(self._settings)
            self._truth = replace(self._truth, real=task.injection.real)
            manager.register(MockPlugin(mocks, flip=False), "inject", "hisf tune")
        self._objective = load_objective(task.objective)
        self._bench = Bench(manager, [parse_dimension(text, settings.parameters) for text in task.vary])

    def __call__(self, question: Question, when_searched: Callable[[], None] = lambda: None) -> Trial:
        """Make one trial.

        Raises
        ------
        HisfError
            It fails.
        """
        catalogue = self._bench.run(changed(self._settings, question.values), when_searched)
        card = self._truth.score(catalogue)
        reliability, completeness = shares(card)
        return Trial(
            *question, "", self._objective(card), completeness, reliability,
            card.sdc2.score if card.sdc2 else None,
            card.curve.average_precision if card.curve else None,
            len(card.catalogue), sorted(card.match.truths.tolist()),
            {error.name: error.median_absolute for error in card.errors},
        )  # fmt: skip


def changed(settings: Settings, values: Mapping[str, str]) -> Settings:
    """Return the settings with other texts."""
    for name, text in values.items():
        settings = settings.replace(name, text, COMMAND_LINE)
    return settings


def serve(connection: Connection, task: Task) -> None:
    """Answer questions until the other end is closed.

    For every question there are two messages: when the search is over, the time; then the trial and its seconds since.
    An error takes the place of either.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, too, and ends this process
    logging.getLogger("hisf").setLevel(logging.CRITICAL)
    trier: Trier | None = None
    while True:
        try:
            question: Question = connection.recv()
        except EOFError:
            return
        began = [time.monotonic()]

        def searched(began: list[float] = began) -> None:
            began[0] = time.monotonic()
            connection.send(began[0])

        try:
            trier = trier or Trier(task)
            trial = trier(question, searched)
            connection.send((trial, time.monotonic() - began[0]))
        except MemoryError:
            connection.send(OutOfMemoryError("out of memory"))
        except HisfError as error:
            connection.send(error)
        except Exception as error:  # noqa: BLE001 - a trial that fails is no reason to stop
            connection.send(HisfError(f"internal error, {type(error).__name__}: {error}"))


class _Hand:
    """One process."""

    def __init__(self, task: Task, limit: float | None) -> None:
        self._task, self._limit = task, limit
        self._process: BaseProcess | None = None
        self._connection: Connection

    def ask(self, question: Question) -> None:
        """Send a question to the process, which is started where there is none."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs, self._task), daemon=True)
            self._process.start()
            theirs.close()
        self._connection.send(question)

    def answer(self, question: Question) -> Trial:
        """Return the trial, or why there is none.

        Raises
        ------
        HisfError
            The user's own setting fails, or a file is out of reach.
        """
        try:
            message = self._connection.recv()
            if isinstance(message, float):
                left = None if self._limit is None else max(0.0, message + self._limit - time.monotonic())
                if not self._connection.poll(left):
                    self.end()
                    return self._late(question)
                message = self._connection.recv()
        except (EOFError, OSError):
            self.end()
            message = HisfError("its process was lost, perhaps for want of memory")
        if isinstance(message, HisfError):
            bearable = question.number > 0 or message.exit_code == UNDETERMINED
            if isinstance(message, FileAccessError) or not bearable:
                raise message
            return Trial(*question, str(message))
        trial, seconds = message
        return self._late(question) if self._limit is not None and seconds > self._limit else trial

    def _late(self, question: Question) -> Trial:
        return Trial(*question, f"over the time limit of {self._limit:g} s")

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


class Hands:
    """Processes that make trials side by side.

    Parameters
    ----------
    task : Task
    number : int
        Of processes.
    limit : float or None
        Seconds of a trial behind its search, which many trials have in common.
    """

    def __init__(self, task: Task, number: int, limit: float | None) -> None:
        self._hands = [_Hand(task, limit) for _ in range(number)]

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hand in self._hands:
            hand.end()

    def answers(self, questions: Sequence[Question]) -> Iterator[Trial]:
        """Yield one trial for each question, in their order; there may not be more of them than processes."""
        pairs = list(zip(self._hands, questions, strict=False))
        for hand, question in pairs:
            hand.ask(question)
        for hand, question in pairs:
            yield hand.answer(question)
