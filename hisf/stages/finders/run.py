"""Running finders over the tiles of a cube."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hisf.data.box import Box, Tile
from hisf.data.mask_store import MaskStore
from hisf.data.voxels import Voxels
from hisf.errors import PluginError
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.stages.finders.contract import Finder


def run_finders(
    finders: Sequence[Finder],
    voxels: Voxels,
    score_threshold: float,
    workspace: Workspace,
    progress: Progress,
    found: MaskStore | None = None,
) -> MaskStore:
    """Return what the finders detect in a cube: the union of their masks, tile by tile.

    Parameters
    ----------
    finders : sequence of Finder
    voxels : Voxels
        The preconditioned cube.
    score_threshold : float
        Voxels of a higher score are detected, where a finder gives scores.
    workspace : Workspace
    progress : Progress
    found : MaskStore, optional
        What was detected before; it is added to, and returned.

    Raises
    ------
    PluginError
        A finder returns something that is neither a mask nor a score of the tile's shape.
    """
    store = MaskStore(voxels.shape) if found is None else found
    size = int(np.prod(voxels.shape))
    for finder in finders:
        with progress.stage(finder.name, size * (1 + finder.passes())) as advance:
            finder.look(voxels, workspace, advance)
            for core in _cores(finder, voxels, workspace):
                box = core.grow(finder.halo(), voxels.shape)
                data = voxels.read(box).view()
                data.flags.writeable = False
                tile = Tile(core, box, data)
                store.add(core, detected(finder, tile, score_threshold)[tile.inner], finder.name)
                advance(core.size)
    return store


def _cores(finder: Finder, voxels: Voxels, workspace: Workspace) -> Iterator[Box]:
    """Cut the cube into tiles: slabs of whole channels, or the cells of the finder's grid."""
    grid = finder.grid()
    if grid == (1, 1, 1):
        yield from workspace.slabs(voxels)
        return
    (nz, ny, nx), (dz, dy, dx) = voxels.shape, grid
    for z in range(0, nz, dz):
        for y in range(0, ny, dy):
            for x in range(0, nx, dx):
                yield Box(z, min(nz, z + dz), y, min(ny, y + dy), x, min(nx, x + dx))


def detected(finder: Finder, tile: Tile, score_threshold: float) -> np.ndarray:
    """Return the mask of a tile, whether the finder gives a mask or a score.

    Raises
    ------
    PluginError
        It gives neither.
    """
    answer = np.asarray(finder.find(tile))
    if answer.shape != tile.data.shape:
        raise PluginError(
            f"finder {finder.name} returned an array of shape {answer.shape} for a tile of shape {tile.data.shape}."
        )
    if answer.dtype == np.bool_:
        return answer
    if answer.dtype.kind != "f":
        raise PluginError(
            f"finder {finder.name} returned {answer.dtype}; a mask must be bool and a score floating-point, 0 to 1."
        )
    return answer > score_threshold
