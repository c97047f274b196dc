"""Training crops of FORSKA-Sweden: cut from a cube with a known catalogue (spec forska §4; P §2.2.3, Fig. 4).

Half of the crops of a batch are cut around galaxies, the others are free of them. The cube is read crop by crop, so
memory does not grow with it. Everything drawn by chance is a function of (seed, number of the batch, place in it), so
that a training that was stopped goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.train.crops import Batch
from hisf.train.scene import Scene

CROP = (32, 32, 32)  # z, y, x
PER_SOURCE = 4  # background crops per galaxy
SOURCE_FRACTION = 0.5  # of a batch; 0.2 in the authors' later code
TRAINING = 0.8  # of the cube along x
ATTEMPTS = 1000  # at placing a background crop
CROPS_STREAM, BACKGROUND_STREAM = 71, 72  # keep the random numbers of the uses of a seed apart

Range = tuple[int, int]  # of x, half-open


@dataclass(frozen=True, slots=True)
class Container:
    """Where crops around a galaxy may lie.

    Attributes
    ----------
    galaxy : int
        Its place in the list of galaxies.
    box : Box
        Its mask and a crop more on every side, clipped to the cube.
    """

    galaxy: int
    box: Box


def split_by_x(width: int, fraction: float = TRAINING, gap: int = CROP[2]) -> tuple[Range, Range]:
    """Return the ranges of x for training and for validation, the latter after a gap.

    Containers and backgrounds belong to the range that holds them whole; those that straddle are dropped, so that the
    two share no voxel (§4).

    Raises
    ------
    ValueError
        One of them is empty.
    """
    middle = int(width * fraction)
    if middle <= 0 or gap < 0 or middle + gap >= width:
        raise ValueError(f"{width} pixels cannot be split at {fraction} with a gap of {gap}.")
    return (0, middle), (middle + gap, width)


def make_containers(scene: Scene, crop: Shape = CROP, within: Range | None = None) -> list[Container]:
    """Return the containers of the galaxies of a scene that lie wholly within a range of x (default: the cube).

    Galaxies without a voxel in the cube have none.

    Raises
    ------
    InputError
        The cube is smaller than a crop.
    """
    if any(n < m for n, m in zip(scene.shape, crop, strict=True)):
        raise InputError(f"A cube of {scene.shape} (z, y, x) has no room for training crops of {crop}.")
    x0, x1 = within or (0, scene.shape[2])
    containers = []
    for n in range(len(scene.galaxies)):
        found = scene.own_mask(n)
        if found is not None:
            box = found[0].grow(crop, scene.shape)
            if x0 <= box.x0 and box.x1 <= x1:
                containers.append(Container(n, box))
    return containers


def place_backgrounds(
    scene: Scene, number: int, rng: np.random.Generator, crop: Shape = CROP, within: Range | None = None
) -> list[Box]:
    """Return boxes of the size of a crop without any galaxy, uniformly placed within a range of x; they may overlap.

    Raises
    ------
    InputError
        The range is narrower than a crop, or `ATTEMPTS` places in succession were not free.
    """
    x0, x1 = within or (0, scene.shape[2])
    low, high = (0, 0, x0), (scene.shape[0], scene.shape[1], x1)
    if any(b - a < m for a, b, m in zip(low, high, crop, strict=True)):
        raise InputError(f"A cube of {scene.shape} with x from {x0} to {x1 - 1} has no room for crops of {crop}.")
    boxes: list[Box] = []
    failed = 0
    while len(boxes) < number:
        corner = [int(rng.integers(a, b - m + 1)) for a, b, m in zip(low, high, crop, strict=True)]
        box = _at(corner, crop)
        if scene.is_free(box):
            boxes.append(box)
            failed = 0
        elif (failed := failed + 1) >= ATTEMPTS:
            raise InputError(f"No room for background crops of {crop} between the {len(scene.galaxies)} galaxies.")
    return boxes


def place_crop(scene: Scene, container: Container, rng: np.random.Generator, crop: Shape = CROP) -> Box:
    """Return a crop around a galaxy: a voxel of its mask, drawn uniformly, lies at a uniformly drawn place of it.

    The crop stays inside the container, which only matters where the cube ends.
    """
    found = scene.own_mask(container.galaxy)
    assert found is not None  # else there were no container
    box, mask = found
    inside = np.flatnonzero(mask)
    voxel = np.unravel_index(int(inside[rng.integers(len(inside))]), mask.shape)
    start, outer = (box.z0, box.y0, box.x0), container.box
    low, high = (outer.z0, outer.y0, outer.x0), (outer.z1, outer.y1, outer.x1)
    corner = []
    for axis, size in enumerate(crop):
        wanted = start[axis] + int(voxel[axis]) - int(rng.integers(size))
        corner.append(min(max(wanted, low[axis]), high[axis] - size))
    return _at(corner, crop)


def _at(corner: Sequence[int], shape: Shape) -> Box:
    z, y, x = corner
    return Box(z, z + shape[0], y, y + shape[1], x, x + shape[2])


def turn(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Draw one of the eight turns of the sky: by quarter circles, then mirrored along x or not; never the spectrum.

    Returns
    -------
    callable
        Of an array (z, y, x); returns a view of it.
    """
    quarters, mirror = int(rng.integers(4)), bool(rng.integers(2))

    def apply(a: np.ndarray) -> np.ndarray:
        a = np.rot90(a, quarters, (1, 2))
        return a[:, :, ::-1] if mirror else a

    return apply


