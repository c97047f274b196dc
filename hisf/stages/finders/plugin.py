"""The built-in finders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.hookspecs import hookimpl

if TYPE_CHECKING:
    from hisf.stages.finders.contract import Finder


@hookimpl
def hisf_register_finders() -> list[type[Finder]]:
    """Return the network, the smooth-and-clip finder, the threshold finder and the input mask."""
    from hisf.stages.finders.cnn import Network
    from hisf.stages.finders.mask import InputMask
    from hisf.stages.finders.scfind import SmoothAndClip
    from hisf.stages.finders.threshold import Threshold

    return [Network, SmoothAndClip, Threshold, InputMask]
