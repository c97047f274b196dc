"""The noise of a cube by channel or by place, measured once and then divided out box by box (spec sofia2 §3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Settings


class NoiseModel(Protocol):
    """Noise of every voxel of a cube."""

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide ``data`` of shape ``box.shape`` by its noise, in place."""
        ...


@dataclass(frozen=True)
class SpectralNoise:
    """One value per channel.

    Attributes
    ----------
    spectrum : ndarray of float64, shape (nz,)
        NaN for a channel without samples.
    """

    spectrum: np.ndarray

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide every channel by its noise; in double, result in array precision, no protection against 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            for plane, noise in zip(data, self.spectrum[box.z0 : box.z1], strict=True):
                np.divide(plane, noise, out=plane, dtype=np.float64, casting="same_kind")
        return data


@dataclass(frozen=True)
class LocalNoise:
    """One value per cell of a grid, spread over the cell or interpolated between cell centres.

    Attributes
    ----------
    cells : ndarray, shape (len(z), len(y), len(x))
        Array precision; NaN where a window had fewer than 10 finite voxels.
    z, y, x : ndarray of int
        Centres of the cells.
    shape : tuple of int
        (z, y, x) of the cube.
    spacing_z, spacing_xy : int
    interpolate : bool
    """

    cells: np.ndarray
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    shape: Shape
    spacing_z: int
    spacing_xy: int
    interpolate: bool

    def planes(self, first: int, last: int) -> np.ndarray:
        """Return the noise of channels ``first`` to ``last`` (exclusive), shape (last − first, ny, nx)."""
        from hisf.kernels.windows import spread_cells

        spacing = self.spacing_z, self.spacing_xy
        return spread_cells(self.cells, self.z, self.y, self.x, self.shape, *spacing, self.interpolate, first, last)

    def divide(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Divide by the noise where it is positive; blank everything else."""
        noise = self.planes(box.z0, box.z1)[:, box.y0 : box.y1, box.x0 : box.x1]
        positive = noise > 0
        np.divide(data, noise, out=data, where=positive)
        data[~positive] = np.nan
        return data


def measure_noise(
    voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None] = lambda n: None
) -> NoiseModel:
    """Measure the noise of a cube as the settings of ``scaleNoise`` say.

    Parameters
    ----------
    voxels : Voxels
        Read slab by slab.
    settings : Settings
    workspace : Workspace
    advance : callable
        ``advance(n)`` after every n voxels.
    """
    local = settings["scaleNoise.mode"] == "local"
    return (_local if local else _spectral)(voxels, settings, workspace, advance)


def _spectral(
    voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None]
) -> SpectralNoise:
    from hisf.kernels.noise import noise_of_planes

    spectrum = np.empty(voxels.shape[0])
    for box in workspace.slabs(voxels):
        spectrum[box.z0 : box.z1] = noise_of_planes(
            voxels.read(box), settings["scaleNoise.statistic"], settings["scaleNoise.fluxRange"]
        )
        advance(box.size)
    return SpectralNoise(spectrum)


def window_and_grid(window: int, grid: int, default: int) -> tuple[int, int]:
    """Return the odd window and grid sizes in use (spec sofia2 §1.4): 0 takes the default, even sizes grow by one."""
    window = window or default
    window += 1 - window % 2
    grid = grid or max(1, window // 2)
    return window, grid + 1 - grid % 2


def _local(voxels: Voxels, settings: Settings, workspace: Workspace, advance: Callable[[int], None]) -> LocalNoise:
    from hisf.kernels.windows import grid_centres, noise_of_windows

    nz, ny, nx = voxels.shape
    window_xy, grid_xy = window_and_grid(settings["scaleNoise.windowXY"], settings["scaleNoise.gridXY"], 25)
    window_z, grid_z = window_and_grid(settings["scaleNoise.windowZ"], settings["scaleNoise.gridZ"], 15)
    z, y, x = grid_centres(nz, grid_z), grid_centres(ny, grid_xy), grid_centres(nx, grid_xy)
    cells = np.empty((len(z), len(y), len(x)), voxels.dtype)
    done = nz
    for box in workspace.slabs(voxels):
        mine = np.flatnonzero((z >= box.z0) & (z < box.z1))
        if len(mine):
            half = window_z // 2
            low, high = max(0, z[mine[0]] - half), min(nz, z[mine[-1]] + half + 1)
            planes = voxels.read(Box(int(low), int(high), 0, ny, 0, nx))
            cells[mine] = noise_of_windows(
                planes, z[mine], y, x, half, window_xy // 2,
                settings["scaleNoise.statistic"], settings["scaleNoise.fluxRange"], z_offset=int(low),
            )  # fmt: skip
        advance((done - box.z0) * ny * nx)
        done = box.z0
    return LocalNoise(cells, z, y, x, voxels.shape, grid_z, grid_xy, settings["scaleNoise.interpolate"])
