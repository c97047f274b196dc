"""The built-in dilations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.dilate.contract import Dilation


@hookimpl
def hisf_register_dilations() -> list[type[Dilation]]:
    """Return the dilations of SoFiA 2 and of SoFiA 1."""
    from hisf.stages.dilate.flux_growth import FluxGrowth
    from hisf.stages.dilate.relative_growth import RelativeGrowth

    return [FluxGrowth, RelativeGrowth]
