"""The built-in dilation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.dilate.contract import Dilation


@hookimpl
def hisf_register_dilations() -> list[type[Dilation]]:
    """Return the dilation of SoFiA 2."""
    from hisf.stages.dilate.flux_growth import FluxGrowth

    return [FluxGrowth]
