"""What a reliability estimator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from hisf.data.cube import Cube
from hisf.data.source import SourceList
from hisf.settings import Parameter, Settings

FEW_NEGATIVES = 50


class Reliability(ABC):
    """Decides which sources are real; chosen by ``reliability.method``."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @abstractmethod
    def judge(self, sources: SourceList) -> SourceList:
        """Return the sources that are kept, with ``rel`` set and labels counted anew from 1.

        Raises
        ------
        HisfError
            The reliability cannot be determined.
        """
