"""What a segmenter learns from a cube whose galaxies are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Shape
from hisf.data.sdc2_table import read_sdc2
from hisf.data.spectral import read_axis
from hisf.errors import InputError
from hisf.nn.architectures import NORMALISATIONS
from hisf.nn.canonical import Sampling
from hisf.nn.normalise import measure_normalisation
from hisf.nn.target import DRAWINGS, Galaxy, extent, galaxies_of_sdc2
from hisf.settings import Settings
from hisf.train.containers import CROP as PAPER_CROP
from hisf.train.containers import TRAINING, GalaxyBatches, Range
from hisf.train.crops import CROP
from hisf.train.material import CROPS, HELD_BATCHES, Material
from hisf.train.observed import NormalisedVoxels, Observed, observe
from hisf.train.scene import Scene

if TYPE_CHECKING:
    from hisf.train.recipe import Recipe

PAPER_CROPS = 128  # in a batch
DEPTH = 32  # channels: crops have a multiple of it, as the network wants it
GALAXY = 24  # pixels; room for a galaxy and its crops is this and two crops
LIMITS = (
    "Trained on one cube: what its noise, artefacts and galaxies lack, the network has not learnt.",
    "Galaxies that the catalogue lacks were learnt as background.",
)


def catalogued(recipe: Recipe, settings: Settings, truth: Path, shape: str, least_snr: float) -> Material:
    """Return crops of a cube whose galaxies are known (spec forska §3, §4); a part of it is for validation.

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
    observed = observe(settings)
    visible, faint = galaxies_of(observed, truth, shape, least_snr)
    if not visible:
        raise InputError(f"{observed.name} holds no galaxy of {truth} of S/N {least_snr:g} or more.")
    grid = observed.averaged.shape
    scene = Scene(visible, grid, DRAWINGS[shape], faint)
    paper = recipe.architecture != "slim"
    crop, size = (PAPER_CROP, PAPER_CROPS) if paper else (crop_within(grid), CROPS)
    seen = NormalisedVoxels(
        observed.averaged, measure_normalisation(NORMALISATIONS[recipe.architecture], observed.averaged)
    )
    first, last = divide(grid[2], crop[2], observed.name)
    batches = GalaxyBatches(seen, scene, recipe.seed, crop, first)
    held = GalaxyBatches(seen, scene, recipe.seed + 1, crop, last)
    return Material(
        lambda step: batches.batch(step, size),
        [held.batch(k, size) for k in range(HELD_BATCHES)],
        (),
        f"{observed.name} with {truth.name}: {len(visible)} galaxies, {len(faint)} too faint to be learnt ({shape}).",
        LIMITS,
    )


def galaxies_of(observed: Observed, truth: Path, shape: str, least_snr: float) -> tuple[list[Galaxy], list[Galaxy]]:
    """Return the galaxies of a catalogue that lie in a cube, on its averaged grid: visible ones, and faint ones.

    Raises
    ------
    InputError
        The cube has no world coordinates or no beam, or the catalogue is none.
    """
    cube, sampling = observed.cube, observed.sampling
    if cube.wcs is None or not cube.scales.beam_known:
        raise InputError(f"{cube.name}: world coordinates and a beam are needed to place the galaxies of {truth}.")
    table = read_sdc2(truth)
    axis = read_axis(cube.header, cube.name)
    sky = cube.wcs.arcsec_per_pixel((cube.shape[2] - 1) / 2, (cube.shape[1] - 1) / 2)
    area = cube.scales.beam_area  # of pixels of the cube
    beam = math.sqrt(4.0 * math.log(2.0) / math.pi * area * abs(float(np.linalg.det(sky))))
    fz, fy, fx = sampling.factors
    visible: list[Galaxy] = []
    faint: list[Galaxy] = []
    for row, fine in zip(table, galaxies_of_sdc2(table, cube.wcs, axis, beam), strict=True):
        galaxy = averaged(fine, sampling)
        if not all(n > 0 for n in extent(galaxy).grow((0, 0, 0), sampling.coarse_shape).shape):
            continue
        channel = axis.width_hz(float(row["central_freq"].to_value("Hz")))
        total = float(row["line_flux_integral"].to_value("Jy Hz")) / channel * area / (fz * fy * fx)
        own = int(DRAWINGS[shape](galaxy)[1].sum())
        noise = observed.noise[min(max(round(galaxy.z), 0), len(observed.noise) - 1)]
        snr = total / (noise * math.sqrt(max(own, 1) * area / (fy * fx)))
        (visible if snr >= least_snr else faint).append(galaxy)
    return visible, faint


def averaged(galaxy: Galaxy, sampling: Sampling) -> Galaxy:
    """Return a galaxy on the averaged grid."""
    fz, fy, fx = sampling.factors
    z, y, x = ((c + 0.5) / f - 0.5 for c, f in ((galaxy.z, fz), (galaxy.y, fy), (galaxy.x, fx)))
    return replace(galaxy, z=z, y=y, x=x, size=galaxy.size / fx, n20=galaxy.n20 / fz, padding=galaxy.padding / fx)


def crop_within(shape: Shape) -> Shape:
    """Return the crops (z, y, x) of hisf's own network, with fewer channels where the cube has fewer."""
    return min(CROP[0], max(DEPTH, shape[0] // DEPTH * DEPTH)), CROP[1], CROP[2]


def divide(width: int, crop: int, name: str) -> tuple[Range, Range]:
    """Return the ranges of x for training and for validation, a crop apart, each with room for a galaxy.

    A fifth is for validation, as in the paper, or more where a fifth has no room.

    Raises
    ------
    InputError
        The cube is too narrow.
    """
    room = 2 * crop + GALAXY
    middle = min(int(width * TRAINING), width - crop - room)
    if middle < room:
        raise InputError(
            f"{name} is {width} pixels wide; crops of {crop} pixels for training and validation need {2 * room + crop}."
        )
    return (0, middle), (middle + crop, width)
