"""What an appraisal is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from hisf.data.cube import Cube
from hisf.data.source import SourceList
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Parameter, Settings

Advance = Callable[[int], None]


class Appraisal(ABC):
    """Judges whether sources are galaxies, and says what galaxies they are; chosen by ``appraise.method``."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    def retuned(self, settings: Settings) -> Appraisal:
        """Return the appraisal of the same cube for other settings; made anew by default.

        `hisf tune` asks for it. The settings differ only in those of linking, reliability and dilation and in
        ``cnn.confidence`` and the section ``forska``, so that one may go on using what it knows of the cube.
        """
        return type(self)(settings, self.cube)

    @abstractmethod
    def appraise(
        self, sources: SourceList, searched: Voxels, measured: Voxels, workspace: Workspace, advance: Advance
    ) -> SourceList:
        """Return the sources that are kept, with ``estimates`` filled and labels counted anew from 1.

        Parameters
        ----------
        sources : SourceList
            With their final masks.
        searched : Voxels
            The preconditioned cube, in units of the noise where that was scaled.
        measured : Voxels
            The cube that sources are measured on, in the unit of the data.
        workspace : Workspace
            Cuts the cube into slabs that fit the memory, for what has to be known of the whole cube.
        advance : callable
            ``advance(1)`` after each of ``sources``.

        Returns
        -------
        SourceList
            In the order of ``sources``; may be empty. Of the columns `hisf.data.columns.ESTIMATED`, ``estimates`` has
            those that are known; what is left out is NaN in the catalogue. See `Source.estimated` and
            `SourceList.renumbered`.
        """
