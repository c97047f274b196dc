"""A whole training: material, networks, calibration, weights file and model card."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hisf import __version__
from hisf.errors import InputError, NothingFoundError
from hisf.nn.appraiser import Appraiser
from hisf.nn.canonical import BEAM_PIXELS, CHANNEL_KMS
from hisf.nn.machine import choose_device, choose_precision
from hisf.nn.weights import Weights, write_weights
from hisf.stages.products.writing import write_file
from hisf.train.card import draw_curves, model_card
from hisf.train.loop import State
from hisf.train.material import Material
from hisf.train.recipe import Display, Recipe, collect, train_appraiser, train_segmenter
from hisf.train.work import UNCALIBRATED, open_folder

log = logging.getLogger(__name__)

LICENCE = "CC-BY-4.0"
BEAM_RANGE, CHANNEL_RANGE = (1.9, 3.6), (4.0, 20.0)  # that mocks are rendered with, see `hisf.train.mocks`
SEEDS = {"training": 0, "validation": 1, "detections": 2, "calibration": 10}  # more than the seed of the recipe


def train(
    recipe: Recipe,
    make_material: Callable[[], Material],
    templates: Path | None,
    out: Path,
    work: Path,
    display: Display,
    *,
    command: str,
    source: Mapping[str, Any] | None = None,
    start: Weights | None = None,
    appraised: bool = True,
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
    source : mapping, optional
        What the material is made of; a training in ``work`` that had another one is not continued.
    start : Weights, optional
        To begin with. Their appraiser and its calibration are kept where ``appraiser_steps`` is 0.
    appraised : bool
        Whether there is to be an appraiser at all.
    device_name, precision_name : str
        See `hisf.nn.machine`.
    anew : bool
        Whether the files of an earlier training in ``work`` are removed first, and nothing else there.

    Raises
    ------
    HisfError
        The material is of no use, a checkpoint is another training's, or a file cannot be written.
    """
    device = choose_device(device_name)
    precision = choose_precision(precision_name, device)
    open_folder(work, {"recipe": asdict(recipe), "source": dict(source or {})}, anew)
    with _same_threads():
        material = make_material()
    if appraised and recipe.appraiser_steps and not material.mocks:
        raise InputError("An appraiser is trained on mock galaxies, which a catalogued cube does not bring.")
    segmenter, history = train_segmenter(recipe, material, work, display, device, precision, start)
    networks, curves = {"segmenter": segmenter}, {"segmenter": history}
    about = _about(recipe, material)
    if appraised and not recipe.appraiser_steps and start is not None and start.has("appraiser"):
        networks["appraiser"] = start.into(Appraiser(), "appraiser")
        about |= {key: start.about[key] for key in ("calibration", "stretch") if key in start.about}
    elif appraised and recipe.appraiser_steps:
        with _same_threads():
            found = collect(recipe, segmenter, material.mocks, templates, work, display, precision)
        networks["appraiser"], curves["appraiser"] = train_appraiser(recipe, found, work, display, device, precision)
        with _same_threads():
            about |= _calibrated(recipe, networks, about, templates, work, display)
    about["networks"] = sorted(networks)
    return _write(out, networks, about, curves, command)


@contextmanager
def _same_threads() -> Iterator[None]:
    """Restore the threads of torch, which numba's kernels change: sums of networks are rounded by their number."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _about(recipe: Recipe, material: Material) -> dict[str, Any]:
    return {
        "architecture": recipe.architecture,
        "recipe": asdict(recipe),
        "data": material.about,
        "limits": list(material.limits),
        "sampling": {
            "pixels per beam": BEAM_PIXELS,
            "pixels per beam, range": BEAM_RANGE,
            "km/s per channel": CHANNEL_KMS,
            "km/s per channel, range": CHANNEL_RANGE,
        },
        "seeds": {name: recipe.seed + add for name, add in SEEDS.items()},
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
    """Return the calibration, measured with the networks as they will be shipped; nothing where they find nothing."""
    from hisf.train.calibrate import calibrate

    plain = work / UNCALIBRATED
    write_weights(plain, networks, about)
    try:
        return calibrate(plain, recipe, templates, work, display)
    except NothingFoundError as error:
        log.warning("The networks are not calibrated, for they find nothing in a simulated cube: %s", error)
        return {}


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
