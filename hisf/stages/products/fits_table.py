"""The catalogue as a FITS table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits

from hisf.data.catalogue import Catalogue
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.fits_image import printable
from hisf.stages.products.stamp import CREATOR, utc_date

FORMATS = {"int": "K", "float": "D"}


class FitsCatalogue(Product):
    """One binary table, SOURCES, with names, units, UCDs (``TUCDn``) and meanings (``TCOMMn``) of the columns.

    Units are spelled as the FITS standard has them, where it knows them. The settings are the HISTORY of the primary
    header.
    """

    name = "FITS catalogue"
    suffix = "_cat.fits"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatFITS``."""
        return settings["output.writeCatFITS"]

    def write(self, result: Result, path: Path) -> None:
        """Write the catalogue."""
        assert result.catalogue is not None
        with path.open("wb") as file:
            as_fits(result.catalogue, result.settings).writeto(file)


def as_fits(catalogue: Catalogue, settings: Settings) -> fits.HDUList:
    """Return the catalogue as a primary header and a table; unknown values are NaN, text is ASCII."""
    primary = fits.PrimaryHDU()
    primary.header["ORIGIN"] = CREATOR
    primary.header["DATE"] = utc_date()
    primary.header["HISTORY"] = f"{CREATOR} was run with these settings:"
    for name in settings:
        primary.header["HISTORY"] = printable(f"{name} = {settings.text(name)}")
    columns = []
    for column in catalogue.columns:
        values = catalogue[column.name]
        if column.kind == "text":
            values = np.array([printable(str(value)) for value in values], "S")
        format_ = FORMATS.get(column.kind) or f"{max(1, values.itemsize)}A"
        columns.append(fits.Column(column.name, format_, fits_unit(column.unit) or None, array=values))
    table = fits.BinTableHDU.from_columns(columns, name="SOURCES")
    for n, column in enumerate(catalogue.columns, 1):
        if column.ucd:
            table.header[f"TUCD{n}"] = column.ucd
        table.header[f"TCOMM{n}"] = printable(column.help)
    return fits.HDUList([primary, table])


def fits_unit(unit: str) -> str:
    """Return a unit as FITS spells it, as it is where FITS does not know it; empty for ``???``."""
    if unit == "???":
        return ""
    try:
        return units.Unit(unit.replace("DEGREE", "deg")).to_string("fits")
    except ValueError:
        return printable(unit)
