"""What a mask dilation is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from hisf.data.cube import Cube
from hisf.data.source import SourceList
from hisf.data.voxels import Voxels
from hisf.settings import Parameter, Settings


class Dilation(ABC):
    """Grows the masks of sources; chosen by ``dilation.method``."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @abstractmethod
    def dilate(self, sources: SourceList, voxels: Voxels, advance: Callable[[int], None]) -> SourceList:
        """Return the sources with grown masks, in the same order.

        ``voxels`` is the searched cube. Call ``advance(1)`` per source.
        """
