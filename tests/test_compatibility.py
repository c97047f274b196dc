"""The defects of SoFiA 2.5.1 (spec clients §4): reproduced by default, right with pipeline.compatibility = improved."""

import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import Table

from hisf.data.repair import CATALOGUE_UNITS, SPELLINGS, repair_header
from hisf.errors import InputError
from hisf.testing import GaussianSource, make_cube, make_header, run_pipeline, write_fits

SHAPE = (24, 40, 44)
IMPROVED = "pipeline.compatibility=improved"
FIND = ["pipeline.finder=threshold", "threshold.threshold=5", "linker.minSizeXY=3", "linker.minSizeZ=3"]
PHYSICAL = "parameter.physical=true"


def run(tmp_path, *arguments, cards=None, shape=SHAPE, **options):
    """Return the catalogue of one source, or more, with an awkward header."""
    centre = GaussianSource(0.04, shape[0] / 2, shape[1] / 2, shape[2] / 2)
    array, header = make_cube(shape, sources=options.pop("sources", [centre]), cards=cards, **options)
    path = write_fits(tmp_path / "cube.fits", array, header)
    return run_pipeline(path, tmp_path, [*FIND, *arguments])


def unit_of(catalogue, name):
    return next(column.unit for column in catalogue.columns if column.name == name)


# --- 1. a beam that is none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [{"BMAJ": -1.0, "BMIN": -1.0}, {"BMAJ": -1.0}, {"BMIN": 0.0}])
def test_beam_that_is_none(tmp_path, beam, caplog):
    """Fluxes are not divided by (−1 deg)²: without a beam they are sums times the channel width."""
    without = run(tmp_path, PHYSICAL, cards={"BMAJ": None, "BMIN": None})
    broken = run(tmp_path, PHYSICAL, cards=beam)
    better = run(tmp_path, PHYSICAL, IMPROVED, cards=beam)
    assert better["f_sum"][0] == pytest.approx(without["f_sum"][0], rel=1e-12)
    assert unit_of(better, "f_sum") == "Jy/beam*Hz"
    if all(value < 0 for value in beam.values()) and len(beam) == 2:
        assert broken["f_sum"][0] < better["f_sum"][0] / 1000  # SoFiA's
        assert unit_of(broken, "f_sum") == "Jy*Hz"
    assert "no beam, and is left out" in caplog.text or "are no beam" in caplog.text


# --- 2. axes in km/s and MHz ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ctype", "unit", "factor", "column"), [("VELO", "km/s", 1e3, "v_app"), ("FREQ", "MHz", 1e6, "freq")]
)
def test_spectral_axis_in_another_unit(tmp_path, ctype, unit, factor, column):
    """Values, widths and fluxes are in the unit that is printed, and agree with those of the cube in SI units."""
    array, header = make_cube(SHAPE, ctype3=ctype, sources=[GaussianSource(0.04, 12, 20, 22)])
    expected = run_pipeline(write_fits(tmp_path / "si.fits", array, header), tmp_path, [*FIND, PHYSICAL])
    for key in ("CRVAL3", "CDELT3"):
        header[key] /= factor
    header["CUNIT3"] = unit
    path = write_fits(tmp_path / "other.fits", array, header)
    as_sofia = run_pipeline(path, tmp_path, [*FIND, PHYSICAL])
    better = run_pipeline(path, tmp_path, [*FIND, PHYSICAL, IMPROVED, "output.writeMoments=true"])
    assert as_sofia[column][0] == pytest.approx(expected[column][0], rel=1e-12)  # SI ...
    assert unit_of(as_sofia, column) == unit  # ... under another name
    for name in (column, "w20", "f_sum"):
        assert better[name][0] == pytest.approx(expected[name][0], rel=1e-9)
        assert unit_of(better, name) == unit_of(expected, name)
    with fits.open(tmp_path / "other_mom1.fits") as hdus:
        assert hdus[0].header["BUNIT"] == unit_of(expected, column)
        assert np.nanmedian(hdus[0].data) == pytest.approx(better[column][0], rel=1e-3)


