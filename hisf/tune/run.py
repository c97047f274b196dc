"""The tuning: trial after trial, until there are enough."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.errors import HisfError, NothingFoundError
from hisf.execution.fingerprint import fingerprint
from hisf.inject.experiment import boxes_of, without_products
from hisf.pipeline import run
from hisf.plugins import PluginManager
from hisf.settings import Settings
from hisf.simulate.truth import write_text
from hisf.stages.products.writing import write_file
from hisf.tune.objective import ALPHA, balance
from hisf.tune.propose import propose
from hisf.tune.record import Header, Record, Trial
from hisf.tune.space import Dimension
from hisf.tune.truth import Injection, Truth, read_truth
from hisf.tune.worker import UNDETERMINED, Hands, Question, Task, changed

FORCED = {"parameter.enable": "true", "parameter.wcs": "true", "parameter.physical": "true", "pipeline.workers": "0"}


@dataclass(frozen=True, eq=False)
class Plan:
    """A tuning that is about to begin.

    Attributes
    ----------
    settings : Settings
        Of the user.
    task : Task
    truth : Truth
    dimensions : list of Dimension
    seed, parallel : int
    time_limit : float or None
        Seconds.
    """

    settings: Settings
    task: Task
    truth: Truth
    dimensions: list[Dimension]
    seed: int
    parallel: int
    time_limit: float | None

    @property
    def header(self) -> Header:
        """The first line of the record."""
        flux = [float(f) if np.isfinite(f) else None for f in self.truth.flux]
        prints = fingerprint(self.settings, ())
        depends = {
            name: text
            for name, text in prints.items()
            if name not in self.settings or (self.settings.is_set(name) and not name.startswith("output."))
        }
        depends["the truth"] = _content(self.task.truth)
        file = Path(self.task.objective.rpartition(":")[0])
        if file.suffix == ".py":
            depends["the content of the objective"] = _content(file)
        return Header(
            self.task.objective, self.seed, self.parallel, self.time_limit, list(self.task.vary), depends, flux
        )


def make_plan(
    arguments: Sequence[str], settings: Settings, dimensions: Sequence[Dimension], truth: Path, inject: int,
    objective: str, seed: int, parallel: int, time_limit: float | None,
) -> Plan:  # fmt: skip
    """Make everything ready.

    Parameters
    ----------
    arguments : sequence of str
        Parameter files and settings of the user, of which ``settings`` are made.
    settings : Settings
    dimensions : sequence of Dimension
        What is varied.
    truth : Path
        The truth; written here where mocks are injected.
    inject : int
        Number of mocks; 0 for none.
    objective : str
    seed, parallel : int
    time_limit : float or None
        Seconds.

    Raises
    ------
    HisfError
        The truth or the cube is of no use.
    """
    with tempfile.TemporaryDirectory(prefix="hisf-") as folder:
        quiet = without_products(settings, folder)
    quiet = changed(quiet, FORCED)
    if parallel > 1 and not settings["pipeline.threads"]:
        from hisf.execution.machine import set_threads

        quiet = changed(quiet, {"pipeline.threads": str(max(1, set_threads(0) // parallel))})
    changes = {name: quiet.text(name) for name in quiet if quiet.text(name) != settings.text(name)}
    changes["output.directory"] = tempfile.gettempdir()
    injection = _inject(changed(settings, changes), inject, seed, truth) if inject else None
    vary = tuple(dimension.spelled() for dimension in dimensions)
    task = Task(tuple(arguments), changes, vary, truth, injection, objective)
    return Plan(settings, task, read_truth(truth), list(dimensions), seed, parallel, time_limit)


def _inject(settings: Settings, number: int, seed: int, path: Path) -> Injection:
    """Look what is in the cube already, and write the truth about the mocks."""
    try:
        real = boxes_of(run(settings, PluginManager()))
    except NothingFoundError:
        real = []
    except HisfError as error:
        if error.exit_code != UNDETERMINED:
            raise
        real = []
    injection = Injection(number, seed, real)
    _, table = injection.draw(settings)
    write_file(path, lambda beside: write_text(beside, table))
    return injection


def tune(plan: Plan, record: Record, trials: int, advance: Callable[[Trial], None] = lambda trial: None) -> None:
    """Make trials until the record has so many besides the user's own setting, which comes first.

    Trials that are made side by side are proposed from the same earlier ones, whichever of them is ready first, so that
    the record depends on nothing but the plan.

    Parameters
    ----------
    plan : Plan
    record : Record
        Added to.
    trials : int
    advance : callable
        Called after every trial.

    Raises
    ------
    HisfError
        The user's own setting fails; no record is left then.
    """
    try:
        _tune(plan, record, trials, advance)
    finally:
        if not record.trials:
            record.path.unlink(missing_ok=True)


def _tune(plan: Plan, record: Record, trials: int, advance: Callable[[Trial], None]) -> None:
    start = {dimension.name: plan.settings.text(dimension.name) for dimension in plan.dimensions}
    with Hands(plan.task, plan.parallel, plan.time_limit) as hands:
        while len(record.trials) <= trials:
            done = len(record.trials)
            known = 1 + (done - 1) // plan.parallel * plan.parallel if done else 0
            end = min(trials + 1, known + plan.parallel) if done else 1
            questions = []
            for number in range(done, end):
                alpha = _alpha(plan.seed, number) if plan.task.objective == ALPHA else None
                tried = [(trial.values, worth(trial, alpha)) for trial in record.trials[:known]]
                values = propose(plan.dimensions, tried, number, plan.seed) if number else start
                questions.append(Question(number, values, alpha))
            for trial in hands.answers(questions):
                record.add(trial)
                advance(trial)


def worth(trial: Trial, alpha: float | None = None) -> float | None:
    """Return what a trial is worth: its score, or its `balance` with a new α; None where it failed."""
    if alpha is None or trial.reliability is None or trial.completeness is None:
        return trial.score
    return balance(alpha, trial.reliability, trial.completeness)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial of the largest score, the first of equal ones; None where all failed."""
    good = [trial for trial in trials if trial.score is not None]
    return max(good, key=lambda trial: (trial.score, -trial.number), default=None)


def _alpha(seed: int, number: int) -> float:
    """Return the weight of the reliability in the proposal of a trial (Håkansson et al. 2023, §2.3)."""
    return round(float(np.random.default_rng([seed, number, 1]).uniform()), 6)


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "not there"
