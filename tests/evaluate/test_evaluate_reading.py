"""Every kind of catalogue becomes the same table."""

import numpy as np
import pytest

from hisf.data.sdc2_table import write_sdc2
from hisf.errors import FileAccessError, InputError
from hisf.evaluate.columns import numbers
from hisf.evaluate.reading import REST, read_catalogue

C = 299792458.0
GOLDENS = ["plain_full", "obs_ngc6946", "obs_wallaby9", "spectral_noise_perkernel", "wsrt_default", "obs_eso121_4d"]


def votable(path, fields, *rows):
    head = "".join(f'<FIELD name="{name}" datatype="double" unit="{unit}"/>' for name, unit in fields)
    body = "".join("<TR>" + "".join(f"<TD>{v!r}</TD>" for v in row) + "</TR>" for row in rows)
    path.write_text(
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        f"{head}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    return path


def read_one(path, fields, *values):
    table = read_catalogue(votable(path / "cat.xml", fields, values))
    return {name: float(numbers(table, name)[0]) for name in table.colnames}, table.meta["notes"]


PLACE = (("ra", "deg"), ("dec", "deg"))


@pytest.mark.shared
@pytest.mark.parametrize("name", GOLDENS)
def test_votable_and_text_of_sofia_give_the_same(name, shared):
    folder = shared / "parity" / "goldens" / name
    full, text = read_catalogue(folder / "g_cat.xml"), read_catalogue(folder / "g_cat.txt")
    assert full.meta["notes"] == text.meta["notes"]
    assert (full.meta["layout"], text.meta["layout"]) == ("VOTable", "text")
    for column in full.colnames:
        # the text has six digits; S/N and widths divide two of its numbers
        np.testing.assert_allclose(numbers(full, column), numbers(text, column), rtol=1e-4, err_msg=column)
    assert np.isfinite(numbers(full, "central_freq")).all()
    physical = "parameter.physical = true" in " ".join(full.meta["notes"])
    assert np.isnan(numbers(full, "line_flux_integral")).all() == physical


@pytest.mark.shared
def test_velocities_are_in_si_although_the_unit_says_otherwise(shared):
    # v_app = 3.2e4 with the unit km/s: SoFiA's world coordinates are in SI
    table = read_catalogue(shared / "parity" / "goldens" / "obs_ngc6946" / "g_cat.xml")
    assert numbers(table, "central_freq")[0] == pytest.approx(REST * (1 - 3.20229e4 / C), rel=1e-7)
    assert numbers(table, "w20")[0] == pytest.approx(224.4176, rel=1e-5)


def test_frequency_axis(tmp_path):
    fields = (*PLACE, ("freq", "Hz"), ("f_sum", "Jy*Hz"), ("err_f_sum", "Jy*Hz"), ("w20", "Hz"), ("rel", ""))
    row, notes = read_one(tmp_path, fields, 370.0, -30.0, 1.0e9, 50.0, 10.0, 1e6, 0.9)
    assert row["ra"] == 10.0
    assert (row["line_flux_integral"], row["snr"], row["confidence"]) == (50.0, 5.0, 0.9)
    assert row["w20"] == pytest.approx(C * 1e6 / 1e9 / 1e3)
    assert np.isnan(row["hi_size"])
    assert notes == []


@pytest.mark.parametrize("column", ["v_rad", "v_opt", "v_app"])
def test_velocity_axes(column, tmp_path):
    def frequency(v):
        beta = v / C
        return REST * {"v_rad": 1 - beta, "v_opt": 1 / (1 + beta), "v_app": np.sqrt((1 - beta) / (1 + beta))}[column]

    v = 0.2 * C
    fields = (*PLACE, (column, "km/s"), ("f_sum", "Jy*km/s"), ("w20", "km/s"))
    row, _ = read_one(tmp_path, fields, 10.0, -30.0, v, 2.0, 100.0)
    slope = (frequency(v - 5e4) - frequency(v + 5e4)) / 1e5  # Hz per m/s, over the width of the line
    assert row["central_freq"] == pytest.approx(frequency(v), rel=1e-12)
    assert row["line_flux_integral"] == pytest.approx(2e3 * slope, rel=1e-6)
    assert row["w20"] == pytest.approx(C / 1e3 * 1e5 * slope / frequency(v), rel=1e-6)


def test_galactic_positions_become_equatorial(tmp_path):
    row, _ = read_one(tmp_path, (("l", "deg"), ("b", "deg"), ("freq", "Hz")), 0.0, 90.0, 1.4e9)
    assert (row["ra"], row["dec"]) == pytest.approx((192.85948, 27.12825), abs=1e-3)


def test_what_cannot_be_compared_is_masked_with_a_note(tmp_path):
    fields = (*PLACE, ("freq", "Hz"), ("f_sum", "???"), ("w20", "pix"), ("rel", ""))
    row, notes = read_one(tmp_path, fields, 10.0, 1.0, 1.4e9, 3.0, 4.0, 0.0)
    assert np.isnan([row["line_flux_integral"], row["w20"], row["confidence"], row["snr"]]).all()
    assert len(notes) == 3
    assert "Fluxes are in ???" in notes[1]


def test_confidence_goes_before_reliability(tmp_path):
    row, _ = read_one(tmp_path, (*PLACE, ("freq", "Hz"), ("rel", ""), ("confidence", "")), 1.0, 1.0, 1.4e9, 0.5, 0.7)
    assert row["confidence"] == 0.7


@pytest.mark.parametrize(
    ("fields", "words"),
    [((("x", "pix"), ("id", "")), "no sky positions"), ((*PLACE, ("spec", "???")), "no spectral position")],
)
def test_places_are_needed(fields, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_one(tmp_path, fields, *(1.0 for _ in fields))


def test_units_with_blanks_in_the_text_catalogue(tmp_path):
    names = ["id", "f_sum", "mean", "ra", "dec", "freq"]
    units = ["-", "Jy*Hz", "beam-1 Jy", "deg", "deg", "Hz"]
    lines = ["# made by hand", "#" + "".join(n.rjust(14) for n in names), "#" + "".join(u.rjust(14) for u in units), ""]
    lines.append(" " + "".join(v.rjust(14) for v in ("1", "2.5", "0.1", "10", "20", "1.4e9")))
    path = tmp_path / "cat.txt"
    path.write_text("\n".join(lines) + "\n")
    table = read_catalogue(path)
    assert numbers(table, "line_flux_integral").tolist() == [2.5]
    path.write_text("\n".join([*lines, " 1 2"]) + "\n")
    with pytest.raises(InputError, match="line 6 has 2 values, the header 6"):
        read_catalogue(path)


def test_sdc2_text_with_more_columns_comes_back(tmp_path):
    path = tmp_path / "cat.txt"
    header = "id ra dec hi_size line_flux_integral central_freq pa i w20 confidence snr"
    path.write_text(f"{header}\n3 180 -30 10 50 1.05e9 30 60 200 0.75 nan\n")
    table = read_catalogue(path)
    assert numbers(table, "confidence").tolist() == [0.75]
    assert np.isnan(numbers(table, "snr")[0])
    assert table["ra"].unit == "deg"
    path.write_text(header + "\n")
    assert len(read_catalogue(path)) == 0
    path.write_text(f"{header}\nnan 180 -30 10 50 1.05e9 30 60 200 0.75 2\n")
    with pytest.raises(InputError):
        read_catalogue(path)


def test_what_hisf_writes_is_read(tmp_path):
    path = tmp_path / "cat.txt"
    path.write_text("id ra dec hi_size line_flux_integral central_freq pa i w20\n3 180 -30 10 50 1.05e9 30 60 200\n")
    table = read_catalogue(path)
    table["confidence"] = [0.5]
    table.remove_column("snr")
    write_sdc2(tmp_path / "again.txt", table)
    assert numbers(read_catalogue(tmp_path / "again.txt"), "confidence").tolist() == [0.5]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", InputError, "is empty"),
        (b"\xff\xfe\x00\x81", InputError, "is not text"),
        (b"<VOTABLE><RES", InputError, "not a readable VOTable"),
        (b"1 2 3\n", InputError, "not a catalogue that hisf knows"),
        (None, FileAccessError, "cannot be read"),
    ],
)
def test_files_that_are_no_catalogue(content, error, words, tmp_path):
    path = tmp_path / "cat.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        read_catalogue(path)


