"""Which appraisal a run uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hisf.errors import InputError
from hisf.settings import Settings

if TYPE_CHECKING:
    from hisf.stages.appraise.contract import Appraisal
    from hisf.stages.finders.contract import Finder

AUTO, NONE, NETWORK = "auto", "none", "network"
NETWORK_FINDER = "cnn"


def chosen_appraisal(settings: Settings, finders: Sequence[str]) -> str:
    """Return the name of the appraisal that the settings ask for; ``none`` for none.

    ``auto`` is the network where the finder is the network, whose detections it was made to judge, or where a
    catalogue is asked for that cannot do without estimates. Everything else runs as in SoFiA, without an appraisal.

    Parameters
    ----------
    settings : Settings
    finders : sequence of str
        Names of the finders that run.

    Raises
    ------
    InputError
        There is none, and a catalogue needs one.
    """
    name: str = settings["appraise.method"].strip()
    if name == AUTO:
        return NETWORK if NETWORK_FINDER in finders or settings["output.writeCatSDC2"] else NONE
    if name == NONE and settings["output.writeCatSDC2"]:
        raise InputError(
            f"output.writeCatSDC2 = true ({settings.origin('output.writeCatSDC2')}) needs an appraisal, but "
            f"appraise.method = none ({settings.origin('appraise.method')}); set it to auto, network or forska."
        )
    return name


def judges_by_confidence(finders: Sequence[type[Finder]], appraisal: type[Appraisal] | None) -> bool:
    """Return whether the network looks for sources and says of each how probably it is a galaxy."""
    return appraisal is not None and appraisal.name == NETWORK and NETWORK_FINDER in [f.name for f in finders]
