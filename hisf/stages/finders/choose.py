"""Which finders a run uses (design §3)."""

from __future__ import annotations

import logging

from hisf.errors import InputError
from hisf.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_FINDER = "scfind"


def chosen_finders(settings: Settings) -> list[str]:
    """Return the names of the finders that the settings ask for; their masks are united.

    ``pipeline.finder`` decides where it is set (several names joined by ``+``). Otherwise a par file that names a
    classic finder (``scfind.enable`` or ``threshold.enable`` is true) means what it says. A par file that names none
    gets the default finder, unless it switches S+C off. An input mask is always united with what is found.

    Raises
    ------
    InputError
        No finder is left and there is no mask.
    """
    names = [name.strip() for name in settings["pipeline.finder"].split("+") if name.strip()]
    if not names:
        if settings["scfind.enable"]:
            names.append("scfind")
        if settings["threshold.enable"]:
            names.append("threshold")
        if names == [DEFAULT_FINDER] and not settings.is_set("scfind.enable"):
            log.warning(
                "The settings name no finder, so the classic one (scfind) runs; from a later version on the network "
                "will. Set scfind.enable = true or pipeline.finder = scfind to keep it."
            )
    names = list(dict.fromkeys(names))
    if settings["input.mask"] and "mask" not in names:
        names.append("mask")
    if "mask" in names and not settings["input.mask"]:
        raise InputError("The finder mask takes its voxels from input.mask, which is not set.")
    if not names:
        raise InputError(
            "No finder is switched on and there is no input.mask; set scfind.enable, threshold.enable or "
            "pipeline.finder."
        )
    return names
