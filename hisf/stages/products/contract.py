"""What a product is: one kind of file written from a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar

from hisf.data.catalogue import Catalogue
from hisf.data.cube import Cube
from hisf.data.mask_store import MaskStore
from hisf.data.source import SourceList
from hisf.data.voxels import Voxels
from hisf.settings import Parameter, Settings
from hisf.stages.precondition.contract import Step
from hisf.stages.reliability.contract import Evidence


class Moment(Enum):
    """When a product is written."""

    PRECONDITIONED = "preconditioned"
    FOUND = "found"
    DONE = "done"


@dataclass(frozen=True, eq=False)
class Result:
    """What a run has made so far; later parts are None until they exist.

    Attributes
    ----------
    settings : Settings
    cube : Cube
    searched, measured : Voxels
        The preconditioned cube, which is let go once there are sources, and the one on which they are measured.
    steps : tuple of Step
        The preconditioning steps that ran.
    mask : MaskStore
        What the finders found.
    evidence : Evidence
        What the reliability judged by, if it did.
    sources : SourceList
    catalogue : Catalogue
    rms : float
        Global noise of the searched cube, in data units.
    """

    settings: Settings
    cube: Cube
    searched: Voxels | None = None
    measured: Voxels | None = None
    steps: tuple[Step, ...] = field(default=())
    mask: MaskStore | None = None
    evidence: Evidence | None = None
    sources: SourceList | None = None
    catalogue: Catalogue | None = None
    rms: float = float("nan")


class Product(ABC):
    """One kind of output file, or a folder of files.

    Attributes
    ----------
    name : str
        What it is called in messages.
    suffix : str
        Appended to the base name, for example ``_cat.xml``. One without a dot, for example ``_cubelets``, makes the
        product a folder.
    image : bool
        Whether it is an image or cube; its suffix ends in ``.fits``, and has ``.h5`` instead in HDF5.
    files : str
        Of a folder: a regular expression for what follows the base name in the names of its files. Those of an earlier
        run are removed, whatever else is in the folder stays.
    moment : Moment
        When it is written.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    image: ClassVar[bool] = False
    files: ClassVar[str] = ".*"
    moment: ClassVar[Moment] = Moment.DONE
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @classmethod
    @abstractmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether the settings ask for it."""

    def applies(self, result: Result) -> bool:
        """Return whether there is anything to write, now that it is known; True by default."""
        return True

    @abstractmethod
    def write(self, result: Result, path: Path) -> None:
        """Write the file at ``path``, a temporary place beside the final one; it is renamed when all went well.

        Where the product is a folder, ``path`` is an empty folder to write into.
        """
