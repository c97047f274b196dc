"""What a segmenter learns from: mocks in simulated noise, or in the user's own cube."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box
from hisf.nn.canonical import Sampling
from hisf.nn.normalise import NoiseUnits
from hisf.settings import Settings
from hisf.train.crops import Batch, Crops
from hisf.train.mocks import Mock, make_mocks
from hisf.train.noise import make_volume
from hisf.train.observed import NormalisedVoxels, observe

if TYPE_CHECKING:
    from hisf.train.recipe import Display, Recipe

VOLUME = (512, 256, 256)  # voxels (z, y, x) of simulated noise
HELD = (256, 192, 192)  # of that for validation
HELD_BATCHES, HELD_MOCKS = 8, 600
CROPS = 6  # in a batch
SEEN = 0.3  # score above which the present network's detections are not learnt as background
BEAM_TOLERANCE = 0.35  # pixels, between mocks and an observed cube
LEAST_MOCKS = 16  # of the beam of a cube; where there are fewer, those of all beams are taken
SIMULATED_LIMITS = (
    "Trained on simulated noise. Artefacts of real cubes, such as sidelobes, striping or solar interference, are known "
    "to it only as residuals of continuum sources.",
)
INJECTED_LIMITS = (
    "Trained on the noise and the artefacts of one cube; in others it may do worse than the weights it began with.",
    "Galaxies of that cube that the network it began with did not see were learnt as background.",
)


@dataclass(frozen=True)
class Material:
    """Batches for the segmenter.

    Attributes
    ----------
    batch : callable
        ``batch(step)``, a function of the step alone.
    held : sequence of Batch
        For validation.
    mocks : sequence of Mock
        What the appraiser is trained with; empty where there are none.
    about : str
        One sentence for the model card.
    limits : sequence of str
        Sentences for the model card.
    """

    batch: Callable[[int], Batch]
    held: Sequence[Batch]
    mocks: Sequence[Mock]
    about: str
    limits: Sequence[str] = ()


def simulated(recipe: Recipe, templates: Path | None, display: Display) -> Material:
    """Return mocks in simulated noise."""
    mocks = _mocks(recipe, templates, display)
    with display.stage("noise", recipe.volumes) as advance:
        volumes = []
        for number in range(recipe.volumes):
            volumes.append(make_volume(templates, VOLUME, recipe.seed, number).data)
            advance(1)
    crops = Crops(volumes, mocks, recipe.seed)
    held = Crops(
        [make_volume(templates, HELD, recipe.seed + 1, k).data for k in range(2)],
        make_mocks(templates, HELD_MOCKS, recipe.seed + 1),
        recipe.seed + 1,
    )
    kind = "observed galaxies and parametric discs" if templates else "parametric discs"
    return Material(
        lambda step: crops.batch(step, CROPS),
        [held.batch(k, CROPS) for k in range(HELD_BATCHES)],
        mocks,
        f"{recipe.mocks} mock galaxies ({kind}) in {recipe.volumes} volumes of simulated noise.",
        SIMULATED_LIMITS,
    )


def injected(
    recipe: Recipe, settings: Settings, templates: Path | None, display: Display, weights: Path | None
) -> Material:
    """Return mocks in the user's own cube; what the present network sees in it is not learnt as background.

    Parameters
    ----------
    recipe : Recipe
    settings : Settings
        Of the cube, its preconditioning, and the device.
    templates : Path, optional
        SDC2 ingredients for the mocks.
    display : Display
    weights : Path, optional
        Of the present network; by default those of hisf.

    Raises
    ------
    HisfError
        The cube or the weights are of no use.
    """
    from hisf.nn.architectures import load_segmenter
    from hisf.nn.machine import prepare
    from hisf.nn.segment import Segmenter
    from hisf.nn.weights import read_weights

    network = load_segmenter(read_weights(weights))
    observed = observe(settings)
    mocks = _mocks(recipe, templates, display)
    whole = Box.whole(observed.averaged.shape)
    data = NormalisedVoxels(observed.averaged, NoiseUnits(observed.noise)).read(whole)
    with display.stage("present network", 1) as advance:
        segmenter = Segmenter(network, Sampling(whole.shape, (1, 1, 1), observed.sampling.beam), *prepare(settings))
        scores = segmenter.scores(whole, whole, data, NoiseUnits(np.ones(len(data))))
        advance(1)
    truths = np.where((scores > SEEN) | np.isnan(data), np.int8(-1), np.int8(0))
    volume = np.nan_to_num(data, copy=False).astype(np.float16)
    near = [mock for mock in mocks if abs(mock.beam - observed.sampling.beam) < BEAM_TOLERANCE]
    put = near if len(near) >= LEAST_MOCKS else mocks
    held = Crops([volume], put[: len(put) // 8], recipe.seed + 1, [truths])
    crops = Crops([volume], put[len(put) // 8 :], recipe.seed, [truths])
    return Material(
        lambda step: crops.batch(step, CROPS),
        [held.batch(k, CROPS) for k in range(HELD_BATCHES)],
        mocks,
        f"{len(put)} mock galaxies in {observed.name}; {100 * float((truths < 0).mean()):.2f} % of it left out.",
        INJECTED_LIMITS,
    )


def _mocks(recipe: Recipe, templates: Path | None, display: Display) -> list[Mock]:
    with display.stage("mock galaxies", recipe.mocks) as advance:
        return make_mocks(templates, recipe.mocks, recipe.seed, advance=advance)