class GalaxyBatches:
    """Makes batches from a cube and its catalogue.

    Parameters
    ----------
    voxels : Voxels
        The cube as the network is to see it, that is, normalised; NaN becomes 0 and is not learnt from.
    scene : Scene
        Of the same shape.
    seed : int
        Not negative.
    crop : tuple of int
        (z, y, x).
    within : tuple of int, optional
        Range of x, see `split_by_x`.
    source_fraction : float
        Share of a batch that is cut around galaxies, 0 to 1.
    per_source : int
        Background crops per container.
    augment : bool
        Whether crops are turned on the sky.

    Attributes
    ----------
    containers : list of Container
    backgrounds : list of Box

    Raises
    ------
    ValueError
        Shapes differ, a share is out of range, or crops that are not square on the sky are to be turned.
    InputError
        There is no galaxy, or no room for a crop or a background.
    """

    def __init__(
        self,
        voxels: Voxels,
        scene: Scene,
        seed: int,
        crop: Shape = CROP,
        within: Range | None = None,
        source_fraction: float = SOURCE_FRACTION,
        per_source: int = PER_SOURCE,
        augment: bool = True,
    ) -> None:
        if voxels.shape != scene.shape:
            raise ValueError(f"The cube has the shape {voxels.shape}, the scene {scene.shape}.")
        if not 0 <= source_fraction <= 1 or per_source < 0 or (per_source == 0 and source_fraction < 1):
            raise ValueError(f"source_fraction = {source_fraction} with per_source = {per_source} makes no batch.")
        if augment and crop[1] != crop[2]:
            raise ValueError(f"Crops of {crop} are not square on the sky and cannot be turned.")
        self.voxels, self.scene, self.seed, self.crop = voxels, scene, seed, crop
        self.source_fraction, self.augment = source_fraction, augment
        self.containers = make_containers(scene, crop, within)
        if not self.containers:
            raise InputError("No galaxy of the catalogue lies, with its surroundings, in this part of the cube.")
        rng = np.random.default_rng([seed, BACKGROUND_STREAM])
        self.backgrounds = place_backgrounds(scene, per_source * len(self.containers), rng, crop, within)

    def __len__(self) -> int:
        """Return the number of crops that make an epoch: containers and backgrounds."""
        return len(self.containers) + len(self.backgrounds)

    def batch(self, step: int, size: int) -> Batch:
        """Return batch number ``step``: crops around galaxies first, then background.

        Containers and backgrounds are drawn uniformly, with replacement.
        """
        data = np.zeros((size, 1, *self.crop), np.float32)
        target, valid = np.zeros_like(data), np.ones_like(data)
        galaxies = int(size * self.source_fraction + 0.5)
        for n in range(size):
            rng = np.random.default_rng([self.seed, CROPS_STREAM, step, n])
            if n < galaxies:
                container = self.containers[int(rng.integers(len(self.containers)))]
                box = place_crop(self.scene, container, rng, self.crop)
            else:
                box = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            turned = turn(rng) if self.augment else _same
            piece = np.asarray(self.voxels.read(box), np.float32)
            blank = np.isnan(piece)
            data[n, 0] = turned(np.where(blank, np.float32(0.0), piece))
            target[n, 0] = turned(self.scene.target(box))
            valid[n, 0] = turned(~(blank | self.scene.doubtful(box)))
        return Batch(data, target, valid)


def _same(a: np.ndarray) -> np.ndarray:
    return a
