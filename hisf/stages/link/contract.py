"""What a linker is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from hisf.data.cube import Cube
from hisf.data.mask_store import MaskStore
from hisf.data.source import SourceList
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Parameter, Settings

Advance = Callable[[int], None]


class Linker(ABC):
    """Joins detected voxels to sources; chosen by ``linker.method``."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @abstractmethod
    def link(
        self, mask: MaskStore, voxels: Voxels, rms: float, blanks: bool, workspace: Workspace, advance: Advance
    ) -> SourceList:
        """Link the detected voxels of the whole cube.

        Parameters
        ----------
        mask : MaskStore
            What the finders found.
        voxels : Voxels
            The searched cube.
        rms : float
            Its global noise; values of sources are recorded in units of it.
        blanks : bool
            Whether the cube has blank (NaN) voxels at all.
        workspace : Workspace
        advance : callable
            ``advance(n)`` after every n voxels of the cube.

        Returns
        -------
        SourceList
            Labelled 1, 2, …; may be empty.
        """
