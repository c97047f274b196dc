"""What a finder is: parameters, a halo, an optional look at the whole cube, a tile turned into a mask or a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from hisf.data.box import Shape, Tile
from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Parameter, Settings

Advance = Callable[[int], None]


class Finder(ABC):
    """A source finder. Tiling, memory, linking and products are done for it.

    Parameters
    ----------
    settings : Settings
        Every parameter, those of the finder included: ``settings["myfinder.threshold"]``.
    cube : Cube
        Header, world coordinates, beam and unit of the cube; for voxels use what `look` and `find` are given.

    Attributes
    ----------
    name : str
        What the user writes in ``pipeline.finder`` and after ``--finder``.
    parameters : tuple of Parameter
        Declared under the finder's own prefix; they are parsed, checked, listed and documented like any other.
    portable : bool
        Whether `find` may run in another process, to which the finder is pickled after `look`.
    reads_tiles : bool
        Whether `find` looks at the data of a tile; where it is False, they are zeros that were never read.
    score_parameter : str
        The parameter that a score has to exceed, where `find` gives scores; it is of no concern to `look` and `find`.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    portable: ClassVar[bool] = True
    reads_tiles: ClassVar[bool] = True
    score_parameter: ClassVar[str] = "pipeline.scoreThreshold"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    def halo(self) -> Shape:
        """Return how many voxels (z, y, x) `find` must see beyond those it answers for; none by default."""
        return 0, 0, 0

    def grid(self) -> Shape:
        """Return voxels (z, y, x): the edges of tiles lie on multiples of them, or on the edge of the cube.

        (1, 1, 1), any tile, by default. A finder whose answer for a voxel depends on the piece that it is computed in
        names the size of such pieces here, and gives the same answer however the cube is cut.
        """
        return 1, 1, 1

    def look(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:  # noqa: B027 - optional
        """Look at the whole cube once, before the first tile, reading it by the box; nothing by default.

        Parameters
        ----------
        voxels : Voxels
            The preconditioned cube.
        workspace : Workspace
            Cuts the cube into slabs that fit the memory, lends scratch arrays, and remembers what a resumed run need
            not compute again.
        advance : callable
            ``advance(n)`` after every n voxels, for the progress display.
        """

    def arrays(self) -> tuple[int, ...]:
        """Return the bytes of the arrays as large as the cube that `look` asks the workspace for; none by default."""
        return ()

    def memory(self) -> int:
        """Return the bytes that `find` needs besides a tile and its answer; 0 by default."""
        return 0

    def passes(self) -> int:
        """Return how often `look` reads the cube, for the progress display."""
        return 0

    @abstractmethod
    def find(self, tile: Tile) -> np.ndarray:
        """Search one tile.

        Parameters
        ----------
        tile : Tile
            ``tile.data`` is a (z, y, x) array in data units (in units of the noise where that was scaled), NaN where
            blank.

        Returns
        -------
        ndarray, shape ``tile.data.shape``
            Either bool, True where there is a source, or float, a score from 0 to 1 that is compared with
            the parameter that `score_parameter` names. Only the core of the tile is used.
        """
