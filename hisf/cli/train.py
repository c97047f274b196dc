"""``hisf train``: weights for the networks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hisf.cli.settings import load, what_is_ignored
from hisf.errors import FileAccessError, InputError

if TYPE_CHECKING:
    from hisf.train.loop import State

EXAMPLES = """\b
Examples:
  hisf train --templates sdc2 --out mine.safetensors           the recipe of the weights that hisf brings
  hisf train my.par --inject --out mine.safetensors            fine-tune to the noise of your own cube
  hisf train my.par --truth truth.txt --out mine.safetensors   learn from a catalogued cube
The same command again goes on where a training was stopped."""


@click.command("train", short_help="Train the networks.", epilog=EXAMPLES)
@click.argument("arguments", nargs=-1, metavar="[PAR] [KEY=VALUE]...")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Weights file to write.")
@click.option(
    "--templates", type=click.Path(path_type=Path), help="Observed galaxies, rows, noise of SDC2: this folder."
)
@click.option("--truth", type=click.Path(path_type=Path), help="Catalogue in SDC2 columns of the cube of PAR.")
@click.option("--inject", is_flag=True, help="Put mock galaxies into the cube of PAR.")
@click.option(
    "--target", type=click.Choice(["wedge", "cylinder"]), default="wedge", help="Masks of catalogued galaxies [wedge]."
)
@click.option("--min-snr", type=click.FloatRange(0), default=1.8, help="Fainter catalogued ones are not learnt [1.8].")
@click.option("--steps", type=click.IntRange(1), help="Of the segmenter [3400; 600 with --inject].")
@click.option("--appraiser-steps", type=click.IntRange(0), help="Of the appraiser [2200; 0 with a cube of PAR].")
@click.option("--fields", type=click.IntRange(2), default=120, help="Simulated fields for the appraiser [120].")
@click.option("--mocks", type=click.IntRange(16), default=8000, help="Mock galaxies [8000].")
@click.option("--volumes", type=click.IntRange(1), default=12, help="Volumes of simulated noise [12].")
@click.option(
    "--patience", type=click.IntRange(0), default=0, help="Stop after N validations without progress [never]."
)
@click.option("--seed", type=click.IntRange(0), default=1, help="Of everything random [1].")
@click.option(
    "--from", "start", metavar="FILE", help="Weights to begin with; none: anew [those of hisf with --inject]."
)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Folder of checkpoints [OUT_work].")
@click.option("--anew", is_flag=True, help="Remove checkpoints first.")
@click.option("--threads", type=click.IntRange(0), default=0, help="0: as many as processors [0].")
def command(arguments: tuple[str, ...], out: Path, **options: Any) -> None:
    """Train the segmenter and the appraiser and write the weights file OUT, its model card and its learning curves.

    Without PAR from simulated noise and mock galaxies; with PAR from its cube, whose preconditioning, cnn.architecture,
    cnn.device and cnn.precision count. An hour on two processor cores for the recipe of the shipped weights.
    """
    cube = bool(options["truth"] or options["inject"])
    if options["truth"] and options["inject"]:
        raise InputError("--truth and --inject exclude each other: galaxies are known, or they are put in.")
    settings, _ = load(arguments)
    if cube and not settings["input.data"]:
        raise InputError("--truth and --inject need the parameter file of a cube (input.data).")
    if settings["input.data"] and not cube:
        raise InputError("What is to be learnt from the cube of the parameter file? Give --truth FILE or --inject.")
    for path in (options["templates"], options["truth"]):
        if path and not path.exists():
            raise FileAccessError(f"{path} is not there.")
    if not out.parent.is_dir():
        raise FileAccessError(f"{out.parent} is not a folder; make it first.")
    for note in (*settings.notes, *what_is_ignored(settings)):
        click.echo(f"WARNING: {note}", err=True)
    with _Display() as display:
        for path in _train(settings, out, options, display):
            click.echo(f"  {path}")


def _train(settings: Any, out: Path, options: dict[str, Any], display: _Display) -> list[Path]:
    from hisf.execution.machine import set_threads
    from hisf.nn.machine import prepare
    from hisf.nn.weights import read_weights
    from hisf.settings import validate
    from hisf.train import material
    from hisf.train.recipe import Recipe
    from hisf.train.run import train

    inject, truth, templates = options["inject"], options["truth"], options["templates"]
    if inject or truth:
        validate(settings)
    set_threads(options["threads"])
    prepare(settings)
    first = options["start"] or ("" if inject else "none")
    start = None if first == "none" else read_weights(Path(first) if first else None)
    steps = options["steps"] or (600 if inject else 3400)
    appraiser = options["appraiser_steps"]
    recipe = Recipe(
        architecture=settings["cnn.architecture"],
        mocks=options["mocks"],
        volumes=options["volumes"],
        steps=steps,
        fields=options["fields"],
        appraiser_steps=(0 if inject or truth else 2200) if appraiser is None else appraiser,
        patience=options["patience"],
        seed=options["seed"],
    )

    def make() -> material.Material:
        if truth:
            return material.catalogued(recipe, settings, truth, options["target"], options["min_snr"])
        if inject:
            return material.injected(recipe, settings, templates, display, start.path if start else None)
        return material.simulated(recipe, templates, display)

    return train(
        recipe,
        make,
        templates,
        out,
        options["work"] or out.with_name(out.stem + "_work"),
        display,
        command=_said(out, options, settings),
        start=start,
        device_name=settings["cnn.device"],
        precision_name=settings["cnn.precision"],
        anew=options["anew"],
    )


def _said(out: Path, options: dict[str, Any], settings: Any) -> str:
    """Return the command without folders."""
    words = ["hisf train"]
    if settings["input.data"]:
        words.append(f"input.data={Path(settings['input.data']).name}")
    if settings["cnn.architecture"] != "slim":
        words.append(f"cnn.architecture={settings['cnn.architecture']}")
    for name, value in options.items():
        if value is None or value is False or name in ("work", "threads", "anew"):
            continue
        default = next(p.default for p in command.params if p.name == name)
        if value != default:
            word = "from" if name == "start" else name.replace("_", "-")
            shown = Path(value).name if name in ("templates", "truth", "start") else value
            words.append(f"--{word}" if value is True else f"--{word} {shown}")
    return " ".join([*words, f"--out {out.name}"])


class _Display:
    """Bars on a terminal, lines in a log."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._terminal = sys.stdout.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(highlight=False), disable=not self._terminal)

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a stage; the value is told what was done."""
        if not self._terminal:
            click.echo(f"{name} ({total})")
        task = self._bar.add_task(name, total=total)
        yield lambda n: self._bar.update(task, advance=n)

    def state(self, name: str, state: State) -> None:
        """Show losses and score."""
        losses = ", ".join(f"{key} {value:.4f}" for key, value in state.losses.items())
        best = " (best)" if state.score >= state.best else ""
        self._bar.console.print(f"  {name} {state.step}/{state.steps}: {losses}; score {state.score:.4f}{best}")