ESTIMATED = (("confidence", ""), ("hi_ra", "deg"), ("hi_dec", "deg"), ("hi_freq", "Hz"), ("hi_flux", "Jy*Hz"),
             ("hi_size", "arcsec"), ("hi_incl", "deg"), ("hi_pa", "deg"), ("hi_w20", "km/s"))  # fmt: skip


def test_estimates_of_an_appraisal_take_the_place_of_measurements(tmp_path):
    fields = (*PLACE, ("freq", "Hz"), ("f_sum", "Jy*Hz"), ("w20", "pix"), ("rel", ""), *ESTIMATED)
    measured = (10.0, -30.0, 1.0e9, 50.0, 30.0, 0.9)
    row, notes = read_one(tmp_path, fields, *measured, 0.7, 10.1, -30.1, 1.1e9, 40.0, 12.0, 60.0, 200.0, 150.0)
    expected = {"ra": 10.1, "dec": -30.1, "central_freq": 1.1e9, "line_flux_integral": 40.0, "hi_size": 12.0}
    expected |= {"i": 60.0, "pa": 200.0, "w20": 150.0, "confidence": 0.7}
    assert {name: row[name] for name in expected} == expected
    assert notes == []


def test_estimates_that_are_not_known_leave_measurements(tmp_path):
    """A place is needed, so that it is taken from either; of anything else the two are not mixed."""
    fields = (*PLACE, ("freq", "Hz"), ("f_sum", "Jy*Hz"), ("w20", "Hz"), ("rel", ""), *ESTIMATED)
    measured = (10.0, -30.0, 1.0e9, 50.0, 1e6, 0.9)
    row, _ = read_one(tmp_path, fields, *measured, *[float("nan")] * len(ESTIMATED))
    assert (row["ra"], row["central_freq"], row["line_flux_integral"], row["confidence"]) == (10.0, 1e9, 50.0, 0.9)
    nothing = [float("nan")] * len(ESTIMATED)
    rows = [(*measured, *nothing), (*measured, 0.7, 10.1, -30.1, 1.1e9, 40.0, 12.0, 60.0, 200.0, 150.0)]
    table = read_catalogue(votable(tmp_path / "cat.xml", fields, *rows))
    assert numbers(table, "ra") == pytest.approx([10.0, 10.1])
    assert numbers(table, "central_freq") == pytest.approx([1e9, 1.1e9])
    for name in ("line_flux_integral", "confidence", "w20", "i"):
        assert np.isnan(numbers(table, name)).tolist() == [True, False], name
