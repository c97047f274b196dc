"""Catalogues in the column format of the SKA Science Data Challenge 2: truth and submissions (spec forska §15)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from hisf.errors import FileAccessError, InputError

if TYPE_CHECKING:
    from astropy.table import QTable

# name -> unit, format, meaning; in file order
COLUMNS: dict[str, tuple[str, str, str]] = {
    "id": ("", "d", "running number"),
    "ra": ("deg", ".8f", "right ascension of the centre"),
    "dec": ("deg", ".8f", "declination of the centre"),
    "hi_size": ("arcsec", ".6f", "HI major axis diameter at 1 solar mass per square parsec"),
    "line_flux_integral": ("Jy Hz", ".6f", "integrated line flux"),
    "central_freq": ("Hz", ".2f", "frequency of the line centre"),
    "pa": ("deg", ".6f", "position angle of the receding side of the major axis, from north through east"),
    "i": ("deg", ".6f", "inclination, 90 for edge-on"),
    "w20": ("km/s", ".6f", "rest-frame line width at 20 % of the peak"),
}
# the same quantity in the catalogue of a run with an appraisal, `hisf.data.columns.ESTIMATED`
ESTIMATES = {
    "ra": "hi_ra", "dec": "hi_dec", "hi_size": "hi_size", "line_flux_integral": "hi_flux", "central_freq": "hi_freq",
    "pa": "hi_pa", "i": "hi_incl", "w20": "hi_w20",
}  # fmt: skip


def read_sdc2(path: Path) -> QTable:
    """Read a catalogue in SDC2 format.

    Parameters
    ----------
    path : Path
        Text with a header row, separated by white space or commas; further columns are kept.

    Returns
    -------
    `~astropy.table.QTable`
        With the units of `COLUMNS`.

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        A column is missing or holds text.
    """
    from astropy import units
    from astropy.table import QTable

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileAccessError(f"{path} cannot be read: {error}.") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rows = [line.replace(",", " ").split() for line in lines]
    if not rows:
        raise InputError(f"{path} is empty; a header row with {' '.join(COLUMNS)} is needed.")
    names, body = rows[0], rows[1:]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(f"{path}: column {missing[0]} is missing; the columns are {' '.join(COLUMNS)}.")
    for n, row in enumerate(body, 2):
        if len(row) != len(names):
            raise InputError(f"{path}: row {n} has {len(row)} values, the header {len(names)}.")
    table = QTable()
    for k, name in enumerate(names):
        try:
            values = [float(row[k]) for row in body]
        except ValueError as error:
            if name in COLUMNS:
                raise InputError(f"{path}: column {name} holds text ({error}).") from None
            table[name] = [row[k] for row in body]
            continue
        if name == "id":
            broken = next((n for n, v in enumerate(values, 2) if not math.isfinite(v)), 0)
            if broken:
                raise InputError(f"{path}: row {broken} has no id; every source needs a number.")
            table[name] = [int(v) for v in values]
        else:
            unit = COLUMNS[name][0] if name in COLUMNS else ""
            table[name] = values * units.Unit(unit) if unit else values
    return table


def write_sdc2(path: Path, table: QTable) -> None:
    """Write a catalogue in SDC2 format: a header row, then one row per source, separated by blanks.

    Parameters
    ----------
    path : Path
    table : `~astropy.table.QTable`
        With at least the columns of `COLUMNS`; others, such as ``confidence``, follow them.
    """
    names = [*COLUMNS, *(name for name in table.colnames if name not in COLUMNS)]
    columns = []
    for name in names:
        unit, form, _ = COLUMNS.get(name, ("", ".6g", ""))
        values = table[name].to_value(unit) if unit and hasattr(table[name], "to_value") else table[name]
        columns.append([value if isinstance(value, str) else format(value, form) for value in list(values)])
    lines = [" ".join(names), *(" ".join(row) for row in zip(*columns, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
