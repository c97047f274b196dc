"""The plain-text catalogue (spec sofia2 §4.4)."""

from __future__ import annotations

from pathlib import Path

from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.stamp import CREATOR, catalogue_time

# 17 lines: programs look for the column names on line 19 of the file (spec clients §1)
HEADER = """\
# hisf source catalogue
# Creator: {creator}
# Time:    {time}
#
# This file is for reading by eye: its numbers are rounded.
# For analysis use the VOTable beside it (_cat.xml), which
# has full precision, units and Unified Content Descriptors;
# astropy.table.Table.read, TOPCAT and CARTA open it.
#
# Positions are in pixels and channels counted from 0.
#
# Header rows:
#
#   1 = column number
#   2 = column name
#   3 = unit
#
"""
NAME_WIDTH, WIDTH = 28, 14


class AsciiCatalogue(Product):
    """Fixed-width text: column numbers, names and units behind ``#``, then one row per source."""

    name = "text catalogue"
    suffix = "_cat.txt"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatASCII``."""
        return settings["output.writeCatASCII"]

    def write(self, result: Result, path: Path) -> None:
        """Write the catalogue."""
        assert result.catalogue is not None
        path.write_text(as_ascii(result.catalogue), encoding="utf-8")


def as_ascii(catalogue: Catalogue) -> str:
    """Return the catalogue as text."""
    columns = catalogue.columns
    lines = [
        "#" + "".join(_cell(c, text) for c, text in zip(columns, row, strict=True)) + "     "
        for row in (
            [str(n) for n in range(1, len(columns) + 1)],
            [c.name for c in columns],
            [c.unit or "-" for c in columns],
        )
    ]
    lines.append("")
    for row in catalogue.rows():
        lines.append(" " + "".join(_cell(c, _text(c, v)) for c, v in zip(columns, row, strict=True)) + "     ")
    return HEADER.format(creator=CREATOR, time=catalogue_time()) + "\n".join(lines) + "\n"


def _cell(column: Column, text: str) -> str:
    return text.rjust(NAME_WIDTH if column.kind == "text" else WIDTH)


def _text(column: Column, value: object) -> str:
    if column.kind == "text":
        return f'"{value}"'
    if column.kind == "int":
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    small_or_large = number != 0 and (abs(number) >= 1e4 or abs(number) < 1e-3)
    return f"{number:.5e}" if small_or_large else f"{number:.6f}"
