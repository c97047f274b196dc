"""A whole training: material, networks, calibration, weights file and model card."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from hisf import __version__
from hisf.errors import FileAccessError, InputError
from hisf.nn.canonical import BEAM_PIXELS, CHANNEL_KMS
from hisf.nn.machine import choose_device, choose_precision
from hisf.nn.weights import Weights, write_weights
from hisf.stages.products.writing import write_file
from hisf.train.calibrate import calibrate
from hisf.train.card import draw_curves, model_card
from hisf.train.loop import State
from hisf.train.material import Material
from hisf.train.recipe import Display, Recipe, collect, train_appraiser, train_segmenter

LICENCE = "CC-BY-4.0"


def train(
    recipe: Recipe,
    make_material: Callable[[], Material],
    templates: Path | None,
    out: Path,
    work: Path,
    display: Display,
    *,
    command: str,
    start: Weights | None = None,
    device_name: str = "auto",
    precision_name: str = "auto",
    anew: bool = False,
) -> list[Path]:
    """Train, or go on with a training, and write weights, model card and learning curves.

    Parameters
    ----------
    recipe : Recipe
    make_material : callable
        What the segmenter learns from.
    templates : Path, optional
        SDC2 ingredients for the fields of the appraiser and for calibration.
    out : Path
        Weights file; the card and the curves are put beside it.
    work : Path
        Checkpoints; a training that finds its own goes on from them.
    display : Display
    command : str
        For the card.
    start : Weights, optional
        To begin with. Their appraiser and its calibration are kept where ``appraiser_steps`` is 0.
    device_name, precision_name : str
        See `hisf.nn.machine`.
    anew : bool
        Whether checkpoints are removed first.

    Raises
    ------
    HisfError
        The material is of no use, a checkpoint is another training's, or a file cannot be written.
    """
    device = choose_device(device_name)
    precision = choose_precision(precision_name, device)
    if anew:
        shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"{work} cannot be made ({error.strerror}); name another folder with --work.") from None
    material = make_material()
    segmenter, history = train_segmenter(recipe, material, work, display, device, precision, start)
    networks, curves = {"segmenter": segmenter}, {"segmenter": history}
    about = _about(recipe, material)
    kept = start is not None and start.has("appraiser") and not recipe.appraiser_steps
    if kept and start is not None:
        from hisf.nn.appraiser import Appraiser

        networks["appraiser"] = start.into(Appraiser(), "appraiser")
        about |= {key: start.about[key] for key in ("calibration", "stretch") if key in start.about}
    elif recipe.appraiser_steps:
        if not material.mocks:
            raise InputError("An appraiser is trained on mock galaxies, which a catalogued cube does not bring.")
        found = collect(recipe, segmenter, material.mocks, templates, work, display, precision)
        networks["appraiser"], curves["appraiser"] = train_appraiser(recipe, found, work, display, device, precision)
        about |= _calibrated(recipe, networks, about, templates, work, display)
    return _write(out, networks, about, curves, command)


def _about(recipe: Recipe, material: Material) -> dict[str, Any]:
    return {
        "architecture": recipe.architecture,
        "recipe": asdict(recipe),
        "data": material.about,
        "sampling": {"pixels per beam": BEAM_PIXELS, "km/s per channel": CHANNEL_KMS},
        "versions": {"hisf": __version__, "torch": version("torch"), "numpy": version("numpy")},
        "licence": LICENCE,
    }


def _calibrated(
    recipe: Recipe,
    networks: dict[str, nn.Module],
    about: dict[str, Any],
    templates: Path | None,
    work: Path,
    display: Display,
) -> dict[str, Any]:
    """Return the calibration, measured with the networks as they will be shipped."""
    plain = work / "uncalibrated.safetensors"
    write_weights(plain, networks, about)
    return calibrate(plain, recipe, templates, work, display)


def _write(
    out: Path, networks: dict[str, nn.Module], about: dict[str, Any], curves: dict[str, list[State]], command: str
) -> list[Path]:
    made = [write_file(out, lambda path: write_weights(path, networks, about))]
    size = out.stat().st_size
    card = model_card(out.name, size, about, curves, command)
    made.append(write_file(out.with_suffix(".md"), lambda path: path.write_text(card, encoding="utf-8")))
    picture = out.with_name(out.stem + "_curves.png")
    made.append(write_file(picture, lambda path: draw_curves(curves, path)))
    return made
