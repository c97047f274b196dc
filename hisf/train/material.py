"""What a segmenter learns from: mocks in simulated noise, a catalogued cube, or mocks in the user's own cube."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.sdc2_table import read_sdc2
from hisf.data.spectral import read_axis
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import InputError
from hisf.execution.machine import usable_memory
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.nn.architectures import NORMALISATIONS
from hisf.nn.canonical import AveragedVoxels, Sampling, sampling_of
from hisf.nn.normalise import NoiseUnits, Normalisation, channel_noise, measure_normalisation
from hisf.nn.target import DRAWINGS, Galaxy, extent, galaxies_of_sdc2
from hisf.plugins import PluginManager
from hisf.settings import Settings
from hisf.stages.input.opening import open_inputs
from hisf.stages.precondition.chain import active_steps, precondition
from hisf.train.containers import GalaxyBatches, Scene, split_by_x
from hisf.train.crops import CROP, Batch, Crops
from hisf.train.mocks import Mock, make_mocks
from hisf.train.noise import make_volume

if TYPE_CHECKING:
    from hisf.train.recipe import Display, Recipe

log = logging.getLogger(__name__)

VOLUME = (512, 256, 256)  # voxels (z, y, x) of simulated noise
HELD = (256, 192, 192)  # of that for validation
HELD_BATCHES = 8
CROPS, PAPER_CROPS = 6, 128  # in a batch
SEEN = 0.3  # score above which the present network's detections are not learnt as background


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
    """

    batch: Callable[[int], Batch]
    held: Sequence[Batch]
    mocks: Sequence[Mock]
    about: str


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
        make_mocks(templates, 600, recipe.seed + 1),
        recipe.seed + 1,
    )
    kind = "observed galaxies and parametric discs" if templates else "parametric discs"
    return Material(
        lambda step: crops.batch(step, CROPS),
        [held.batch(k, CROPS) for k in range(HELD_BATCHES)],
        mocks,
        f"{recipe.mocks} mock galaxies ({kind}) in {recipe.volumes} volumes of simulated noise.",
    )


def catalogued(recipe: Recipe, settings: Settings, truth: Path, shape: str, least_snr: float) -> Material:
    """Return crops of a cube whose galaxies are known (spec forska §3, §4); a fifth of it is for validation.

    Parameters
    ----------
    recipe : Recipe
    settings : Settings
        Of the cube and its preconditioning.
    truth : Path
        Catalogue in SDC2 columns.
    shape : str
        Of the target, see `hisf.nn.target.DRAWINGS`.
    least_snr : float
        Galaxies of a lower expected S/N under their own mask are left out of the loss.

    Raises
    ------
    HisfError
        The cube or the catalogue is of no use.
    """
    cube, voxels = _searched(settings)
    if cube.wcs is None or not cube.scales.beam_known:
        raise InputError(f"{cube.name}: world coordinates and a beam are needed to place the galaxies of {truth}.")
    sampling, averaged, noise = _measured(cube, voxels)
    table = read_sdc2(truth)
    axis = read_axis(cube.header, cube.name)
    sky = cube.wcs.arcsec_per_pixel((cube.shape[2] - 1) / 2, (cube.shape[1] - 1) / 2)
    area = cube.scales.beam_area
    beam = math.sqrt(4.0 * math.log(2.0) / math.pi * area * abs(float(np.linalg.det(sky))))
    galaxies = [_averaged(g, sampling) for g in galaxies_of_sdc2(table, cube.wcs, axis, beam)]
    visible: list[Galaxy] = []
    faint: list[Galaxy] = []
    for row, galaxy in zip(table, galaxies, strict=True):
        channel = axis.width_hz(float(row["central_freq"].to_value("Hz")))
        z = min(max(round(galaxy.z), 0), len(noise) - 1)
        total = float(row["line_flux_integral"].to_value("Jy Hz")) / channel * area / np.prod(sampling.factors)
        n = int(extent(galaxy).size * math.pi / 4)
        snr = total / (noise[z] * math.sqrt(max(n, 1) * area / sampling.factors[1] ** 2))
        (visible if snr >= least_snr else faint).append(galaxy)
    scene = Scene(visible, sampling.coarse_shape, DRAWINGS[shape], faint)
    paper = recipe.architecture != "slim"
    crop, size = ((32, 32, 32), PAPER_CROPS) if paper else (CROP, CROPS)
    seen = _Normalised(averaged, measure_normalisation(NORMALISATIONS[recipe.architecture], averaged))
    try:
        first, last = split_by_x(sampling.coarse_shape[2], gap=crop[2])
    except ValueError:
        raise InputError(f"{cube.name} is too narrow to be divided for training and validation.") from None
    batches = GalaxyBatches(seen, scene, recipe.seed, crop, first)
    held = GalaxyBatches(seen, scene, recipe.seed + 1, crop, last)
    return Material(
        lambda step: batches.batch(step, size),
        [held.batch(k, size) for k in range(HELD_BATCHES)],
        (),
        f"{cube.name} with {truth.name}: {len(visible)} galaxies, {len(faint)} too faint to be learnt ({shape}).",
    )


