"""How far the columns of two catalogues differ, source by source."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hisf.evaluate.layouts import RawTable
from hisf.evaluate.reading import printed_unit

# angles, which differ by less than half a turn; an ellipse is the same after half of one
TURNS = dict.fromkeys(("ra", "l", "ra_peak", "l_peak", "kin_pa", "hi_ra", "hi_pa", "pa"), 360.0) | dict.fromkeys(
    ("ell_pa", "ell3s_pa"), 180.0
)
LABELS = ("id",)  # numbers that are names: equal or not
ROUNDING = 1.001  # of the last digit: two neighbours differ by one, give or take the binary fraction


@dataclass(frozen=True)
class ColumnDifference:
    """The differences ``B − A`` of one column over the matched sources.

    Attributes
    ----------
    name, unit : str
        The unit as A prints it; that of the numbers below.
    n : int
        Pairs that both have a value.
    n_differ : int
        Those that differ by more than is printed (`printed_step`), or than the relative tolerance.
    n_missing : int
        Pairs of which one has a value and the other none (NaN or empty).
    median : float
        Of the differences; NaN for text and for ids, as are the next two.
    largest : float
        Of their moduli.
    largest_relative : float
        Of the moduli over the larger of both values.
    """

    name: str
    unit: str
    n: int
    n_differ: int
    n_missing: int
    median: float = math.nan
    largest: float = math.nan
    largest_relative: float = math.nan


def printed_step(values: np.ndarray) -> np.ndarray:
    """Return one unit of the last digit that SoFiA's text catalogue prints (spec sofia2 §4.4).

    Six decimals; six significant digits of values of at least 1e4 or below 1e-3.
    """
    size = np.abs(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 10.0 ** (np.floor(np.log10(size)) - 5.0)
        scientific = (size > 0) & ((size >= 1e4) | (size < 1e-3))
    return np.where(scientific, digits, 1e-6)


def compare_columns(
    a: RawTable, b: RawTable, rows_a: np.ndarray, rows_b: np.ndarray, tolerance: float | None = None
) -> tuple[list[ColumnDifference], list[str]]:
    """Compare every column that both tables have.

    Parameters
    ----------
    a, b : RawTable
    rows_a, rows_b : ndarray of int, shape (n,)
        Rows of the matched sources.
    tolerance : float, optional
        Largest relative difference that does not count; otherwise the precision of the text catalogue.

    Returns
    -------
    differences : list of ColumnDifference
        In the order of A.
    notes : list of str
        A sentence for every column that cannot be compared, as its units differ.
    """
    differences, notes = [], []
    for name, values in a.columns.items():
        if name not in b.columns:
            continue
        units = a.units.get(name, ""), b.units.get(name, "")
        if not _same_unit(*units):
            notes.append(
                f"{name} is in {units[0] or 'no unit'} in A and in {units[1] or 'no unit'} in B: not compared."
            )
            continue
        x, y = values[rows_a], b.columns[name][rows_b]
        if x.dtype.kind != "f" or y.dtype.kind != "f" or name in LABELS:
            missing = int(np.sum(_blank(x) != _blank(y)))
            n_differ = int(np.sum((x.astype(str) != y.astype(str)) & ~_blank(x) & ~_blank(y)))
            differences.append(ColumnDifference(name, units[0], len(x) - missing, n_differ, missing))
        else:
            differences.append(_compare_numbers(name, units[0], x, y, tolerance))
    return differences, notes


def _compare_numbers(name: str, unit: str, x: np.ndarray, y: np.ndarray, tolerance: float | None) -> ColumnDifference:
    n_missing = int(np.sum(np.isnan(x) != np.isnan(y)))
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if not len(x):
        return ColumnDifference(name, unit, 0, 0, n_missing)
    with np.errstate(invalid="ignore"):
        difference = np.where(x == y, 0.0, y - x)
    if name in TURNS:
        turn = TURNS[name]
        difference = np.mod(difference + turn / 2.0, turn) - turn / 2.0
    size = np.maximum(np.abs(x), np.abs(y))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(size > 0, np.abs(difference) / size, 0.0)
    allowed = size * tolerance if tolerance is not None else ROUNDING * printed_step(size)
    n_differ = int(np.sum(~(np.abs(difference) <= allowed)))
    values = float(np.median(difference)), float(np.abs(difference).max()), float(relative.max())
    return ColumnDifference(name, unit, len(x), n_differ, n_missing, *values)


def _blank(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else values == ""


def _same_unit(first: str, second: str) -> bool:
    if first == second:
        return True
    units = printed_unit(first), printed_unit(second)
    return None not in units and units[0] == units[1]
