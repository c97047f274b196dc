"""Catalogue files as they stand: columns, and units as printed (spec sofia2 §4.4, §4.5).

VOTable and text of SoFiA and hisf, hisf's tables in FITS and HDF5, and the text files of SDC2.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.data.hdf5_file import open_hdf5, read_all
from hisf.data.hdf5_voxels import is_hdf5
from hisf.data.sdc2_table import read_sdc2
from hisf.errors import FileAccessError, HisfError, InputError

SDC2 = "SDC2 text"
FITS_START = b"SIMPLE  ="
CELL = re.compile(r'"[^"]*"|\S+')


@dataclass(frozen=True)
class RawTable:
    """Columns of a file: numbers as float64 arrays, text as str arrays, units as the file prints them.

    ``layout`` says what kind of file it was.
    """

    columns: dict[str, np.ndarray]
    units: dict[str, str]
    n: int
    layout: str = ""


def read_raw(path: Path) -> RawTable:
    """Read a catalogue file of any kind, which is told by its content and not by its name.

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        It is no catalogue.
    """
    if is_hdf5(path):
        return parse_hdf5(path)
    if _starts_as_fits(path):
        return parse_fits(path)
    text = read_text(path)
    if text.lstrip()[:1] == "<":
        return parse_votable(path)
    words = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if {"ra", "dec", "central_freq"} <= set(words.replace(",", " ").split()):
        return parse_sdc2(path)
    if not text.strip():
        raise InputError(f"{path} is empty; a catalogue has at least its column names.")
    return parse_ascii(path, text)


def _starts_as_fits(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(FITS_START)) == FITS_START
    except OSError:
        return False


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
            raise InputError(f"{path} is not a readable VOTable: {reason.rstrip('.')}.") from None
    columns = {}
    for (name, _), key in zip(fields, data.dtype.names or (), strict=True):
        column = data[key]
        if column.dtype.kind in "fiu":
            columns[name] = np.ma.filled(column.astype(float), np.nan)
        elif column.dtype.kind != "O" or all(isinstance(v, str) for v in column):
            columns[name] = np.asarray(np.ma.filled(column), str)
    return RawTable(columns, dict(fields), len(data), "VOTable")


def parse_fits(path: Path) -> RawTable:
    """Read the first table of a FITS file.

    Raises
    ------
    InputError
        It has no table, or is damaged.
    """
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(path, memmap=False) as hdus:
                table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
                if table is None:
                    raise InputError(f"{path} is an image and not a catalogue: it has no table.")
                data = np.asarray(table.data)
                units = {column.name: str(column.unit or "") for column in table.columns}
                columns = {column.name: table.data[column.name] for column in table.columns}
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - astropy raises unrelated classes
            raise InputError(f"{path} is not a readable FITS table: {error}.") from None
    return RawTable(_plain(columns), units, len(data), "FITS table")


def parse_hdf5(path: Path) -> RawTable:
    """Read the data set ``catalogue`` of an HDF5 file.

    Raises
    ------
    FileAccessError
        The HDF5 library does not survive the file.
    InputError
        There is no such data set, or the file is damaged.
    """
    import h5py

    try:
        with open_hdf5(path) as file:
            dataset = file.get("catalogue")
            if not isinstance(dataset, h5py.Dataset) or not dataset.dtype.names:
                raise InputError(f"{path} has no data set `catalogue` with columns; it is not a catalogue.")
            data, attributes = read_all(dataset), dataset.attrs
            named = [str(n) for n in attributes.get("columns", data.dtype.names)]
            units = dict(zip(named, [str(u) for u in attributes.get("units", [""] * len(named))], strict=False))
    except HisfError:
        raise
    except Exception as error:  # noqa: BLE001 - libhdf5 raises unrelated classes
        raise InputError(f"{path} is not a readable HDF5 file: {error}.") from None
    columns = {name: data[name] for name in data.dtype.names}
    return RawTable(_plain(columns), {name: units.get(name, "") for name in columns}, len(data), "HDF5 table")


def parse_sdc2(path: Path) -> RawTable:
    """Read the text of SDC2; units are those of `hisf.data.sdc2_table.COLUMNS`.

    Raises
    ------
    InputError
        A column is missing or holds what it cannot.
    """
    try:
        table = read_sdc2(path)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path}: {error}.") from None
    columns = {name: getattr(table[name], "value", table[name]) for name in table.colnames}
    units = {name: str(table[name].unit or "") for name in table.colnames}
    return RawTable(_plain(columns), units, len(table), SDC2)


def _plain(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return numbers as float64 and text as str arrays; columns of arrays are left out."""
    plain = {}
    for name, values in columns.items():
        values = np.asarray(values)
        if values.ndim != 1:
            continue
        if values.dtype.kind in "fiub":
            plain[name] = values.astype(float)
        elif values.dtype.kind in "SO":
            decoded = (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)
            plain[name] = np.array([text.strip() for text in decoded], str)
        elif values.dtype.kind == "U":
            plain[name] = np.char.strip(values)
    return plain


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
    return RawTable(columns, units, len(rows), "text")


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
