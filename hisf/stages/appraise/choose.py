"""Which appraisal a run uses."""

from __future__ import annotations

from collections.abc import Sequence

from hisf.errors import InputError
from hisf.settings import Settings

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
