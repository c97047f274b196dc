"""What a plugin imports: the contracts of the stages, parameters, and the marker for hooks."""

from hisf.data.box import Box, Tile
from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.data.cube import Cube
from hisf.data.mask_store import MaskStore
from hisf.data.source import Flag, Source, SourceList
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import HisfError, InputError
from hisf.execution.statistics import survey
from hisf.execution.workspace import Workspace
from hisf.hookspecs import hookimpl
from hisf.settings import Kind, Parameter, Settings
from hisf.stages.appraise.contract import Appraisal
from hisf.stages.dilate.contract import Dilation
from hisf.stages.finders.contract import Finder
from hisf.stages.link.contract import Linker
from hisf.stages.measure.contract import Cutout, Measurement
from hisf.stages.precondition.contract import Step
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.reliability.contract import Evidence, Reliability

__all__ = [
    "Appraisal",
    "ArrayVoxels",
    "Box",
    "Catalogue",
    "Column",
    "Cube",
    "Cutout",
    "Dilation",
    "Evidence",
    "Finder",
    "Flag",
    "HisfError",
    "InputError",
    "Kind",
    "Linker",
    "MaskStore",
    "Measurement",
    "Moment",
    "Parameter",
    "Product",
    "Reliability",
    "Result",
    "Settings",
    "Source",
    "SourceList",
    "Step",
    "Tile",
    "Voxels",
    "Workspace",
    "hookimpl",
    "survey",
]
