"""The catalogue as SQL, in MySQL's dialect (spec sofia2 §4.6)."""

from __future__ import annotations

import math
from pathlib import Path

from hisf.data.catalogue import Catalogue
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.stamp import CREATOR, catalogue_time

TYPES = {"text": "VARCHAR(255)", "int": "INTEGER", "float": "DOUBLE PRECISION"}
TABLE = "SoFiA-Catalogue"


class SqlCatalogue(Product):
    """One CREATE TABLE and one INSERT with all rows."""

    name = "SQL catalogue"
    suffix = "_cat.sql"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatSQL``."""
        return settings["output.writeCatSQL"]

    def write(self, result: Result, path: Path) -> None:
        """Write the statements."""
        assert result.catalogue is not None
        path.write_text(as_sql(result.catalogue), encoding="utf-8")


def as_sql(catalogue: Catalogue) -> str:
    """Return the statements; values that are not finite are NULL."""
    head = f"-- hisf source catalogue\n-- Creator: {CREATOR}\n-- Time:    {catalogue_time()}\n\n"
    mode = 'SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";\n\n'
    columns = [f"\t`{c.name}` {TYPES[c.kind]}{'' if c.kind == 'float' else ' NOT NULL'}," for c in catalogue.columns]
    create = f"CREATE TABLE IF NOT EXISTS `{TABLE}` (\n" + "\n".join(columns) + "\n\tPRIMARY KEY (`id`)\n);\n\n"
    names = ", ".join(f"`{name}`" for name in catalogue.names)
    rows = ",\n".join("(" + ", ".join(_literal(v) for v in row) + ")" for row in catalogue.rows())
    return f"{head}{mode}{create}INSERT INTO `{TABLE}` ({names}) VALUES\n{rows};\n"


def _literal(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.15e}" if math.isfinite(value) else "NULL"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return str(value)
