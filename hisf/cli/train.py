"""``hisf train``: weights for the networks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hisf.cli.settings import load, what_is_ignored
from hisf.cli.train_display import TrainDisplay
from hisf.errors import FileAccessError, InputError
from hisf.settings import PARAMETERS, validate

if TYPE_CHECKING:
    from hisf.settings import Settings

# as in hisf.train.recipe.Recipe, which is not imported here because torch comes with it
STEPS, APPRAISER_STEPS = 3400, 2200
TUNING_STEPS = 600  # of the segmenter with --inject
INGREDIENTS = ("templates.txt", "truth.txt", "area.json", "noise_uv_psd.txt", "noise_rfi.txt")

EXAMPLES = """\b
Examples:
  hisf train --templates sdc2 --out mine.safetensors           the recipe of the weights that hisf brings
  hisf train my.par --inject --out mine.safetensors            fine-tune to the noise of your own cube
  hisf train my.par --truth truth.txt --out mine.safetensors   learn from a catalogued cube
The same command again goes on where a training was stopped."""


def _choice(name: str) -> click.Choice[str]:
    """Return the choices of a parameter as it is declared."""
    return click.Choice(next(parameter.choices for parameter in PARAMETERS if parameter.name == name))


@click.command("train", short_help="Train the networks.", epilog=EXAMPLES)
@click.argument("arguments", nargs=-1, metavar="[PAR] [KEY=VALUE]...")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Weights file to write.")
@click.option(
    "--templates",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of observed galaxies, rows and noise of SDC2; without it galaxies are discs.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Learn from the cube of PAR, whose galaxies are in this catalogue (SDC2 columns).",
)
@click.option("--inject", is_flag=True, help="Learn from mock galaxies in the cube of PAR.")
@click.option(
    "--target",
    type=click.Choice(["wedge", "cylinder"]),
    default="wedge",
    show_default=True,
    help="Masks of catalogued galaxies.",
)
@click.option(
    "--min-snr",
    type=click.FloatRange(0),
    default=1.8,
    show_default=True,
    help="Catalogued galaxies of a lower S/N under their mask are left out of the loss.",
)
@click.option("--steps", type=click.IntRange(1), help=f"Of the segmenter [{STEPS}; {TUNING_STEPS} with --inject].")
@click.option(
    "--appraiser-steps", type=click.IntRange(0), help=f"Of the appraiser [{APPRAISER_STEPS}; 0 with a cube of PAR]."
)
@click.option("--no-appraiser", is_flag=True, help="Segmenter only.")
@click.option(
    "--fields", type=click.IntRange(2), default=120, show_default=True, help="Simulated fields for the appraiser."
)
@click.option("--mocks", type=click.IntRange(16), default=8000, show_default=True, help="Mock galaxies.")
@click.option("--volumes", type=click.IntRange(1), default=12, show_default=True, help="Volumes of simulated noise.")
@click.option(
    "--patience", type=click.IntRange(0), default=0, help="Stop after N validations without progress [never]."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of everything random.")
@click.option(
    "--from", "start", metavar="FILE", help="Weights to begin with; none: anew [those of hisf with --inject]."
)
@click.option("--architecture", type=_choice("cnn.architecture"), help="Sets cnn.architecture.")
@click.option("--device", type=_choice("cnn.device"), help="Sets cnn.device.")
@click.option("--precision", type=_choice("cnn.precision"), help="Sets cnn.precision.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Folder of checkpoints [OUT_work].")
@click.option("--anew", is_flag=True, help="Remove the checkpoints of an earlier training first.")
@click.option("--threads", type=click.IntRange(0), default=0, help="0: as many as processors [0].")
def command(arguments: tuple[str, ...], out: Path, **options: Any) -> None:
    """Train the segmenter and the appraiser and write the weights file OUT, its model card and its learning curves.

    Without PAR from simulated noise and mock galaxies; with PAR from its cube, whose preconditioning, cnn.architecture,
    cnn.device and cnn.precision count. An hour and a half on two processor cores for the recipe of hisf's own weights.
    """
    chosen = [f"cnn.{name}={options[name]}" for name in ("architecture", "device", "precision") if options[name]]
    settings, _ = load([*arguments, *chosen])
    if out.suffix != ".safetensors":
        out = out.with_name(out.name + ".safetensors")
    _check(settings, out, options)
    for note in (*settings.notes, *what_is_ignored(settings)):
        click.echo(f"WARNING: {note}", err=True)
    with TrainDisplay() as display:
        made = _train(settings, out, options, _said(arguments, out, options), display)
    for path in made:
        click.echo(f"  {path}")


def _check(settings: Settings, out: Path, options: dict[str, Any]) -> None:
    """Refuse what cannot become a training, before anything is done."""
    truth, inject, templates = options["truth"], options["inject"], options["templates"]
    if truth and inject:
        raise InputError("--truth and --inject exclude each other: galaxies are known, or they are put in.")
    if (truth or inject) and not settings["input.data"]:
        raise InputError("--truth and --inject need the parameter file of a cube (input.data).")
    if settings["input.data"] and not (truth or inject):
        raise InputError("What is to be learnt from the cube of the parameter file? Give --truth FILE or --inject.")
    if options["no_appraiser"] and options["appraiser_steps"]:
        raise InputError("--no-appraiser and --appraiser-steps exclude each other.")
    if truth and options["appraiser_steps"]:
        raise InputError(
            "--appraiser-steps: an appraiser learns from mock galaxies, which a catalogued cube does not bring; keep "
            "that of other weights with --from, or train one with --inject."
        )
    if truth and not truth.exists():
        raise FileAccessError(f"--truth {truth} is not there.")
    for name in INGREDIENTS if templates else ():
        if not (templates / name).exists():
            raise FileAccessError(f"--templates {templates} lacks {name}; give a folder of SDC2 ingredients.")
    if not out.parent.is_dir():
        raise FileAccessError(f"--out: {out.parent} is not a folder; make it first.")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise FileAccessError(f"--out: {out.parent} cannot be written to; choose another folder.")
    if truth or inject:
        validate(settings)
    architecture = settings["cnn.architecture"]
    if architecture != "slim" and not truth:
        raise InputError(
            f"cnn.architecture = {architecture} ({settings.origin('cnn.architecture')}) learns from a catalogued cube "
            "only (--truth); simulated noise and --inject train slim."
        )


def _train(settings: Settings, out: Path, options: dict[str, Any], said: str, display: TrainDisplay) -> list[Path]:
    from hisf.execution.machine import set_threads
    from hisf.nn.machine import prepare
    from hisf.nn.weights import read_weights
    from hisf.train import material
    from hisf.train.catalogued import catalogued
    from hisf.train.recipe import Recipe
    from hisf.train.run import train

    inject, truth, templates = options["inject"], options["truth"], options["templates"]
    set_threads(options["threads"])
    prepare(settings)
    architecture = settings["cnn.architecture"]
    first = options["start"] or ("" if inject else "none")
    start = None if first == "none" else read_weights(Path(first) if first else None)
    if start is not None and start.about["architecture"] != architecture:
        raise InputError(f"--from {start.path.name} holds {start.about['architecture']}, not {architecture}.")
    appraiser = options["appraiser_steps"]
    if appraiser is None:
        appraiser = 0 if inject or truth or options["no_appraiser"] else APPRAISER_STEPS
    recipe = Recipe(
        architecture=architecture,
        steps=options["steps"] or (TUNING_STEPS if inject else STEPS),
        appraiser_steps=appraiser,
        **{name: options[name] for name in ("mocks", "volumes", "fields", "patience", "seed")},
    )

    def make() -> material.Material:
        if truth:
            return catalogued(recipe, settings, truth, options["target"], options["min_snr"])
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
        command=said,
        source=_source(settings, options, start.path.name if start else ""),
        start=start,
        appraised=not options["no_appraiser"],
        device_name=settings["cnn.device"],
        precision_name=settings["cnn.precision"],
        anew=options["anew"],
    )


def _source(settings: Settings, options: dict[str, Any], start: str) -> dict[str, Any]:
    """Return what makes a training another one, beside its recipe."""
    names = {name: options[name].name for name in ("templates", "truth") if options[name]}
    if options["truth"]:
        names |= {"target": options["target"], "min_snr": options["min_snr"]}
    if settings["input.data"]:
        names |= {"cube": Path(settings["input.data"]).name, "inject": options["inject"]}
    return names | ({"from": start} if start else {})


def _said(arguments: tuple[str, ...], out: Path, options: dict[str, Any]) -> str:
    """Return the command without folders."""
    words = ["hisf train"]
    for argument in arguments:
        key, equals, text = argument.rpartition("=")
        words.append(key + equals + (Path(text).name or text))
    for parameter in command.params:  # in the order of their declaration, whatever that of the user
        name = str(parameter.name)
        value: Any = options.get(name)
        if value is None or value is False or value == parameter.default or name in ("work", "threads", "anew"):
            continue
        word = "from" if name == "start" else name.replace("_", "-")
        shown = Path(value).name if name in ("templates", "truth", "start") else value
        words.append(f"--{word}" if value is True else f"--{word} {shown}")
    return " ".join([*words, f"--out {out.name}"])
