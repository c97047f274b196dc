"""``hisf tune``: better parameters, given the truth."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hisf.cli.settings import load, what_is_ignored
from hisf.cli.tables import plain_console, print_table
from hisf.errors import HisfError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from hisf.plugins import PluginManager
    from hisf.settings import Settings
    from hisf.tune.record import Record, Trial
    from hisf.tune.space import Dimension

ROWS = 12  # of the trade-off curve that are printed


@click.command("tune", short_help="Find better parameters, given the truth.")
@click.argument("arguments", nargs=-1, metavar="PAR [KEY=VALUE]...")
@click.option("--truth", type=click.Path(path_type=Path), metavar="FILE", help="Catalogue of what is in the cube.")
@click.option("--inject", type=click.IntRange(min=1), metavar="N", help="Make a truth: N mock galaxies in the cube.")
@click.option(
    "--vary", multiple=True, metavar="RANGE",
    help="NAME=LOW..HIGH, NAME=LOW..HIGH:STEP, NAME=TEXT|TEXT, or a file of such lines; as often as you like.",
)  # fmt: skip
@click.option(
    "--objective", default="sdc2", show_default=True, metavar="WHAT",
    help="sdc2, alpha, ap, or a function of the scorecard as module:function or file.py:function.",
)  # fmt: skip
@click.option("--trials", type=click.IntRange(min=1), default=50, show_default=True, help="Number of trials.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of everything random.")
@click.option(
    "--time-limit", type=float, default=300.0, show_default=True, metavar="S",
    help="Seconds after which a trial has failed, from linking on.",
)  # fmt: skip
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Trials side by side.")
@click.option("--resume", is_flag=True, help="Go on where the same tuning was interrupted, or with more trials.")
@click.option("--analyse", type=click.Path(path_type=Path), metavar="RECORD", help="Only analyse a record again.")
def command(
    arguments: tuple[str, ...], truth: Path | None, inject: int | None, vary: tuple[str, ...], objective: str,
    trials: int, seed: int, time_limit: float, parallel: int, resume: bool, analyse: Path | None,
) -> None:  # fmt: skip
    """Vary parameters of a par file until its catalogue is as good as can be.

    The search is computed once and its scores are kept, so that a trial repeats only what it changes. Trials are chosen
    by hyperopt's TPE and recorded in NAME_tune.jsonl, one line each. In the end there are NAME_tuned.par, to run, and
    tables and figures of what completeness costs in reliability.
    """
    if analyse:
        if arguments or truth or inject or resume or vary:
            raise click.UsageError("--analyse takes a record and nothing else.")
        _analyse(analyse)
        return
    if not arguments:
        raise click.UsageError("Name a par file to start from.")
    if (truth is None) == (inject is None):
        raise click.UsageError("Give either --truth FILE or --inject N.")
    if not (time_limit > 0 and math.isfinite(time_limit)):
        raise click.UsageError(f"--time-limit {time_limit:g}: a number of seconds above 0 is needed.")
    _tune(arguments, truth, inject or 0, vary, objective, trials, seed, time_limit, parallel, resume)


def _tune(
    arguments: tuple[str, ...], truth: Path | None, inject: int, vary: Sequence[str], objective: str, trials: int,
    seed: int, time_limit: float, parallel: int, resume: bool,
) -> None:  # fmt: skip
    from hisf.settings import validate
    from hisf.stages.products.names import product_base
    from hisf.stages.products.writing import check_places, write_file
    from hisf.tune.objective import load_objective
    from hisf.tune.record import Record
    from hisf.tune.results import tuned_par, write_analysis
    from hisf.tune.run import best_of, make_plan, tune

    settings, manager = load(arguments)
    for note in (*settings.notes, *what_is_ignored(settings)):
        click.echo(f"WARNING: {note}", err=True)
    validate(settings)
    dimensions = _dimensions(vary, settings, manager)
    load_objective(objective)
    base = product_base(settings)
    place, par = (base.with_name(base.name + ending) for ending in ("_tune.jsonl", "_tuned.par"))
    made = base.with_name(base.name + "_tune_truth.txt")
    check_places([place, par, *[made] * bool(inject)], resume or settings["output.overwrite"])
    truth = truth or made
    plan = make_plan(arguments, settings, dimensions, truth, inject, objective, seed, parallel, time_limit)
    record = Record.resume(place, plan.header) if resume else Record.begin(place, plan.header)
    console = plain_console()
    if inject:
        console.print(f"{len(plan.truth.table)} of {inject} mock galaxies have room in {settings['input.data']}.")
    console.print("Varied: " + ", ".join(dimension.spelled() for dimension in dimensions), soft_wrap=True)
    tune(plan, record, trials, lambda trial: _tell(console, trial, record))
    best = best_of(record.trials)
    if best is None:
        raise HisfError(f"Every trial failed; {place} says why. The first: {record.trials[0].error}.")
    write_file(par, lambda path: path.write_text(tuned_par(arguments, settings, record, best), encoding="utf-8"))
    paths = write_analysis(record, place.with_suffix(""))
    _summarise(console, record, best)
    for path in (par, place, *([truth] if inject else ()), *paths):
        console.print(f"  {path}", soft_wrap=True)


def _dimensions(vary: Sequence[str], settings: Settings, manager: PluginManager) -> list[Dimension]:
    """Return what is varied: what the user says, or what is usual."""
    from hisf.pipeline import choose_stages
    from hisf.tune.space import dimensions_of, read_dimensions, usual

    stages = choose_stages(settings, manager)
    if not vary:
        appraisal = stages.appraisal.name if stages.appraisal else "none"
        return dimensions_of(usual(settings, [cls.name for cls in stages.finders], appraisal), settings)
    texts = [line for word in vary for line in ([word] if "=" in word else read_dimensions(Path(word)))]
    if not texts:
        raise InputError(f"--vary {vary[0]}: the file names no parameter.")
    return dimensions_of(texts, settings)


def _analyse(path: Path) -> None:
    from hisf.tune.record import read_record
    from hisf.tune.results import write_analysis
    from hisf.tune.run import best_of

    record = read_record(path)
    best = best_of(record.trials)
    if best is None:
        raise InputError(f"{path} has no trial that did not fail; there is nothing to analyse.")
    console = plain_console()
    paths = write_analysis(record, path.with_suffix(""))
    _summarise(console, record, best)
    for written in paths:
        console.print(f"  {written}", soft_wrap=True)


def _tell(console: Console, trial: Trial, record: Record) -> None:
    """Say what came of a trial."""
    from rich.markup import escape

    from hisf.tune.run import best_of

    best = best_of(record.trials)
    star = " *" if best is trial else ""
    if trial.score is None:
        console.print(f"{trial.number:5d}  failed: {escape(trial.error)}", soft_wrap=True)
        return
    shares = f"completeness {trial.completeness:.3f}  reliability {trial.reliability:.3f}"
    values = " ".join(f"{name}={text}" for name, text in trial.values.items()) if sys.stdout.isatty() else ""
    console.print(f"{trial.number:5d}  {trial.score:10.4f}  {shares}{star}  {escape(values)}".rstrip(), soft_wrap=True)


def _summarise(console: Console, record: Record, best: Trial) -> None:
    """Show the trade-off curve, the best trial and what it changes."""
    from hisf.tune.analysis import area, compared, hull

    sets = hull(compared(record))
    chosen = sorted(
        {round(k * (len(sets) - 1) / max(1, min(len(sets), ROWS) - 1)) for k in range(min(len(sets), ROWS))}
    )
    rows = [
        [str(t.number), f"{t.reliability:.4f}", f"{t.completeness:.4f}", _number(t.score), _number(t.average_precision)]
        for t in (sets[k] for k in chosen)
    ]
    title = f"Best sets, from the most reliable to the most complete (Σ ΔC·R = {area(sets):.4f})"
    names = ["trial", "reliability", "completeness", record.header.objective, "average precision"]
    print_table(console, title, names, rows)
    start = record.trials[0]
    failed = sum(trial.failed for trial in record.trials)
    console.print(
        f"[bold]{record.header.objective}: {_number(start.score)} with the par file, {_number(best.score)} in trial "
        f"{best.number}[/bold] of {len(record.trials) - 1}" + (f", {failed} of which failed." if failed else "."),
        soft_wrap=True,
    )
    for name, text in best.values.items():
        if text != start.values[name]:
            console.print(f"  {name} = {text}  (was {start.values[name]})", soft_wrap=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
