"""Where products go (spec sofia2 §4.1)."""

from __future__ import annotations

import re
from pathlib import Path

from hisf.errors import FileAccessError
from hisf.settings import Settings


def base_name(settings: Settings) -> str:
    """Return the base name of all products: ``output.filename``, else the name of the input file, without .fits."""
    name = settings["output.filename"] or Path(settings["input.data"]).name
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in ("fits", "fit") else name


def image_ending(settings: Settings) -> str:
    """Return the ending of images and cubes in the format of ``output.dataFormat``."""
    return {"fits": ".fits", "hdf5": ".h5"}[settings["output.dataFormat"]]


def product_base(settings: Settings) -> Path:
    """Return folder and base name of all products.

    Raises
    ------
    FileAccessError
        The folder is not there or cannot be written to, or the base name holds a path.
    """
    folder = Path(settings["output.directory"] or Path(settings["input.data"]).parent)
    name = base_name(settings)
    if re.search(r"[/\\\0]", name) or name in ("", ".", ".."):
        raise FileAccessError(f"output.filename = {name} is not a file name; set the folder with output.directory.")
    if not folder.is_dir():
        raise FileAccessError(f"output.directory = {folder} does not exist; create it first.")
    return folder / name
