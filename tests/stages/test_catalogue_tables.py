"""The catalogue as a FITS table and in HDF5: every value, name, unit, UCD and meaning."""

import h5py
import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable, Table

from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.settings import load_settings
from hisf.stages.products.fits_table import as_fits, fits_unit
from hisf.stages.products.hdf5_table import write_hdf5
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

FIND = ["pipeline.finder=threshold", "threshold.threshold=4", "linker.minSizeZ=3", "linker.minSizeXY=3"]
WRITE = ["output.writeCatFITS=true", "output.writeCatHDF5=true"]
SOURCES = (GaussianSource(0.02, 8, 10, 12), GaussianSource(0.015, 14, 20, 22), GaussianSource(0.015, 6, 22, 6))


@pytest.fixture(scope="module", params=["false", "true"], ids=["data units", "physical"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    path = write_fits(folder / "cube.fits", *make_cube((20, 28, 30), sources=SOURCES))
    catalogue = run_pipeline(path, folder, [*FIND, *WRITE, f"parameter.physical={request.param}"])
    assert len(catalogue) == 3
    return catalogue, folder


def check(table, catalogue):
    """Compare with the catalogue what astropy reads, warnings being errors."""
    assert table.colnames == catalogue.names
    for column in catalogue.columns:
        values = np.asarray(getattr(table[column.name], "value", table[column.name]))
        if column.kind == "text":
            assert values.astype(str).tolist() == catalogue[column.name].tolist()
        else:
            np.testing.assert_array_equal(values, catalogue[column.name])
            assert values.dtype.kind == {"int": "i", "float": "f"}[column.kind]
        if column.kind == "float":
            assert (table[column.name].unit or units.one) == units.Unit(column.unit)


def test_fits_table_has_it_all(run):
    catalogue, folder = run
    with fits.open(folder / "cube_cat.fits") as file:
        file.verify("exception")
        assert [hdu.name for hdu in file] == ["PRIMARY", "SOURCES"]
        assert "threshold.threshold = 4" in list(file[0].header["HISTORY"])
        header = file[1].header
        for n, column in enumerate(catalogue.columns, 1):
            assert header[f"TTYPE{n}"] == column.name
            assert header.get(f"TUCD{n}", "") == column.ucd
            assert header[f"TCOMM{n}"] == column.help
            assert units.Unit(header.get(f"TUNIT{n}", ""), format="fits") == units.Unit(column.unit)
    check(Table.read(folder / "cube_cat.fits"), catalogue)


def test_hdf5_table_has_it_all(run):
    catalogue, folder = run
    table = QTable.read(folder / "cube_cat.h5", path="catalogue", character_as_bytes=False)
    check(table, catalogue)
    assert [table[name].info.description for name in table.colnames] == [c.help for c in catalogue.columns]
    with h5py.File(folder / "cube_cat.h5") as file:
        about = file["catalogue"].attrs
        assert list(about["columns"]) == list(file["catalogue"].dtype.names) == catalogue.names
        for name, part in (("units", "unit"), ("ucds", "ucd"), ("descriptions", "help")):
            assert list(about[name]) == [getattr(c, part) for c in catalogue.columns]
        assert file["settings"].attrs["threshold.threshold"] == "4"


def odd():
    columns = (
        Column("name", "text", "", "meta.id", "Ü"), Column("v", "float", "???", "", "Value"),
        Column("w", "float", "odd*unit", "", "Value"), Column("n", "int", "pix", "", "Number"),
    )  # fmt: skip
    return Catalogue(columns, {"name": ["é", "plain"], "v": [np.nan, 1.5], "w": [1, 2], "n": [3, 4]})


@pytest.mark.filterwarnings("ignore:.*odd.*:astropy.units.UnitsWarning")
def test_odd_values_in_a_fits_table(tmp_path):
    as_fits(odd(), load_settings([])).writeto(tmp_path / "odd.fits")
    with fits.open(tmp_path / "odd.fits") as file:
        file.verify("exception")
        assert file[1].data["name"].tolist() == ["?", "plain"]
        np.testing.assert_array_equal(file[1].data["v"], [np.nan, 1.5])
        assert "TUNIT2" not in file[1].header
        assert (file[1].header["TUNIT3"], file[1].header["TUNIT4"]) == ("odd*unit", "pix")


def test_odd_values_in_hdf5(tmp_path):
    write_hdf5(tmp_path / "odd.h5", odd(), load_settings([]))
    with h5py.File(tmp_path / "odd.h5") as file:
        assert [name.decode() for name in file["catalogue"]["name"]] == ["é", "plain"]
        np.testing.assert_array_equal(file["catalogue"]["v"], [np.nan, 1.5])
        assert list(file["catalogue"].attrs["units"]) == ["", "???", "odd*unit", "pix"]


@pytest.mark.parametrize(
    ("unit", "spelled"),
    [("", ""), ("???", ""), ("DEGREE", "deg"), ("Jy*m/s", "Jy m s-1"), ("Jy/beam", "Jy beam-1"), ("pix", "pix")],
)
def test_units_are_spelled_as_fits_spells_them(unit, spelled):
    assert units.Unit(fits_unit(unit), format="fits") == units.Unit(spelled, format="fits")


def test_no_source_no_table_but_one_with_columns(tmp_path):
    empty = Catalogue(odd().columns, {"name": [], "v": [], "w": [], "n": []})
    as_fits(empty, load_settings([])).verify("exception")
    write_hdf5(tmp_path / "empty.h5", empty, load_settings([]))
    with h5py.File(tmp_path / "empty.h5") as file:
        assert len(file["catalogue"]) == 0
