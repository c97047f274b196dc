"""Opening the data cube and its companions, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hisf.data.cube import Cube
from hisf.errors import FileAccessError, InputError
from hisf.settings import Settings

if TYPE_CHECKING:
    from hisf.plugins import PluginManager

# name -> parameter, what the cube may hold
COMPANIONS = {
    "gain": ("input.gain", "floats"),
    "noise": ("input.noise", "floats"),
    "weights": ("input.weights", "floats"),
    "mask": ("input.mask", "integers"),
    "flag": ("flag.cube", "either"),
}


def open_inputs(manager: PluginManager, settings: Settings) -> Cube:
    """Open ``input.data`` and every further input cube that the settings name, all with the same region.

    Nothing but headers is read.

    Raises
    ------
    FileAccessError
        A file is missing, unreadable or truncated.
    InputError
        A file is not a cube, has another size than the data, or holds the wrong type of numbers.
    """
    if not settings["input.data"]:
        raise InputError("input.data is not set; name the cube to search, for example input.data=cube.fits.")
    cube = _open(manager, settings, "input.data").require_floats()
    if settings["pipeline.compatibility"] == "improved":
        cube = cube.improve()
    for name, (key, kind) in COMPANIONS.items():
        if settings[key]:
            companion = _open(manager, settings, key).require_shape(cube.shape)
            if kind == "floats":
                companion.require_floats()
            elif kind == "integers" and not companion.holds_labels:
                raise InputError(f"{companion.name} does not hold integers; {key} needs a cube of integers.")
            cube.companions[name] = companion
    return cube


def state_of_inputs(settings: Settings) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every input cube, by the name of its parameter."""
    keys = ("input.data", *(key for key, _ in COMPANIONS.values()))
    states = {}
    for key in filter(settings.get, keys):
        try:
            found = Path(settings[key]).stat()
        except OSError:
            continue  # which is told by who opens it
        states[key] = found.st_size, found.st_mtime_ns
    return states


def require_unchanged(settings: Settings, before: Mapping[str, tuple[int, int]]) -> None:
    """Make sure that the input cubes are still those that were opened.

    Raises
    ------
    InputError
        One has changed since, so that nothing that was computed can be relied on.
    """
    now = state_of_inputs(settings)
    for key, state in before.items():
        if now.get(key) != state:
            raise InputError(
                f"{settings[key]} ({key}) has changed while it was being searched; no product was replaced. Run again "
                "when it is complete."
            )


def _open(manager: PluginManager, settings: Settings, key: str) -> Cube:
    path = Path(settings[key])
    if not path.exists():
        raise FileAccessError(f"{path}: no such file ({key}, {settings.origin(key)}).")
    cube = manager.open_input(path, settings, tuple(settings["input.region"]))
    if cube is None:
        raise InputError(f"{path}: no plugin can open this file ({key}); FITS and HDF5 are known.")
    return cube
