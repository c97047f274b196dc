"""The built-in preconditioning steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.precondition.contract import Step


@hookimpl
def hisf_register_steps() -> list[type[Step]]:
    """Return the steps of SoFiA 2, in its order (spec sofia2 §2.2)."""
    from hisf.stages.precondition.cubes import DivideByGain, DivideByNoise, Invert, MultiplyByWeights
    from hisf.stages.precondition.flag import FlagRegions
    from hisf.stages.precondition.scale_noise import ScaleNoise

    return [FlagRegions, Invert, DivideByNoise, MultiplyByWeights, ScaleNoise, DivideByGain]
