"""The catalogue: rows of measured values under declared columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.columns import Column

if TYPE_CHECKING:
    from astropy.table import QTable

DTYPES = {"text": object, "int": np.int64, "float": np.float64}


class Catalogue:
    """An immutable table of sources.

    Parameters
    ----------
    columns : tuple of Column
        In file order, units resolved.
    values : mapping of str to array, each of shape (n,)
        One array per column.
    """

    def __init__(self, columns: tuple[Column, ...], values: Mapping[str, np.ndarray]) -> None:
        self.columns = columns
        self._values = {c.name: np.asarray(values[c.name], DTYPES[c.kind]).view() for c in columns}
        for column in self._values.values():
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(next(iter(self._values.values()))) if self._values else 0

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [c.name for c in self.columns]

    def rows(self) -> list[tuple]:
        """Return the rows as tuples of Python values, in file order."""
        return list(zip(*(self._values[c.name].tolist() for c in self.columns), strict=True))

    def shifted(self, x: int, y: int, z: int) -> Catalogue:
        """Return a copy with the lower corner of a region added to centroids and boxes, not to peaks (spec §3.11)."""
        moved = dict(self._values)
        for axis, by in zip("xyz", (x, y, z), strict=True):
            for name in (axis, f"{axis}_min", f"{axis}_max"):
                if name in moved:
                    moved[name] = moved[name] + by
        return Catalogue(self.columns, moved)

    def to_table(self) -> QTable:
        """Return an `~astropy.table.QTable` with units, descriptions and UCDs (in ``meta`` of each column)."""
        from astropy import units
        from astropy.table import QTable

        table = QTable()
        for column in self.columns:
            values = self._values[column.name]
            table[column.name] = values.astype(str) if column.kind == "text" else values
            if column.kind == "float" and column.unit:
                table[column.name].unit = units.Unit(column.unit.replace("DEGREE", "deg"), parse_strict="silent")
            table[column.name].info.description = column.help
            table[column.name].info.meta = {"ucd": column.ucd}
        return table
