"""The catalogue as a table in an HDF5 file."""

from __future__ import annotations

from pathlib import Path

from hisf.data.catalogue import Catalogue
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.stamp import CREATOR, utc_date

DATASET = "catalogue"


class Hdf5Catalogue(Product):
    """The compound data set ``catalogue``.

    Its attributes ``columns``, ``units``, ``ucds`` and ``descriptions`` say, column by column, what it holds;
    `astropy.table.QTable.read` finds units and descriptions by itself. The attributes of the group ``settings`` are the
    settings of the run.
    """

    name = "HDF5 catalogue"
    suffix = "_cat.h5"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeCatHDF5``."""
        return settings["output.writeCatHDF5"]

    def write(self, result: Result, path: Path) -> None:
        """Write the catalogue."""
        assert result.catalogue is not None
        write_hdf5(path, result.catalogue, result.settings)


def write_hdf5(path: Path, catalogue: Catalogue, settings: Settings) -> None:
    """Write the catalogue; unknown values are NaN, text is in UTF-8."""
    import h5py
    from astropy.io.misc.hdf5 import write_table_hdf5

    with h5py.File(path, "w") as file:
        write_table_hdf5(catalogue.to_table(), file, path=DATASET, serialize_meta=True)
        text, about = h5py.string_dtype(), file[DATASET].attrs
        about.create("columns", catalogue.names, dtype=text)
        about.create("units", [column.unit for column in catalogue.columns], dtype=text)
        about.create("ucds", [column.ucd for column in catalogue.columns], dtype=text)
        about.create("descriptions", [column.help for column in catalogue.columns], dtype=text)
        file.attrs["creator"], file.attrs["date"] = CREATOR, utc_date()
        record = file.create_group("settings")
        for name in settings:
            record.attrs[name] = settings.text(name)
