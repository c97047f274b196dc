"""Flagging: boxes, positions, channels and spectra that are blanked (spec sofia2 §3.2)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.data.positions import read_positions
from hisf.data.voxels import Voxels
from hisf.errors import FileAccessError, InputError
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.precondition.contract import Advance, Step

log = logging.getLogger(__name__)
AUTOMATIC = {"channels": (True, False), "pixels": (False, True), "true": (True, True)}


class FlagRegions(Step):
    """Blank the boxes of ``flag.region``.

    Upper bounds are clipped to the cube and a lower bound above its upper bound is pulled down to it, so that a box
    outside the cube still blanks its last plane, as in SoFiA.
    """

    name = "flag regions"
    position = 10
    measuring = True

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self.boxes = flag_boxes(settings["flag.region"], cube.shape)

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there are boxes."""
        return bool(settings["flag.region"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Blank the voxels of ``box`` that lie in a flagged box."""
        for flagged in self.boxes:
            if flagged.overlaps(box):
                b = flagged.inside(box)
                data[max(0, b.z0) : b.z1, max(0, b.y0) : b.y1, max(0, b.x0) : b.x1] = np.nan
        return data


class FlagCube(Step):
    """Blank the non-zero voxels of ``flag.cube``, which has the size of the data; of floating-point values, the NaN."""

    name = "flag cube"
    position = 5
    measuring = True

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there is a cube of flags."""
        return bool(settings["flag.cube"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Blank the flagged voxels of ``box``."""
        flags = self.cube.companions["flag"]
        data[flags.read_labels(box) != 0 if flags.holds_labels else np.isnan(flags.read(box))] = np.nan
        return data


class FlagPositions(Step):
    """Blank discs of ``flag.radius`` pixels, in all channels, around the positions of ``flag.catalog``.

    Raises
    ------
    FileAccessError
        The table is missing.
    InputError
        It is ragged or holds words, or the cube has no world coordinates.
    """

    name = "flag positions"
    position = 30
    measuring = True

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        path = Path(settings["flag.catalog"])
        if not path.exists():
            raise FileAccessError(f"{path}: no such file (flag.catalog, {settings.origin('flag.catalog')}).")
        self.mask = flagged_discs(cube, path, settings["flag.radius"])

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether there is a table of positions."""
        return bool(settings["flag.catalog"])

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Blank the discs."""
        data[:, self.mask[box.y0 : box.y1, box.x0 : box.x1]] = np.nan
        return data


class FlagAutomatically(Step):
    """Blank channels and spectra whose noise is far from the median noise of all of them (``flag.auto``).

    Attributes
    ----------
    channels : ndarray of bool, shape (nz,)
    pixels : ndarray of bool, shape (ny, nx)
    """

    name = "flag automatically"
    position = 80
    measuring = True

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        nz, ny, nx = cube.shape
        self.channels, self.pixels = np.zeros(nz, np.bool_), np.zeros((ny, nx), np.bool_)

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether ``flag.auto`` is channels, pixels or true."""
        return settings["flag.auto"] in AUTOMATIC

    def measure(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Measure the noise of all channels and all spectra and mark those that deviate."""
        from hisf.kernels.scatter import outliers, robust_noise_of_channels, robust_noise_of_spectra

        threshold = self.settings["flag.threshold"]
        by_channel, by_pixel = AUTOMATIC[self.settings["flag.auto"]]
        if by_channel:
            noise = np.empty(voxels.shape[0], voxels.dtype)
            for box in workspace.slabs(voxels):
                noise[box.z0 : box.z1] = robust_noise_of_channels(voxels.read(box))
            self.channels = outliers(noise, threshold)
        if by_pixel:
            image = np.empty(voxels.shape[1:])
            for box in workspace.rows(voxels):
                image[box.y0 : box.y1] = robust_noise_of_spectra(voxels.read(box))
            self.pixels = outliers(image, threshold)
        advance(voxels.shape[0] * voxels.shape[1] * voxels.shape[2])
        log.info("%d channels and %d spectra flagged", self.channels.sum(), self.pixels.sum())

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Blank what was marked."""
        data[self.channels[box.z0 : box.z1]] = np.nan
        data[:, self.pixels[box.y0 : box.y1, box.x0 : box.x1]] = np.nan
        return data


def flagged_discs(cube: Cube, path: Path, radius: int) -> np.ndarray:
    """Return which pixels lie within ``radius`` of a position of a table: bool, shape (y, x)."""
    _, ny, nx = cube.shape
    mask = np.zeros((ny, nx), np.bool_)
    positions = read_positions(path)
    if positions is None:
        return mask
    if cube.wcs is None:
        raise InputError(f"flag.catalog = {path}: {cube.name} has no world coordinates to find its positions with.")
    reach = np.arange(-radius, radius + 1)
    dy, dx = np.nonzero(reach[:, None] ** 2 + reach**2 <= radius**2)
    for x, y in zip(*cube.wcs.to_pixel(positions[:, 0], positions[:, 1]), strict=True):
        if not (np.isfinite(x) and np.isfinite(y)):
            continue
        px, py = int(x + 0.5), int(y + 0.5)  # towards zero: −0.7 is still pixel 0
        if 0 <= px < nx and 0 <= py < ny:
            rows, columns = py + reach[dy], px + reach[dx]
            inside = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
            mask[rows[inside], columns[inside]] = True
    return mask


def flag_boxes(values: tuple[int, ...], shape: Shape) -> list[Box]:
    """Turn ``flag.region`` (xmin, xmax, ymin, ymax, zmin, zmax, … inclusive) into boxes of a cube of ``shape``."""
    boxes = []
    for start in range(0, len(values) - len(values) % 6, 6):
        bounds = []
        for axis, size in enumerate(reversed(shape)):
            low, high = values[start + 2 * axis : start + 2 * axis + 2]
            high = min(high, size - 1)
            bounds.append((min(low, high), high + 1))
        (x0, x1), (y0, y1), (z0, z1) = bounds
        boxes.append(Box(z0, z1, y0, y1, x0, x1))
    return boxes
