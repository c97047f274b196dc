"""What a preconditioning step is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import Parameter, Settings

Advance = Callable[[int], None]


class Step(ABC):
    """One step between reading the cube and searching it; steps run in the order of `position`.

    A step measures what it needs on the whole cube, streamed, and then transforms any box by itself, so that the
    result does not depend on how the cube is cut.

    Parameters
    ----------
    settings : Settings
    cube : Cube
        The data cube (its header, shape and region), for opening further inputs of the same size.

    Attributes
    ----------
    name : str
        Shown in progress and logs.
    position : int
        Place in the order; the built-in steps use multiples of ten (spec sofia2 §2.2).
    parameters : tuple of Parameter
        Those it declares, beside the ones hisf has already.
    searching, measuring : bool
        Whether the step acts on the cube that is searched, and on the reloaded cube that is measured.
    whole_spectra : bool
        Whether `apply` must be given all channels of the spectra that a box touches.
    rescales : bool
        Whether it changes the scale of the data, so that measuring needs the reloaded cube (spec sofia2 §2.2, 28a).
    """

    name: ClassVar[str]
    position: ClassVar[int]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    searching: ClassVar[bool] = True
    measuring: ClassVar[bool] = False
    whole_spectra: ClassVar[bool] = False
    rescales: ClassVar[bool] = False

    def __init__(self, settings: Settings, cube: Cube) -> None:
        self.settings = settings
        self.cube = cube

    @classmethod
    @abstractmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether the settings ask for the step."""

    def measure(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:  # noqa: B027 - optional
        """Look at the whole cube, as the steps before have left it; nothing by default.

        Parameters
        ----------
        voxels : Voxels
        workspace : Workspace
            Cuts the cube into slabs that fit the memory.
        advance : callable
            ``advance(n)`` after every n voxels, for the progress display.
        """

    @abstractmethod
    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Transform one box.

        Parameters
        ----------
        data : ndarray, shape ``box.shape`` (z, y, x)
            As the steps before have left it; may be changed in place.
        box : Box
            In cube coordinates.

        Returns
        -------
        ndarray
            Same shape and dtype; ``data`` itself where it was changed in place.
        """
