"""How a cube is cut into tiles: along the file, as large as there is room for, on the grid that a finder asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hisf.data.box import Box, Shape
from hisf.data.voxels import ArrayVoxels, Voxels

COPIES = 3  # of the data of a tile while it is searched, answer included


@dataclass(frozen=True)
class Tiling:
    """A rule for cutting cubes.

    Attributes
    ----------
    room : int
        Bytes that a tile with its halo and everything made of it may take.
    wanted : tuple of int
        Shape (z, y, x) that the user asks for; 0 leaves an axis to ``room``.
    """

    room: int
    wanted: Shape = (0, 0, 0)

    def shape(self, voxels: Voxels, grid: Shape, halo: Shape) -> Shape:
        """Return the shape (z, y, x) of tiles: multiples of ``grid``, or what there is of the cube.

        A tile grows along x first, then along y and z, which is how a file is laid out. A cube that lies in memory
        is one tile, where no grid is asked for.
        """
        cube = voxels.shape
        if isinstance(voxels, ArrayVoxels) and grid == (1, 1, 1) and not any(self.wanted):
            return cube
        tile = [min(n, g * -(-max(w, 1) // g)) for n, g, w in zip(cube, grid, self.wanted, strict=True)]
        for axis in (2, 1, 0):
            if self.wanted[axis]:
                continue
            fixed = math.prod(
                min(n, t + 2 * h) for k, (n, t, h) in enumerate(zip(cube, tile, halo, strict=True)) if k != axis
            )
            most = self.room // (COPIES * voxels.dtype.itemsize * fixed) - 2 * halo[axis]
            tile[axis] = min(cube[axis], max(grid[axis], most // grid[axis] * grid[axis]))
        return tile[0], tile[1], tile[2]

    def cores(self, voxels: Voxels, grid: Shape, halo: Shape) -> Iterator[Box]:
        """Yield the cores of all tiles, from the last channel down, each voxel in one of them."""
        (nz, ny, nx), (dz, dy, dx) = voxels.shape, self.shape(voxels, grid, halo)
        for z in reversed(range(0, nz, dz)):
            for y in range(0, ny, dy):
                for x in range(0, nx, dx):
                    yield Box(z, min(nz, z + dz), y, min(ny, y + dy), x, min(nx, x + dx))