def injected(
    recipe: Recipe, settings: Settings, templates: Path | None, display: Display, weights: Path | None
) -> Material:
    """Return mocks in the user's own cube; what the present network sees in it is not learnt as background."""
    import torch

    from hisf.nn.architectures import load_segmenter
    from hisf.nn.segment import Segmenter
    from hisf.nn.weights import read_weights

    mocks = _mocks(recipe, templates, display)
    cube, voxels = _searched(settings)
    sampling, averaged, noise = _measured(cube, voxels)
    whole = Box.whole(sampling.coarse_shape)
    data = _Normalised(averaged, NoiseUnits(noise)).read(whole)
    same = Sampling(sampling.coarse_shape, (1, 1, 1), sampling.beam)
    network = load_segmenter(read_weights(weights))
    scores = Segmenter(network, same, torch.device("cpu")).scores(whole, whole, data, NoiseUnits(np.ones(len(data))))
    truths = np.where((scores > SEEN) | np.isnan(data), np.int8(-1), np.int8(0))
    volume = np.nan_to_num(data).astype(np.float16)
    held = Crops([volume], mocks[: len(mocks) // 8], recipe.seed + 1, [truths])
    crops = Crops([volume], mocks[len(mocks) // 8 :], recipe.seed, [truths])
    return Material(
        lambda step: crops.batch(step, CROPS),
        [held.batch(k, CROPS) for k in range(HELD_BATCHES)],
        mocks,
        f"{recipe.mocks} mock galaxies in {cube.name}; {100 * float((truths < 0).mean()):.2f} % of it left out.",
    )


class _Normalised:
    """A cube as the segmenter sees it, NaN where blank."""

    dtype = np.dtype(np.float32)

    def __init__(self, voxels: Voxels, normalisation: Normalisation) -> None:
        self._voxels, self._normalisation = voxels, normalisation
        self.shape = voxels.shape

    def read(self, box: Box) -> np.ndarray:
        """Return normalised voxels."""
        coarse = self._voxels.read(box)
        return np.where(np.isnan(coarse), np.float32(np.nan), self._normalisation.apply(coarse, box))


def _mocks(recipe: Recipe, templates: Path | None, display: Display) -> list[Mock]:
    with display.stage("mock galaxies", recipe.mocks) as advance:
        return make_mocks(templates, recipe.mocks, recipe.seed, advance=advance)


def _searched(settings: Settings) -> tuple[Cube, Voxels]:
    """Open and precondition the cube of the settings, as a run does."""
    manager = PluginManager()
    cube = open_inputs(manager, settings)
    steps = active_steps([i.cls for i in manager.implementations("precondition")], settings, cube)
    workspace = Workspace(usable_memory())
    voxels = precondition(cube, steps, workspace, Progress(manager))
    return cube, voxels if isinstance(voxels, ArrayVoxels) else workspace.hold(voxels)


def _measured(cube: Cube, voxels: Voxels) -> tuple[Sampling, AveragedVoxels, np.ndarray]:
    """Return the sampling, the cube in it, and the noise of its channels."""
    sampling = sampling_of(cube)
    averaged = AveragedVoxels(voxels, sampling)
    noise = channel_noise(averaged)
    if np.isnan(noise).all():
        raise InputError(f"The noise of {cube.name} cannot be measured; is it blank or constant?")
    return sampling, averaged, noise


def _averaged(galaxy: Galaxy, sampling: Sampling) -> Galaxy:
    """Return a galaxy on the averaged grid."""
    fz, fy, fx = sampling.factors
    z, y, x = ((c + 0.5) / f - 0.5 for c, f in ((galaxy.z, fz), (galaxy.y, fy), (galaxy.x, fx)))
    return replace(galaxy, z=z, y=y, x=x, size=galaxy.size / fx, n20=galaxy.n20 / fz, padding=galaxy.padding / fx)
