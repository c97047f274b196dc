"""The built-in linker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.link.contract import Linker


@hookimpl
def hisf_register_linkers() -> list[type[Linker]]:
    """Return the linker of SoFiA 2."""
    from hisf.stages.link.ellipsoid import EllipsoidLinker

    return [EllipsoidLinker]
