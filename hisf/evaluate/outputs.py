"""What a run of SoFiA or hisf left behind, found from a catalogue file, a folder, or a folder and a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from astropy.table import QTable

from hisf.errors import FileAccessError, InputError
from hisf.evaluate.layouts import RawTable, read_raw
from hisf.evaluate.reading import comparable

# what a catalogue's name ends with, that of the fullest precision first
CATALOGUES = ("_cat.xml", "_cat.h5", "_cat.fits", "_cat.txt", "_cat_sdc2.txt")
MASK_CUBE, MASK_IMAGE = "_mask.fits", "_mask-2d.fits"
ENDING = re.compile(r"_cat(_sdc2)?\.[^.]+$")
MOST_NAMED = 8  # runs of a folder that one message names


@dataclass(frozen=True)
class Output:
    """The catalogue of a run and what lies beside it.

    Attributes
    ----------
    name : str
        Base name of the products.
    path : Path
        Of the catalogue.
    raw : RawTable
        Every column, as it stands in the file.
    table : `~astropy.table.QTable` or None
        As `hisf.evaluate.reading.read_catalogue` returns it; None without world coordinates.
    mask_cube, mask_image, moment0 : Path or None
        Products beside the catalogue.
    obstacle : str
        Why there is no ``table``, a sentence; otherwise empty.
    """

    name: str
    path: Path
    raw: RawTable
    table: QTable | None
    mask_cube: Path | None
    mask_image: Path | None
    moment0: Path | None
    obstacle: str


def open_output(place: Path) -> Output:
    """Find and read what a run left behind.

    Parameters
    ----------
    place : Path
        A catalogue file; a folder with the products of one run; or ``FOLDER/NAME`` for one run of several.

    Raises
    ------
    FileAccessError
        There is nothing at that place, or the catalogue cannot be read.
    InputError
        The folder holds no run or several, or the file is no catalogue.
    """
    path = find_catalogue(place)
    base = ENDING.sub("", path.name)
    beside = {suffix: path.with_name(base + suffix) for suffix in (MASK_CUBE, MASK_IMAGE, "_mom0.fits")}
    mask_cube, mask_image, moment0 = (p if p.is_file() else None for p in beside.values())
    raw = read_raw(path)
    try:
        table, obstacle = comparable(path, raw), ""
    except InputError as error:
        table, obstacle = None, str(error)
    return Output(base, path, raw, table, mask_cube, mask_image, moment0, obstacle)


def short_names(a: Output, b: Output) -> tuple[str, str]:
    """Return what to call two outputs: by their names, by their folders where these are the same, or A and B."""
    for first, second in ((a.name, b.name), (a.path.resolve().parent.name, b.path.resolve().parent.name)):
        if first != second:
            return first, second
    return "A", "B"


def find_catalogue(place: Path) -> Path:
    """Return the catalogue file at a place; see `open_output`."""
    if place.is_file():
        return place
    if place.is_dir():
        folder, names = place, _runs(place)
        if not names:
            wanted = "NAME_cat.xml, .txt, .fits or .h5"
            raise InputError(f"{place} holds no catalogue ({wanted}); a run that finds nothing writes none.")
        if len(names) > 1:
            listed = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
            raise InputError(f"{place} holds {len(names)} runs ({listed}); name one of them, as {place / names[0]}.")
        name = names[0]
    else:
        folder, name = place.parent, place.name
    for suffix in CATALOGUES:
        if (folder / (name + suffix)).is_file():
            return folder / (name + suffix)
    raise FileAccessError(f"{place} is neither a catalogue, nor a folder of products, nor FOLDER/NAME of a run.")


def _runs(folder: Path) -> list[str]:
    """Return the base names of the runs whose catalogues lie in a folder, ascending."""
    try:
        files = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise FileAccessError(f"{folder} cannot be read: {error.strerror or error}.") from None
    return sorted({name.removesuffix(s) for name in files for s in CATALOGUES if name.endswith(s)})
