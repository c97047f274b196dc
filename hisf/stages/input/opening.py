"""Opening the data cube and its companions, before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hisf.data.cube import Cube
from hisf.errors import FileAccessError, InputError
from hisf.settings import Settings

if TYPE_CHECKING:
    from hisf.plugins import PluginManager

# name -> parameter, whether the cube holds integers
COMPANIONS = {
    "gain": ("input.gain", False),
    "noise": ("input.noise", False),
    "weights": ("input.weights", False),
    "mask": ("input.mask", True),
    "flag": ("flag.cube", True),
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
    for name, (key, integers) in COMPANIONS.items():
        if settings[key]:
            companion = _open(manager, settings, key).require_shape(cube.shape)
            if not integers:
                companion.require_floats()
            elif not companion.holds_labels:
                raise InputError(f"{companion.name} does not hold integers; {key} needs a cube of integers.")
            cube.companions[name] = companion
    return cube


def _open(manager: PluginManager, settings: Settings, key: str) -> Cube:
    path = Path(settings[key])
    if not path.exists():
        raise FileAccessError(f"{path}: no such file ({key}, {settings.origin(key)}).")
    cube = manager.open_input(path, settings, tuple(settings["input.region"]))
    if cube is None:
        raise InputError(f"{path}: no plugin can open this file ({key}); FITS and HDF5 are known.")
    return cube
