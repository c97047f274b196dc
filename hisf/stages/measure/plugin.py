"""The built-in measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.measure.contract import Measurement


@hookimpl
def hisf_register_measurements() -> list[type[Measurement]]:
    """Return the measurements of SoFiA 2; each may use what the ones before it found."""
    from hisf.stages.measure.ellipse import Ellipses
    from hisf.stages.measure.errors import Errors
    from hisf.stages.measure.flux import Flux
    from hisf.stages.measure.kinematics import KinematicAxis
    from hisf.stages.measure.position import Position
    from hisf.stages.measure.width import LineWidths

    return [Flux, Position, LineWidths, Ellipses, KinematicAxis, Errors]
