"""Running finders over the tiles of a cube."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Tile, slabs
from hisf.data.mask_store import MaskStore, raster
from hisf.data.voxels import Voxels
from hisf.errors import PluginError
from hisf.execution.engine import Workers
from hisf.execution.journal import Journal
from hisf.execution.progress import Progress
from hisf.execution.tiling import Tiling
from hisf.execution.workspace import Workspace
from hisf.stages.finders.contract import Finder

THIN = 1 << 22  # voxels of a tile that a finder is asked for without its reading any


@dataclass(frozen=True)
class Search:
    """A finder at work on any tile of a cube: all that a worker needs to know.

    Attributes
    ----------
    finder : Finder
        After `Finder.look`.
    voxels : Voxels
        The preconditioned cube.
    score_threshold : float
        Voxels of a higher score are detected, where the finder gives scores.
    """

    finder: Finder
    voxels: Voxels
    score_threshold: float

    def __call__(self, core: Box) -> np.ndarray:
        """Return the raster indices of what is detected in the core of a tile: int64, ascending.

        Raises
        ------
        PluginError
            The finder returns something that is neither a mask nor a score of the tile's shape.
        """
        return self.scored(core)[0]

    def scored(self, core: Box) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the raster indices of what is detected in the core of a tile, and the scores there.

        Returns
        -------
        voxels : ndarray of int64, shape (n,)
            Ascending.
        scores : ndarray of float, shape (n,), or None
            None where the finder gives a mask.
        """
        box = core.grow(self.finder.halo(), self.voxels.shape)
        if self.finder.reads_tiles:
            data = self.voxels.read(box).view()
        else:
            data = np.broadcast_to(self.voxels.dtype.type(0), box.shape)
        data.flags.writeable = False
        tile = Tile(core, box, data)
        answer = answer_of(self.finder, tile)[tile.inner]
        mask = above(answer, self.score_threshold)
        return raster(core, mask, self.voxels.shape), None if answer.dtype == np.bool_ else answer[mask]


def run_finders(
    finders: Sequence[Finder],
    voxels: Voxels,
    workspace: Workspace,
    progress: Progress,
    tiling: Tiling,
    journal: Journal | None = None,
    workers: Workers | None = None,
    found: MaskStore | None = None,
) -> MaskStore:
    """Return what the finders detect in a cube: the union of their masks, tile by tile.

    Parameters
    ----------
    finders : sequence of Finder
    voxels : Voxels
        The preconditioned cube.
    workspace : Workspace
    progress : Progress
    tiling : Tiling
        How the cube is cut; the result does not depend on it.
    journal : Journal, optional
        Where finished tiles are kept, and looked for.
    workers : Workers, optional
        Other processes that compute tiles.
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
            search = Search(finder, voxels, finder.settings[finder.score_parameter])
            for core, detections in _tiles(search, tiling, journal, workers if finder.portable else None):
                store.add(detections, finder.name)
                workspace.release()
                advance(core.size)
    return store


def _tiles(
    search: Search, tiling: Tiling, journal: Journal | None, workers: Workers | None
) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield every tile with what is detected in it, in any order; those that are known already come first."""
    cores = tiling.cores(search.voxels, search.finder.grid(), search.finder.halo())
    if not search.finder.reads_tiles:
        journal = None  # there is nothing to save
        cores = (piece for core in cores for piece in _thin(core))
    missing = []
    for core in cores:
        known = journal.recall(_entry(search, core)) if journal else None
        if known is None:
            missing.append(core)
        else:
            yield core, known
    answers = workers.map_tiles(search, missing) if workers else ((core, search(core)) for core in missing)
    for core, detections in answers:
        if journal:
            journal.keep(_entry(search, core), detections)
        yield core, detections


def _thin(core: Box) -> Iterator[Box]:
    """Cut a tile that is not read, so that its mask takes little memory."""
    _, ny, nx = core.shape
    for box in slabs(core.shape, max(1, THIN // (ny * nx))):
        yield box.shift(core.z0, core.y0, core.x0)


def _entry(search: Search, core: Box) -> str:
    """Return the name of a tile in the journal."""
    return f"{search.finder.name} tile {core.z0}:{core.z1} {core.y0}:{core.y1} {core.x0}:{core.x1}"


def answer_of(finder: Finder, tile: Tile) -> np.ndarray:
    """Return the mask or the score that a finder gives for a tile.

    Raises
    ------
    PluginError
        It gives neither.
    """
    answer = np.asarray(finder.find(tile))
    complaint = complaint_about(answer, tile)
    if complaint:
        raise PluginError(f"finder {finder.name} {complaint}.")
    return answer


def complaint_about(answer: np.ndarray, tile: Tile) -> str:
    """Return what is wrong with the answer of a finder for a tile; empty if nothing is."""
    if answer.shape != tile.data.shape:
        return f"returned an array of shape {answer.shape} for a tile of shape {tile.data.shape}"
    if answer.dtype == np.bool_:
        return ""
    if answer.dtype.kind != "f":
        return f"returned {answer.dtype}; a mask must be bool and a score floating-point, 0 to 1"
    inside = answer[tile.inner]
    low, high = inside.min(initial=0.0), inside.max(initial=0.0)
    if not (low >= 0 and high <= 1):  # NaN is neither
        return f"returned scores from {low:g} to {high:g}; a score is 0 to 1, 0 in blank voxels"
    return ""


def above(answer: np.ndarray, score_threshold: float) -> np.ndarray:
    """Return what is detected: a mask as it is, and of a score the voxels above the threshold, strictly."""
    return answer if answer.dtype == np.bool_ else answer > score_threshold
