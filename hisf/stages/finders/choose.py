"""Which finders a run uses (design §3)."""

from __future__ import annotations

import logging

from hisf.errors import InputError
from hisf.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_FINDER = "cnn"
CLASSIC = "scfind"


def chosen_finders(settings: Settings) -> list[str]:
    """Return the names of the finders that the settings ask for; their masks are united.

    ``pipeline.finder`` decides where it is set (several names joined by ``+``). Otherwise settings that name a classic
    finder (any parameter of ``scfind``, or ``threshold.enable`` = true) mean what they mean to SoFiA, where S+C is on
    unless it is switched off. Settings that name none get the network, unless they switch S+C off and bring a mask. An
    input mask is always united with what is found.

    Raises
    ------
    InputError
        The mask is asked for, but there is none.
    """
    names = [name.strip() for name in settings["pipeline.finder"].split("+") if name.strip()]
    if not names:
        tuned = any(settings.is_set(p.name) for p in settings.parameters if p.section == CLASSIC)
        if settings["scfind.enable"] and (tuned or settings["threshold.enable"]):
            names.append(CLASSIC)
        if settings["threshold.enable"]:
            names.append("threshold")
        if not names and (settings["scfind.enable"] or not settings["input.mask"]):
            names.append(DEFAULT_FINDER)
            log.info("The settings name no finder, so the network (cnn) runs; scfind.enable = true brings S+C back.")
    names = list(dict.fromkeys(names))
    if settings["input.mask"] and "mask" not in names:
        names.append("mask")
    if "mask" in names and not settings["input.mask"]:
        raise InputError("The finder mask takes its voxels from input.mask, which is not set.")
    return names
