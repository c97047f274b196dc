"""The hooks of hisf, and nothing else.

Two kinds: *register* hooks offer named implementations of a stage, *watch* hooks are told what happens. A plugin is a
module or an object with functions of these names, decorated with ``hisf.api.hookimpl`` and named by an entry point of
the group ``hisf``. The built-in stages are registered in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hisf.data.cube import Cube
    from hisf.settings import Parameter, Settings
    from hisf.stages.appraise.contract import Appraisal
    from hisf.stages.dilate.contract import Dilation
    from hisf.stages.finders.contract import Finder
    from hisf.stages.link.contract import Linker
    from hisf.stages.measure.contract import Measurement
    from hisf.stages.precondition.contract import Step
    from hisf.stages.products.contract import Product
    from hisf.stages.reliability.contract import Reliability

hookspec = pluggy.HookspecMarker("hisf")
hookimpl = pluggy.HookimplMarker("hisf")


@hookspec
def hisf_register_parameters() -> Iterable[Parameter]:
    """Return parameters that belong to no single stage class (those of a class stand in its ``parameters``)."""
    raise NotImplementedError


@hookspec(firstresult=True)
def hisf_open_input(path: Path, settings: Settings, region: tuple[int, ...]) -> Cube | None:
    """Open a cube lazily, or return None where the file is of another kind; the first answer counts."""
    raise NotImplementedError


@hookspec
def hisf_register_steps() -> Iterable[type[Step]]:
    """Return preconditioning steps; they run in the order of their ``position``."""
    raise NotImplementedError


@hookspec
def hisf_register_finders() -> Iterable[type[Finder]]:
    """Return finders, chosen by ``pipeline.finder`` or ``--finder``."""
    raise NotImplementedError


@hookspec
def hisf_register_linkers() -> Iterable[type[Linker]]:
    """Return linkers, chosen by ``linker.method``."""
    raise NotImplementedError


@hookspec
def hisf_register_reliabilities() -> Iterable[type[Reliability]]:
    """Return reliability estimators, chosen by ``reliability.method``."""
    raise NotImplementedError


@hookspec
def hisf_register_dilations() -> Iterable[type[Dilation]]:
    """Return mask dilations, chosen by ``dilation.method``."""
    raise NotImplementedError


@hookspec
def hisf_register_appraisals() -> Iterable[type[Appraisal]]:
    """Return appraisals, chosen by ``appraise.method``."""
    raise NotImplementedError


@hookspec
def hisf_register_measurements() -> Iterable[type[Measurement]]:
    """Return families of catalogue columns; all of them are measured, in order of registration."""
    raise NotImplementedError


@hookspec
def hisf_register_products() -> Iterable[type[Product]]:
    """Return kinds of output files; those the settings ask for are written, in order of registration."""
    raise NotImplementedError


@hookspec
def hisf_start_stage(stage: str, total: int, unit: str) -> None:
    """Watch: a stage begins that will count ``total`` of ``unit`` (``voxel`` or ``source``)."""


@hookspec
def hisf_advance_stage(stage: str, done: int, total: int) -> None:
    """Watch: a stage has counted ``done`` of ``total``."""


@hookspec
def hisf_finish_stage(stage: str, done: int, seconds: float, unit: str) -> None:
    """Watch: a stage is over after ``seconds`` of wall time."""
