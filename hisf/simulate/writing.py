"""Making the cube: one channel after the other, each galaxy rendered when its first channel comes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from hisf.data.box import Box
from hisf.simulate.cloud import Model
from hisf.simulate.galaxy import Galaxy
from hisf.simulate.geometry import Geometry
from hisf.simulate.noise import Layer
from hisf.simulate.render import clip, place_of, render
from hisf.simulate.truth import Measured, measure

MASK_FRACTION = 0.1  # of the peak of a galaxy, above which voxels carry its label
WORKERS = 2  # threads that make noise ahead of the writer
LARGE_PLANE = 4_000_000  # pixels; noise of larger channels is made by one thread


def write_cube(
    path: Path,
    geometry: Geometry,
    galaxies: Sequence[Galaxy],
    model: Model,
    layers: Sequence[Layer],
    level: np.ndarray,
    mask: Path | None = None,
    mask_fraction: float = MASK_FRACTION,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Measured]:
    """Write a cube, float32, Jy/beam, and perhaps its mask, int32.

    Parameters
    ----------
    path : Path
        Written in place.
    geometry : Geometry
    galaxies : sequence of Galaxy
    model : Model
    layers : sequence of Layer
        Noise and the like; none: noiseless.
    level : ndarray, shape (z,), Jy/beam
        Noise that S/N in the truth refers to.
    mask : Path, optional
        Label of the galaxy in voxels brighter than ``mask_fraction`` of its peak, without noise; where galaxies overlap
        that of the brighter voxel; 0 elsewhere. A sparse file where the file system has them.
    mask_fraction : float
    advance : callable
        Told the number of voxels after every channel.

    Returns
    -------
    list of Measured
        In the order of ``galaxies``.

    Notes
    -----
    Memory: up to five channels, and the galaxies that cross the present one.
    """
    measured: dict[int, Measured] = {}
    _, ny, nx = geometry.shape
    stream = _galaxies_by_channel(geometry, galaxies, model, level, measured)
    with ExitStack() as stack:
        cube = stack.enter_context(_Writer(path, geometry, -32))
        labels = stack.enter_context(_Writer(mask, geometry, 32)) if mask else None
        for (z, active), plane in zip(stream, _backgrounds(geometry, layers), strict=True):
            label, brightest = np.zeros((ny, nx), np.int32) if labels else None, None
            for number, box, cutout, floor in active:
                image, place = cutout[z - box.z0], box.slices[1:]
                plane[place] += image
                if label is not None:
                    brightest = np.zeros((ny, nx), np.float32) if brightest is None else brightest
                    mine = (image > floor * mask_fraction) & (image > brightest[place])
                    label[place][mine], brightest[place][mine] = number, image[mine]
            cube.write(plane)
            if labels and label is not None:
                labels.write(label)
            advance(ny * nx)
    return [measured[galaxy.id] for galaxy in galaxies]


def _galaxies_by_channel(
    geometry: Geometry, galaxies: Sequence[Galaxy], model: Model, level: np.ndarray, measured: dict[int, Measured]
) -> Iterator[tuple[int, list[tuple[int, Box, np.ndarray, float]]]]:
    """Yield every channel with its galaxies: label, box and cut-out within the cube, peak."""
    waiting = []
    for galaxy in galaxies:
        place = place_of(galaxy, geometry)
        waiting.append((place.z - model.reach(galaxy, place) - 1.0, galaxy.id, galaxy))
    queue = deque(sorted(waiting, key=lambda entry: entry[:2]))
    active: list[tuple[int, Box, np.ndarray, float]] = []
    for z in range(geometry.shape[0]):
        active = [entry for entry in active if entry[1].z1 > z]
        while queue and (queue[0][0] <= z or z == geometry.shape[0] - 1):
            galaxy = queue.popleft()[2]
            box, cutout = render(galaxy, geometry, model)
            found = measure(galaxy, model.describe(galaxy), box, cutout, geometry, level)
            measured[galaxy.id] = found
            inner, part = clip(box, cutout, geometry.shape)
            if part.size:
                active.append((galaxy.id, inner, part, float(cutout.max())))
        yield z, [entry for entry in active if entry[1].z0 <= z < entry[1].z1]


def _backgrounds(geometry: Geometry, layers: Sequence[Layer]) -> Iterator[np.ndarray]:
    """Yield the channels without galaxies, made ahead by threads; they do not depend on who makes them."""
    nz, ny, nx = geometry.shape

    def make(z: int) -> np.ndarray:
        plane = np.zeros((ny, nx), np.float32)
        for layer in layers:
            layer.add(plane, z)
        return plane

    workers = 1 if ny * nx > LARGE_PLANE else min(WORKERS, os.cpu_count() or 1)
    if not layers:
        yield from (make(z) for z in range(nz))
        return
    first = make(0)  # before the threads: what layers keep is computed once
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[np.ndarray]] = deque()
        yield first
        try:
            for z in range(1, nz + workers + 1):
                if z < nz:
                    ahead.append(pool.submit(make, z))
                if ahead and (len(ahead) > workers or z >= nz):
                    yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


class _Writer:
    """A FITS cube written channel by channel; channels of zeros are holes in the file."""

    def __init__(self, path: Path, geometry: Geometry, bitpix: int) -> None:
        self._file: BinaryIO = path.open("wb")
        self._file.write(_header(geometry, bitpix).tostring(sep="", endcard=True, padding=True).encode("ascii"))
        self._type = {-32: ">f4", 32: ">i4"}[bitpix]

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        end = self._file.tell()
        self._file.truncate(end + -end % 2880)
        self._file.close()

    def write(self, plane: np.ndarray) -> None:
        """Append a channel."""
        if plane.any():
            self._file.write(plane.astype(self._type).data)
        else:
            self._file.seek(plane.nbytes, os.SEEK_CUR)


def _header(geometry: Geometry, bitpix: int) -> fits.Header:
    header = fits.Header()
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, bitpix, geometry.header["NAXIS"]
    for n in range(1, header["NAXIS"] + 1):
        header[f"NAXIS{n}"] = geometry.header[f"NAXIS{n}"]
    for key, value in geometry.header.items():
        if not key.startswith("NAXIS") and (bitpix < 0 or key != "BUNIT"):
            header[key] = value
    header["ORIGIN"] = "hisf simulate"
    return header
