"""The built-in linkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.link.contract import Linker


@hookimpl
def hisf_register_linkers() -> list[type[Linker]]:
    """Return the linkers of SoFiA 2 and of SoFiA 1."""
    from hisf.stages.link.cylinder import CylinderLinker
    from hisf.stages.link.ellipsoid import EllipsoidLinker

    return [EllipsoidLinker, CylinderLinker]
