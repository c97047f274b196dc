"""The steps of a training: segmenter, its detections, appraiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from hisf.nn.appraiser import Appraiser
from hisf.nn.architectures import make_segmenter
from hisf.nn.weights import Weights
from hisf.train.appraiser import DETECTIONS, Tensors, appraisal_loss, batch_of, joined
from hisf.train.candidates import Candidates, make_candidates
from hisf.train.loop import Schedule, State, fit
from hisf.train.material import Material
from hisf.train.mocks import Mock
from hisf.train.segmenter import segmentation_loss, tensors, voxel_precision
from hisf.train.work import APPRAISER, SEGMENTER
from hisf.train.work import DETECTIONS as DETECTED

TUNING_RATE = 5e-4  # of the segmenter where it begins with weights: a quarter of what it begins with anew


class Display(Protocol):
    """What shows the progress of a training."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Return a context that is told what was done of ``total``."""
        ...

    def state(self, name: str, state: State) -> None:
        """Show losses and score."""
        ...


@dataclass(frozen=True)
class Recipe:
    """What a training is made of; written into the weights file and the model card.

    Attributes
    ----------
    architecture : str
        Of the segmenter.
    mocks, volumes : int
        Galaxies rendered, volumes of simulated noise.
    steps, appraiser_steps : int
    fields : int
        In which the segmenter's detections are collected.
    patience : int
        Validations without a better score after which training stops; 0: never.
    seed : int
    """

    architecture: str = "slim"
    mocks: int = 8000
    volumes: int = 12
    steps: int = 3400
    fields: int = 120
    appraiser_steps: int = 2200
    patience: int = 0
    seed: int = 1


def train_segmenter(
    recipe: Recipe,
    material: Material,
    folder: Path,
    display: Display,
    device: torch.device,
    precision: torch.dtype,
    start: Weights | None = None,
) -> tuple[nn.Module, list[State]]:
    """Train the segmentation network, from ``start`` or anew; the checkpoint lies in ``folder``."""
    held = [tensors(batch) for batch in material.held]
    torch.manual_seed(recipe.seed)
    network = make_segmenter(recipe.architecture)
    if start is not None:
        network = start.into(network, "segmenter")
    network = network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    schedule = Schedule(recipe.steps, patience=recipe.patience, seed=recipe.seed)
    if start is not None:
        schedule = replace(schedule, rate=TUNING_RATE)
    with display.stage("segmenter", recipe.steps) as advance:
        return fit(
            network,
            schedule,
            lambda step: tensors(material.batch(step)),
            segmentation_loss(precision, device, recipe.architecture),
            lambda n: voxel_precision(n, held, precision),
            folder / SEGMENTER,
            lambda state: display.state("segmenter", state),
            advance,
            baseline=start is not None,
        )


def collect(
    recipe: Recipe,
    network: nn.Module,
    mocks: Sequence[Mock],
    templates: Path | None,
    folder: Path,
    display: Display,
    precision: torch.dtype,
) -> list[Candidates]:
    """Return the segmenter's detections, field by field; fields that are in ``folder`` already are read."""
    place = folder / DETECTED
    place.mkdir(exist_ok=True)
    found = []
    with display.stage("detections", recipe.fields) as advance:
        for number in range(recipe.fields):
            path = place / f"{number:04d}.npz"
            if path.exists():
                with np.load(path, allow_pickle=False) as stored:
                    found.append(Candidates(**{name: stored[name] for name in stored.files}))
            else:
                found.append(make_candidates(network, mocks, templates, recipe.seed + 2, number, precision))
                part = path.with_suffix(".part.npz")
                np.savez(part, **vars(found[-1]))
                part.replace(path)
            advance(1)
    return found


def train_appraiser(
    recipe: Recipe,
    found: list[Candidates],
    folder: Path,
    display: Display,
    device: torch.device,
    precision: torch.dtype,
) -> tuple[nn.Module, list[State]]:
    """Train the appraising network; a tenth of the fields is held back for validation."""
    held = max(1, len(found) // 10)
    learnt, checked = joined(found[held:]), joined(found[:held])
    pieces = np.array_split(np.arange(len(checked.real)), 1 + len(checked.real) // 64)
    truths = [batch_of(checked, piece, None) for piece in pieces]
    loss = appraisal_loss(precision, device)

    def batch(step: int) -> Tensors:
        rng = np.random.default_rng([recipe.seed, 90, step])
        return batch_of(learnt, rng.integers(0, len(learnt.real), DETECTIONS), rng)

    def validate(network: nn.Module) -> float:
        with torch.inference_mode():
            return -float(np.mean([float(torch.stack(list(loss(network, t).values())).sum()) for t in truths]))

    torch.manual_seed(recipe.seed)
    network = Appraiser().to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    schedule = Schedule(recipe.appraiser_steps, 1e-3, patience=recipe.patience, seed=recipe.seed)
    with display.stage("appraiser", recipe.appraiser_steps) as advance:
        return fit(
            network, schedule, batch, loss, validate, folder / APPRAISER,
            lambda state: display.state("appraiser", state), advance,
        )  # fmt: skip
