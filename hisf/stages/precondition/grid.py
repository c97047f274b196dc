"""Values measured in moving windows on a grid (spec sofia2 §3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Settings

DEFAULT_XY, DEFAULT_Z = 25, 15  # windows that a size of 0 stands for


@dataclass(frozen=True)
class Grid:
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

    def read(self, box: Box) -> np.ndarray:
        """Return the values of ``box``, shape ``box.shape``; NaN where there is none."""
        from hisf.kernels.windows import spread_cells

        spacing = self.spacing_z, self.spacing_xy
        planes = spread_cells(
            self.cells, self.z, self.y, self.x, self.shape, *spacing, self.interpolate, box.z0, box.z1
        )
        return planes[:, box.y0 : box.y1, box.x0 : box.x1]


def window_and_grid(window: int, grid: int, default: int) -> tuple[int, int]:
    """Return the odd window and grid sizes in use (spec sofia2 §1.4): 0 takes the default, even sizes grow by one."""
    window = window or default
    window += 1 - window % 2
    grid = grid or max(1, window // 2)
    return window, grid + 1 - grid % 2


def measure_grid(
    voxels: Voxels,
    settings: Settings,
    section: str,
    measure: Callable[..., np.ndarray],
    workspace: Workspace,
    advance: Callable[[int], None],
) -> Grid:
    """Measure something in windows of a cube, slab by slab.

    Parameters
    ----------
    voxels : Voxels
    settings : Settings
        Windows, grid and interpolation are those of ``section``: ``scaleNoise`` or ``rippleFilter``.
    section : str
    measure : callable
        ``measure(planes, z, y, x, half_z, half_xy, z_offset=…)``, as the functions of `hisf.kernels.windows`.
    workspace : Workspace
    advance : callable
        ``advance(n)`` after every n voxels.
    """
    from hisf.kernels.windows import grid_centres

    nz, ny, nx = voxels.shape
    window_xy, grid_xy = window_and_grid(settings[f"{section}.windowXY"], settings[f"{section}.gridXY"], DEFAULT_XY)
    window_z, grid_z = window_and_grid(settings[f"{section}.windowZ"], settings[f"{section}.gridZ"], DEFAULT_Z)
    z, y, x = grid_centres(nz, grid_z), grid_centres(ny, grid_xy), grid_centres(nx, grid_xy)
    cells = np.empty((len(z), len(y), len(x)), voxels.dtype)
    half = window_z // 2
    for box in workspace.slabs(voxels):
        mine = np.flatnonzero((z >= box.z0) & (z < box.z1))
        if len(mine):
            low, high = int(max(0, z[mine[0]] - half)), int(min(nz, z[mine[-1]] + half + 1))
            planes = voxels.read(Box(low, high, 0, ny, 0, nx))
            cells[mine] = measure(planes, z[mine], y, x, half, window_xy // 2, z_offset=low)
        advance(box.size)
    return Grid(cells, z, y, x, voxels.shape, grid_z, grid_xy, settings[f"{section}.interpolate"])