# --- 3. negative longitudes -------------------------------------------------------------------------------------------


def test_negative_right_ascension(tmp_path):
    broken = run(tmp_path, cards={"CRVAL1": -51.0, "CRVAL2": 60.0})
    better = run(tmp_path, IMPROVED, cards={"CRVAL1": -51.0, "CRVAL2": 60.0})
    same = run(tmp_path, cards={"CRVAL1": 309.0, "CRVAL2": 60.0})
    assert broken["ra"][0] == pytest.approx(-51.0, abs=0.1) and " J-4" in broken["name"][0]
    assert better["ra"][0] == pytest.approx(broken["ra"][0] + 360.0, abs=1e-9)
    assert better["name"][0] == same["name"][0]
    assert better["name"][0].startswith("SoFiA J2036") or better["name"][0].startswith("SoFiA J2035")


# --- 4. Galactic names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("l", "b", "broken", "better"),
    [
        (-2.42, 5.565, r"SoFiA -0\d\.\d{4}-05\.\d{4}", r"SoFiA G357\.\d{4}\+05\.\d{4}"),
        (12.0, -3.0, r"SoFiA 01\d\.\d{4}\+-[23]\.\d{4}", r"SoFiA G01\d\.\d{4}-0[23]\.\d{4}"),
    ],
)
def test_galactic_names(tmp_path, l, b, broken, better):  # noqa: E741
    cards = {"CRVAL1": l, "CRVAL2": b}
    assert re.fullmatch(broken, run(tmp_path, frame="galactic", cards=cards)["name"][0])
    found = run(tmp_path, IMPROVED, frame="galactic", cards=cards)
    assert re.fullmatch(better, found["name"][0])
    assert found["l"][0] == pytest.approx(l % 360, abs=0.1)
    assert f"{found['b'][0]:+08.4f}" in found["name"][0]


# --- 5. spelling of units ---------------------------------------------------------------------------------------------


