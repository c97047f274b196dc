"""The log of the automatic flagging (spec sofia2 §3.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hisf.settings import Settings
from hisf.stages.precondition.flag import AUTOMATIC, FlagAutomatically
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.stamp import CREATOR

HEADER = """\
# Channels and spectra flagged by hisf
# Creator: {creator}
#
#   C z    =  channel z
#   P x y  =  spectrum at pixel x, y
# Counted from 0, {origin}.

"""


class FlagLog(Product):
    """Text file with the flagged channels and spectra."""

    name = "flag log"
    suffix = "_flags.log"
    moment = Moment.PRECONDITIONED

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether channels or spectra are flagged automatically and ``flag.log`` is set."""
        return settings["flag.log"] and settings["flag.auto"] in AUTOMATIC

    def applies(self, result: Result) -> bool:
        """Return whether anything was flagged."""
        step = _step(result)
        return bool(step.channels.any() or step.pixels.any())

    def write(self, result: Result, path: Path) -> None:
        """Write the log."""
        step = _step(result)
        region, whole = result.cube.region, result.settings["parameter.offset"]
        x0, y0, z0 = (region.x0, region.y0, region.z0) if whole else (0, 0, 0)
        origin = "in the whole cube" if whole else "in the region that was searched"
        lines = [f"C {z + z0}" for z in np.flatnonzero(step.channels)]
        lines += [f"P {x + x0} {y + y0}" for y, x in np.argwhere(step.pixels)]
        path.write_text(HEADER.format(creator=CREATOR, origin=origin) + "".join(f"{line}\n" for line in lines), "ascii")


def _step(result: Result) -> FlagAutomatically:
    return next(step for step in result.steps if isinstance(step, FlagAutomatically))
