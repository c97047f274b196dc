"""The catalogue files of SoFiA and hisf as they stand: columns, and units as printed (spec sofia2 §4.4, §4.5)."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.errors import FileAccessError, InputError

CELL = re.compile(r'"[^"]*"|\S+')


@dataclass(frozen=True)
class RawTable:
    """Columns of a file: numbers as float64 arrays, text as str arrays, units as the file prints them."""

    columns: dict[str, np.ndarray]
    units: dict[str, str]
    n: int


def read_text(path: Path) -> str:
    """Return the text of a catalogue file.

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        It is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; a VOTable or a text catalogue is needed.") from None
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None


def parse_votable(path: Path) -> RawTable:
    """Read the first table of a VOTable.

    Raises
    ------
    InputError
        It is not a VOTable, or has no table.
    """
    from astropy.io.votable import parse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = parse(path, verify="ignore").get_first_table()
            fields = [(field.name, str(field.unit or "")) for field in table.fields]
            data = table.array
        except Exception as error:  # noqa: BLE001 - expat, votable and numpy raise unrelated classes
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(f"{path} is not a readable VOTable: {reason}") from None
    columns = {}
    for (name, _), key in zip(fields, data.dtype.names or (), strict=True):
        column = data[key]
        if column.dtype.kind in "fiu":
            columns[name] = np.ma.filled(column.astype(float), np.nan)
        elif column.dtype.kind != "O" or all(isinstance(v, str) for v in column):
            columns[name] = np.asarray(np.ma.filled(column), str)
    return RawTable(columns, dict(fields), len(data))


def parse_ascii(path: Path, text: str) -> RawTable:
    """Read a plain-text catalogue: names and units behind ``#``, then one row per source.

    Raises
    ------
    InputError
        There is no line of column names, or a row has another number of values than it.
    """
    lines = text.splitlines()
    header = next((n for n, line in enumerate(lines) if _is_header(line)), None)
    if header is None:
        raise InputError(
            f"{path} is not a catalogue that hisf knows: neither a VOTable, nor SoFiA's text, nor SDC2's column names."
        )
    names = lines[header][1:].split()
    units = _units_below(lines, header, names)
    rows = []
    for n, line in enumerate(lines[header + 1 :], header + 2):
        if not line.strip() or line.startswith("#"):
            continue
        row = CELL.findall(line)
        if len(row) != len(names):
            raise InputError(f"{path}: line {n} has {len(row)} values, the header {len(names)}.")
        rows.append(row)
    columns = {}
    for k, name in enumerate(names):
        cells = [row[k] for row in rows]
        try:
            columns[name] = np.array([float(cell) for cell in cells], float)
        except ValueError:
            columns[name] = np.array([cell.strip('"') for cell in cells], str)
    return RawTable(columns, units, len(rows))


def _is_header(line: str) -> bool:
    words = line[1:].split() if line.startswith("#") else []
    return "id" in words and ("f_sum" in words or "ra" in words)


def _units_below(lines: list[str], header: int, names: list[str]) -> dict[str, str]:
    """Return the units of the line under the names; cells end where the names above them end, for units with blanks."""
    if header + 1 >= len(lines) or not lines[header + 1].startswith("#"):
        return {}
    below = lines[header + 1]
    words = below[1:].split()
    if len(words) != len(names):
        ends = [match.end() for match in re.finditer(r"\S+", lines[header].replace("#", " ", 1))]
        words = [below[a:b].strip() for a, b in zip([1, *ends], ends, strict=False)]
    return {name: "" if word == "-" else word for name, word in zip(names, words, strict=True)}
