"""The catalogue and the declaration of its columns."""

import numpy as np
import pytest
from astropy import units

from hisf.data.catalogue import Catalogue
from hisf.data.columns import BASIC, MEASURED, Column, sofia

# spec sofia2 §3.11, in file order; world axes of an equatorial frequency cube are named by the run
ORDER = [
    "name", "id", "x", "y", "z", "x_min", "x_max", "y_min", "y_max", "z_min", "z_max", "n_pix", "f_min", "f_max",
    "f_sum", "rel", "flag", "fill", "mean", "std", "skew", "kurt", "rms", "w20", "w50", "wm50", "ell_maj", "ell_min",
    "ell_pa", "ell3s_maj", "ell3s_min", "ell3s_pa", "kin_pa", "err_x", "err_y", "err_z", "err_f_sum", "world1",
    "world2", "world3", "x_peak", "y_peak", "z_peak", "world1_peak", "world2_peak", "world3_peak",
]  # fmt: skip


def small():
    columns = sofia("name", "id", "x", "x_min", "x_max", "f_sum", "ell_pa", "x_peak")
    columns = tuple(c.resolved({"FLUX": "Jy*Hz"}.get(c.unit, c.unit)) for c in columns)
    values = {
        "name": np.array(["a", "b"]), "id": [1, 2], "x": [1.5, 2.5], "x_min": [1, 2], "x_max": [3, 4],
        "f_sum": [10.0, np.nan], "ell_pa": [1.0, 2.0], "x_peak": [2, 3],
    }  # fmt: skip
    return Catalogue(columns, values)


def test_columns_are_the_46_of_sofia_in_their_order():
    assert [c.name for c in (*BASIC, *MEASURED)] == ORDER
    assert len(ORDER) == 46


# spec sofia2 §3.11, the table
@pytest.mark.parametrize(
    ("name", "kind", "unit", "ucd"),
    [
        ("name", "text", "", "meta.id"),
        ("id", "int", "", "meta.id"),
        ("y", "float", "pix", "pos.cartesian.y"),
        ("z_max", "int", "pix", "pos.cartesian.z;stat.max"),
        ("n_pix", "int", "", "meta.number;instr.pixel"),
        ("f_min", "float", "DATA", "phot.flux.density;stat.min"),
        ("f_sum", "float", "FLUX", "phot.flux"),
        ("rel", "float", "", "stat.probability"),
        ("flag", "int", "", "meta.code.qual"),
        ("fill", "float", "", "stat.filling"),
        ("mean", "float", "BUNIT", "phot.flux.density;stat.mean"),
        ("std", "float", "BUNIT", "phot.flux.density;stat.stdev"),
        ("kurt", "float", "", "stat.param"),
        ("rms", "float", "DATA", "instr.det.noise"),
        ("wm50", "float", "WIDTH", "spect.line.width"),
        ("ell_min", "float", "pix", "phys.angSize"),
        ("ell3s_pa", "float", "deg", "pos.posAng"),
        ("kin_pa", "float", "deg", "pos.posAng"),
        ("err_z", "float", "pix", "stat.error;pos.cartesian.z"),
        ("err_f_sum", "float", "FLUX", "stat.error;phot.flux"),
        ("z_peak", "int", "pix", "pos.cartesian.z"),
    ],
)
def test_declaration_of_columns(name, kind, unit, ucd):
    (column,) = sofia(name)
    assert (column.kind, column.unit, column.ucd) == (kind, unit, ucd)


def test_columns_by_name_come_in_file_order():
    assert [c.name for c in sofia("rms", "id", "x")] == ["id", "x", "rms"]
    with pytest.raises(KeyError):
        sofia("id", "brightness")


def test_rows_are_plain_values():
    rows = small().rows()
    assert rows[0] == ("a", 1, 1.5, 1, 3, 10.0, 1.0, 2)
    assert [type(v) for v in rows[0]] == [str, int, float, int, int, float, float, int]
    assert len(small()) == 2
    assert "x" in small()
    assert "y" not in small()


def test_offset_of_a_region_moves_all_but_the_peaks():
    """Spec sofia2 §3.11: x, y, z and the box, not x_peak (trap 21)."""
    catalogue = small()
    moved = catalogue.shifted(100, 200, 300)
    assert moved["x"].tolist() == [101.5, 102.5]
    assert moved["x_min"].tolist() == [101, 102]
    assert moved["x_max"].tolist() == [103, 104]
    assert moved["x_peak"].tolist() == [2, 3]
    assert catalogue["x"].tolist() == [1.5, 2.5]


def test_table_has_units_descriptions_and_ucds():
    table = small().to_table()
    assert table.colnames == small().names
    assert table["f_sum"].unit == units.Jy * units.Hz
    assert table["f_sum"][0] == 10 * units.Jy * units.Hz
    assert table["id"].dtype == np.int64
    assert table["name"].tolist() == ["a", "b"]
    assert table["x"].info.meta["ucd"] == "pos.cartesian.x"
    assert "centroid" in table["x"].info.description


def test_unit_that_astropy_does_not_know_is_kept():
    catalogue = Catalogue(
        (Column("f", "float", "???", "", ""), Column("a", "float", "DEGREE", "", "")), {"f": [1.0], "a": [2.0]}
    )
    table = catalogue.to_table()
    assert str(table["f"].unit) == "???"
    assert table["a"].unit == units.deg


def test_empty_catalogue():
    catalogue = Catalogue(sofia("id", "x"), {"id": [], "x": []})
    assert len(catalogue) == 0
    assert catalogue.rows() == []
