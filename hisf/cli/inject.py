"""``hisf inject``: the completeness of a pipeline on an observed cube, from mock galaxies."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hisf.cli.settings import load, what_is_ignored

if TYPE_CHECKING:
    from rich.console import Console

    from hisf.inject.results import Completeness


@click.command("inject", short_help="Completeness on your own cube, from mock galaxies.")
@click.argument("arguments", nargs=-1, required=True, metavar="PAR [KEY=VALUE]...")
@click.option("--n", "number", type=click.IntRange(min=1), default=200, show_default=True, help="Number of mocks.")
@click.option(
    "--where",
    type=click.Choice(["noise", "data", "flipped"]),
    default="noise",
    show_default=True,
    help="noise: away from real sources; data: anywhere; flipped: in the data with their sign turned.",
)
@click.option(
    "--snr", default="0.5,20", show_default=True, metavar="LOW,HIGH", help="Range of expected integrated S/N."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of everything random.")
@click.option("--json", "json_file", metavar="FILE", help="Write the numbers as JSON; - for standard output.")
def command(arguments: tuple[str, ...], number: int, where: str, snr: str, seed: int, json_file: str | None) -> None:
    """Inject mock galaxies into the cube of a par file and count those that its pipeline finds.

    The galaxies are inclined, rotating discs on the HI mass-size relation, rendered with the cube's beam. They are
    spread over as many runs as it takes for them not to crowd the cube. Completeness against S/N, flux and width is
    printed with binomial errors, drawn in NAME_inject.png and written, mock by mock, to NAME_inject.ecsv.
    """
    from rich.console import Console
    from rich.progress import Progress

    from hisf.inject.experiment import inject
    from hisf.inject.results import as_dict, completeness, draw, mock_table
    from hisf.settings import validate
    from hisf.stages.products.names import product_base
    from hisf.stages.products.writing import check_places, write_file

    low_high = _range(snr)
    settings, _ = load(arguments)
    for note in (*settings.notes, *what_is_ignored(settings)):
        click.echo(f"WARNING: {note}", err=True)
    validate(settings)
    base = product_base(settings)
    name = base.with_name(base.name + "_inject")
    places = [name.with_name(name.name + ending) for ending in (".png", ".ecsv")]
    check_places(places, settings["output.overwrite"])
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else 120, stderr=json_file == "-")
    with Progress(console=console, disable=not terminal) as bar:
        task = bar.add_task("inject", total=number)
        outcome = inject(settings, number, low_high, where, seed, lambda k: bar.update(task, advance=k))
    curves = completeness(outcome)
    for curve in curves:
        _print(console, curve)
    title = f"{base.name}: {int(outcome.found.sum())} of {len(outcome.mocks)} mock galaxies found ({where})"
    picture = write_file(places[0], lambda path: draw(outcome, curves, title, path))
    table = write_file(places[1], lambda path: mock_table(outcome).write(path, format="ascii.ecsv"))
    console.print(f"{title}, in {outcome.runs} runs; {outcome.real} sources without mocks.")
    if outcome.undetermined:
        console.print(f"In {outcome.undetermined} runs the reliability could not be determined; they found nothing.")
    console.print(f"  {picture}\n  {table}", soft_wrap=True)
    if json_file:
        text = json.dumps(as_dict(outcome, curves), indent=1)
        if json_file == "-":
            click.echo(text)
        else:
            write_file(Path(json_file), lambda path: path.write_text(text + "\n", encoding="utf-8"))


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(word) for word in text.split(","))
    except ValueError:
        raise click.UsageError(f"--snr {text}: two numbers LOW,HIGH are needed.") from None
    if not 0 < low < high:
        raise click.UsageError(f"--snr {text}: LOW must be above 0 and below HIGH.")
    return low, high


def _print(console: Console, curve: Completeness) -> None:
    """Print one completeness curve as a table with bars."""
    from rich import box
    from rich.table import Table

    from hisf.inject.results import errors

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(curve.label, no_wrap=True)
    for heading in ("mocks", "found", "completeness"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for b in curve.bins:
        below, above = errors(b)
        share = f"{b.share:.2f} +{above:.2f} −{below:.2f}"
        table.add_row(f"{b.low:g} – {b.high:g}", str(b.n), str(b.n_hit), share, "█" * round(20 * b.share))
    console.print(table)
    reached = [f"{p} % at {v:.3g}" for p, v in ((50, curve.half), (90, curve.ninety)) if not math.isnan(v)]
    if reached:
        console.print(f"  {curve.label}: " + ", ".join(reached))
