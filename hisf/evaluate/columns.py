"""The columns in which every catalogue is compared, and how to take bare numbers out of a table."""

from __future__ import annotations

import numpy as np
from astropy import units
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked, get_data_and_mask

from hisf.data import sdc2_table

# name -> unit, meaning; those of SDC2 and two more
COLUMNS: dict[str, tuple[str, str]] = {
    **{name: (unit, meaning) for name, (unit, _, meaning) in sdc2_table.COLUMNS.items()},
    "snr": ("", "integrated signal-to-noise ratio"),
    "confidence": ("", "probability that the detection is real"),
}
LAYOUT = "layout"  # in the table's meta: which kind of file it was
NOTES = "notes"  # in the table's meta: what could not be compared, one sentence each


def numbers(table: Table, name: str) -> np.ndarray:
    """Return a column as plain float64 in its declared unit, NaN where masked or absent; a copy.

    Parameters
    ----------
    table : `~astropy.table.Table`
    name : str
        One of `COLUMNS`.
    """
    if name not in table.colnames:
        return np.full(len(table), np.nan)
    column = table[name]
    mask = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    if isinstance(column, Masked):
        column, mask = get_data_and_mask(column)
    unit = COLUMNS[name][0]
    if unit and getattr(column, "unit", None) is not None:
        column = units.Quantity(column).to_value(unit)
    values = np.array(getattr(column, "data", column), dtype=float)
    if mask is not None:
        values[mask] = np.nan
    return values


def missing(table: Table, name: str) -> bool:
    """Return whether a table has rows, but not one value of this column (or not the column)."""
    return name not in table.colnames if not len(table) else bool(np.isnan(numbers(table, name)).all())


def as_table(values: dict[str, np.ndarray], n: int, layout: str, notes: list[str]) -> QTable:
    """Return a table with every column of `COLUMNS`, masked where a value is NaN or the column is not given.

    Parameters
    ----------
    values : dict of str to ndarray, shape (n,)
        In the units of `COLUMNS`.
    n : int
        Number of rows.
    layout, notes
        See `LAYOUT` and `NOTES`.
    """
    table = QTable(meta={LAYOUT: layout, NOTES: notes})
    for name, (unit, meaning) in COLUMNS.items():
        if name == "id":
            table[name] = np.asarray(values.get(name, np.arange(n)), np.int64)
        else:
            column = np.asarray(values.get(name, np.full(n, np.nan)), float)
            mask = np.isnan(column)
            table[name] = Masked(column, mask) * units.Unit(unit) if unit else MaskedColumn(column, mask=mask)
        table[name].info.description = meaning
    return table
