"""The built-in preconditioning steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.precondition.contract import Step


@hookimpl
def hisf_register_steps() -> list[type[Step]]:
    """Return the steps of SoFiA 2, in its order (spec sofia2 §2.2)."""
    from hisf.stages.precondition.baseline import SubtractContinuum, SubtractRipples
    from hisf.stages.precondition.cubes import DivideByGain, DivideByNoise, Invert, MultiplyByWeights
    from hisf.stages.precondition.flag import FlagAutomatically, FlagCube, FlagPositions, FlagRegions
    from hisf.stages.precondition.scale_noise import ScaleNoise

    return [
        FlagCube,
        FlagRegions,
        Invert,
        FlagPositions,
        DivideByNoise,
        MultiplyByWeights,
        SubtractContinuum,
        ScaleNoise,
        FlagAutomatically,
        SubtractRipples,
        DivideByGain,
    ]