def test_units_can_be_read(tmp_path):
    cards = {"BUNIT": "JY/BEAM", "CUNIT1": "DEGREE", "CUNIT2": "DEGREE", "CUNIT3": "HZ"}
    broken = run(tmp_path, PHYSICAL, cards=cards)
    assert [unit_of(broken, name) for name in ("ra", "f_sum", "mean")] == ["DEGREE", "Jy*HZ", "JY/BEAM"]
    better = run(tmp_path, PHYSICAL, IMPROVED, "output.writeMoments=true", cards=cards)
    assert [unit_of(better, name) for name in ("ra", "f_sum", "mean", "w20")] == ["deg", "Jy*Hz", "Jy/beam", "Hz"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for column in better.columns:
            units.Unit(column.unit, parse_strict="raise")
        table = Table.read(tmp_path / "cube_cat.xml", format="votable")
    assert table["f_sum"].unit == units.Jy * units.Hz
    assert fits.getheader(tmp_path / "cube_mom0.fits")["BUNIT"] == "Jy/beam*Hz"


def test_unit_that_nobody_knows_is_none(tmp_path):
    assert unit_of(run(tmp_path, cards={"BUNIT": None}), "rms") == "???"
    assert unit_of(run(tmp_path, IMPROVED, cards={"BUNIT": None}), "rms") == ""


def test_every_spelling_leads_to_a_unit():
    for spelling, standard in SPELLINGS.items():
        units.Unit(standard, parse_strict="raise")
        header, notes = repair_header(make_header(SHAPE, cards={"BUNIT": spelling.upper()}))
        assert header["BUNIT"] == standard and bool(notes) == (spelling.upper() != standard)
    for name, (standard, factor) in CATALOGUE_UNITS.items():
        assert (1.0 * units.Unit(name)).to_value(standard) == pytest.approx(factor, rel=1e-14)


def test_axes_with_a_matrix_are_converted_as_a_whole():
    cards = {"CUNIT3": "km/s", "CDELT3": None, "CD3_3": -4.0, "CRVAL3": 2e3, "CD1_1": -0.003}
    header, _ = repair_header(make_header(SHAPE, ctype3="VRAD", cards=cards))
    assert (header["CUNIT3"], header["CD3_3"], header["CRVAL3"], header["CD1_1"]) == ("m/s", -4e3, 2e6, -0.003)


def test_a_header_without_fault_stays_as_it_is():
    before = make_header(SHAPE)
    after, notes = repair_header(before)
    assert not notes and after.tostring() == before.tostring() and after is not before


# --- 6. noise peaks and fragments beside a galaxy ---------------------------------------------------------------------

# a galaxy, a fragment of it within its bounds, and a peak of the noise, far from both
GALAXY = GaussianSource(0.05, 15, 14, 16, sigma_z=3, sigma_xy=3)
FRAGMENT = GaussianSource(0.012, 15, 21, 23, sigma_z=2, sigma_xy=1.2)
PEAK = GaussianSource(0.0075, 26, 32, 36, sigma_z=1, sigma_xy=1)


def test_noise_peaks_are_dropped_and_fragments_marked(tmp_path, caplog):
    arguments = ["linker.minSizeXY=2", "linker.minSizeZ=2", "parameter.wcs=false", "reliability.minSNR=3.5"]
    options = {"shape": (32, 40, 44), "sources": [GALAXY, FRAGMENT, PEAK], "seed": 3}
    as_sofia = run(tmp_path, *arguments, **options)
    better = run(tmp_path, *arguments, IMPROVED, **options)
    assert len(as_sofia) == 3 and not (as_sofia["flag"] & 8).any()
    beam = math.pi * 4.0 * 3.2 / (4 * math.log(2))
    ratio = as_sofia["mean"] * np.sqrt(as_sofia["n_pix"] / beam)  # integrated signal-to-noise ratio
    assert sorted(better["n_pix"]) == sorted(as_sofia["n_pix"][ratio > 3.5]) and len(better) == 2
    assert list(better["id"]) == [1, 2]
    fragment = int(np.argmin(better["f_sum"]))
    assert better["flag"][fragment] & 8 and not better["flag"][1 - fragment] & 8
    assert "1 of 3 linked objects" in caplog.text and "1 of 2 sources overlap brighter ones" in caplog.text


@pytest.mark.shared
def test_wallaby_cubelet(shared, tmp_path):
    """A galaxy, a noise peak and a fragment with ordinary settings (spec clients §4): the galaxy alone is unflagged."""
    path = shared / "data" / "cubes" / "WALLABY_Eridanus_9_ASKAP.fits"
    ordinary = ["scfind.threshold=4", "linker.radiusXY=2", "linker.radiusZ=3"]
    assert len(run_pipeline(path, tmp_path, ordinary)) == 3
    better = run_pipeline(path, tmp_path, [*ordinary, IMPROVED])
    assert len(better) == 2
    galaxy = int(np.argmax(better["f_sum"]))
    assert [bool(flag & 8) for flag in better["flag"]] == [n != galaxy for n in range(2)]


# --- 7. kernels that do not fit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compatibility", ["sofia2", "improved"])
def test_spectral_kernel_that_does_not_fit(tmp_path, compatibility):
    """Refused, as in SoFiA, but the sentence says which one and why; even widths are taken."""
    settings = ["pipeline.finder=scfind", f"pipeline.compatibility={compatibility}"]
    with pytest.raises(InputError, match=r"kernel 15 does not fit.*11 channels") as info:
        run(tmp_path, *settings, shape=(11, 40, 44))
    assert info.value.exit_code == 7
    assert len(run(tmp_path, *settings, "scfind.kernelsZ=2,4,8", shape=(11, 40, 44))) == 1


# --- the page ---------------------------------------------------------------------------------------------------------


def test_every_defect_is_on_the_page():
    page = (Path(__file__).parent.parent / "docs" / "sofia2.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([1-7])\. ", page, re.MULTILINE)
    assert rows == list("1234567")
    assert "pipeline.compatibility" in page
