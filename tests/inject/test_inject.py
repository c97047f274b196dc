"""Mock galaxies in an observed cube: placing, adding, matching, completeness, the command."""

import json
import math
import sys

import numpy as np
import pytest
from astropy.table import QTable

from hisf.cli import main
from hisf.data.box import Box, slabs
from hisf.data.catalogue import Catalogue
from hisf.data.columns import BASIC
from hisf.evaluate.statistics import Bin
from hisf.inject.experiment import Outcome, inject, recovered
from hisf.inject.mocks import FILL, draw_galaxies, place
from hisf.inject.results import completeness, errors, reaches
from hisf.inject.step import add_mocks
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.simulate.geometry import from_header
from hisf.simulate.population import expected_snr
from hisf.testing import as_cube, make_cube, write_fits

NOISE = 1e-3
SHAPE = (96, 64, 60)


@pytest.fixture(scope="module")
def field():
    """A cube of noise without sources: array, header, geometry and noise of every channel."""
    array, header = make_cube(SHAPE, noise=NOISE, sources=())
    return array, header, from_header(as_cube(array, header).header, "test cube"), np.full(SHAPE[0], NOISE)


def placed(field, n=12, taken=(), seed=3):
    array, header, geometry, noise = field
    galaxies = draw_galaxies(geometry, noise, n, (2.0, 20.0), seed)
    blank = np.zeros(SHAPE[1:], bool)
    return galaxies, *place(galaxies, as_cube(array, header), geometry, noise, blank, list(taken), seed)


def test_drawn_galaxies_have_the_wanted_range_of_snr(field):
    _, _, geometry, noise = field
    galaxies = draw_galaxies(geometry, noise, 300, (2.0, 20.0), 1)
    snr = np.array([
        expected_snr(geometry, g.frequency_hz, np.array([g.mass_msun]), np.array([g.w20_kms]), NOISE)[0]
        for g in galaxies
    ])  # fmt: skip
    assert 2.0 * 0.99 < snr.min() < 2.3 and 17.0 < snr.max() < 20.0 * 1.01
    assert (
        abs(np.median(np.log(snr)) - np.log(np.sqrt(40.0))) < 0.25
    )  # uniform in the logarithm; error of the median 0.1


def test_snr_is_that_of_the_truth_catalogue(field):
    _, _, geometry, _ = field
    _, mocks, _ = placed(field)
    for mock in mocks:
        squares = (mock.cutout.astype(float) ** 2).sum() / NOISE**2
        assert mock.snr == pytest.approx(np.sqrt(squares / geometry.beam_area), rel=1e-5)


def test_mocks_touch_neither_each_other_nor_what_is_there(field):
    real = Box(30, 60, 20, 40, 20, 40)
    galaxies, mocks, rest = placed(field, taken=[real])
    assert len(mocks) + len(rest) == len(galaxies) and len(mocks) >= 2
    cores = [m.core for m in mocks]
    assert not any(core.overlaps(real) for core in cores)
    assert not any(a.overlaps(b) for i, a in enumerate(cores) for b in cores[:i])


def test_mocks_fill_a_small_part_of_the_cube(field):
    _, mocks, _ = placed(field, n=200)
    assert sum(m.core.size for m in mocks[:-1]) <= FILL * math.prod(SHAPE)


def test_no_mock_is_centred_on_blank_pixels(field):
    array, header, geometry, noise = field
    blank = np.zeros(SHAPE[1:], bool)
    blank[:, :40] = True
    galaxies = draw_galaxies(geometry, noise, 20, (2.0, 8.0), 5)
    mocks, _ = place(galaxies, as_cube(array, header), geometry, noise, blank, [], 5)
    assert mocks and min(m.x for m in mocks) >= 39.5


def test_a_mock_carries_its_flux(field):
    _, _, geometry, _ = field
    _, mocks, _ = placed(field)
    whole = [
        m for m in mocks if m.box.grow((1, 1, 1), SHAPE).size > m.box.size and m.box.z0 > 0 and m.box.z1 < SHAPE[0]
    ]
    inside = [m for m in whole if m.box.y0 > 0 and m.box.x0 > 0 and m.box.y1 < SHAPE[1] and m.box.x1 < SHAPE[2]]
    assert inside
    for mock in inside:
        width = geometry.spectral.width_hz(mock.galaxy.frequency_hz)
        flux = mock.cutout.sum(dtype=float) / geometry.beam_area * width
        assert flux == pytest.approx(mock.galaxy.flux_jy_hz, rel=1e-4)  # float32 sums


@pytest.mark.parametrize("flip", [False, True])
def test_adding_box_by_box_is_adding_at_once(field, flip):
    array = field[0]
    _, mocks, _ = placed(field)
    expected = -array if flip else array.copy()
    for mock in mocks:
        expected[mock.box.slices] += mock.cutout
    for pieces in ([Box.whole(SHAPE)], list(slabs(SHAPE, 7)), [Box(0, 96, y, y + 16, 0, 60) for y in range(0, 64, 16)]):
        added = np.full_like(array, np.nan)
        for box in pieces:
            added[box.slices] = add_mocks(array[box.slices].copy(), box, mocks, flip)
        assert np.array_equal(added, expected)


def catalogue(rows):
    """A catalogue of sources at x, y, z with f_sum."""
    values = {c.name: np.zeros(len(rows)) for c in BASIC}
    values["name"] = np.array(["s"] * len(rows), object)
    for k, name in enumerate(("x", "y", "z", "f_sum")):
        values[name] = np.array([row[k] for row in rows], float)
    return Catalogue(BASIC, values)


def test_matching_is_one_to_one_and_takes_the_nearest(field):
    _, mocks, _ = placed(field)
    a, b = mocks[:2]
    far = (a.x + 1.01 * a.radius_pix, a.y, a.z, 1.0)
    near = (a.x + 0.3 * a.radius_pix, a.y, a.z, 2.0)
    nearest = (a.x, a.y, a.z + 0.2 * a.half_channels, 3.0)
    assert recovered([a, b], catalogue([far]), []) == {}
    assert recovered([a, b], catalogue([far, near]), []) == {a.galaxy.id: 2.0}
    assert recovered([a, b], catalogue([near, nearest, (b.x, b.y, b.z, 4.0)]), []) == {
        a.galaxy.id: 3.0,
        b.galaxy.id: 4.0,
    }
    assert recovered([a, b], None, []) == {} == recovered([a, b], catalogue([]), [])


def test_a_real_source_is_no_recovery(field):
    _, mocks, _ = placed(field)
    a = mocks[0]
    there = catalogue([(a.x, a.y, a.z, 1.0)])
    assert recovered([a], there, [a.core]) == {}
    assert recovered([a], there, [Box(0, 1, 0, 1, 0, 1)]) == {a.galaxy.id: 1.0}


def test_where_completeness_crosses_a_level():
    def rising(*shares):
        return [Bin(10.0**k, 10.0 ** (k + 1), 10, round(10 * s), s, s, s) for k, s in enumerate(shares)]

    assert reaches(rising(0.0, 0.4, 0.6, 1.0), 0.5) == pytest.approx(10**2.0)  # half-way between the bins' centres
    assert reaches(rising(0.0, 0.6, 0.4, 0.8), 0.5) == pytest.approx(10 ** (2.5 + 0.25))  # the last crossing counts
    assert math.isnan(reaches(rising(0.0, 0.1), 0.5)) and math.isnan(reaches(rising(0.9, 1.0), 0.5))


def test_errors_are_never_negative():
    assert errors(Bin(1.0, 2.0, 6, 6, 1.0, 0.86, 1.0 - 1e-16)) == (pytest.approx(0.14), 0.0)


SEARCH = ["scfind.enable=true", "scfind.threshold=4.5", "scfind.kernelsZ=0, 3, 7", "linker.minSizeXY=3"]


def experiment(path, n, snr=(0.5, 30.0), where="noise", seed=2, extra=()):
    arguments = [f"input.data={path}", "linker.minSizeZ=3", *SEARCH, *extra]
    settings = load_settings(arguments, PluginManager().parameters())
    return inject(settings, n, snr, where, seed, lambda k: None)


@pytest.fixture
def path(tmp_path, field):
    return write_fits(tmp_path / "field.fits", field[0], field[1])


def test_faint_mocks_are_missed_and_bright_ones_found(path):
    outcome = experiment(path, 60)
    snr = np.array([m.snr for m in outcome.mocks])
    assert outcome.found[snr < 1.5].mean() < 0.1 and outcome.found[snr > 15].mean() > 0.9
    flux = np.array([m.galaxy.flux_jy_hz for m in outcome.mocks])
    assert np.isnan(outcome.flux[~outcome.found]).all()
    assert np.corrcoef(np.log(flux[outcome.found]), np.log(outcome.flux[outcome.found]))[0, 1] > 0.9
    half = completeness(outcome)[0].half
    assert 1.5 < half < 15


def test_the_same_seed_gives_the_same_outcome(path):
    a, b, c = (experiment(path, 12, seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(a.found, b.found) and [m.x for m in a.mocks] == [m.x for m in b.mocks]
    assert [m.x for m in a.mocks] != [m.x for m in c.mocks]


def test_flipped_data_hold_the_mocks_and_no_galaxy(tmp_path):
    array, header = make_cube(SHAPE, noise=NOISE)
    path = write_fits(tmp_path / "galaxy.fits", array, header)
    outcome = experiment(path, 10, snr=(15.0, 30.0), where="flipped")
    assert outcome.real == 1  # of the data as they are; mocks keep away from it
    assert outcome.found.mean() >= 0.8


def test_runs_without_reliability_are_counted(path):
    outcome = experiment(path, 6, snr=(10.0, 20.0), extra=["reliability.enable=true", "scfind.threshold=8"])
    assert 1 <= outcome.undetermined <= outcome.runs and not outcome.found.any()


def test_the_command_writes_table_figure_and_json(path, tmp_path, monkeypatch, capsys):
    arguments = [
        "inject",
        f"input.data={path}",
        *SEARCH,
        "--n",
        "20",
        "--snr",
        "1,20",
        "--json",
        str(tmp_path / "i.json"),
    ]
    monkeypatch.setattr(sys, "argv", ["hisf", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    out = capsys.readouterr().out
    assert leaving.value.code == 0
    assert "integrated S/N" in out and "w20 (km/s)" in out
    numbers = json.loads((tmp_path / "i.json").read_text())
    bins = numbers["completeness"]["snr"]["bins"]
    assert sum(b["n"] for b in bins) == numbers["mocks"] and sum(b["found"] for b in bins) == numbers["found"]
    table = QTable.read(tmp_path / "field_inject.ecsv")
    assert len(table) == numbers["mocks"] and table["found"].sum() == numbers["found"]
    assert str(table["line_flux_integral"].unit) == "Hz Jy"
    assert (tmp_path / "field_inject.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "field.fits",
        "field_inject.ecsv",
        "field_inject.png",
        "i.json",
    ]


@pytest.mark.parametrize(
    ("snr", "words"), [("1", "two numbers"), ("5,1", "LOW"), ("a,b", "two numbers"), ("0,3", "LOW")]
)
def test_a_bad_range_is_refused(path, monkeypatch, capsys, snr, words):
    monkeypatch.setattr(sys, "argv", ["hisf", "inject", f"input.data={path}", "--snr", snr])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 7 and words in capsys.readouterr().err


@pytest.mark.shared
@pytest.mark.parametrize("name", ["WALLABY_Eridanus_9_ASKAP", "NGC2903_WSRT"])
def test_completeness_rises_from_none_to_all_in_observed_cubes(shared, name):
    outcome: Outcome = experiment(shared / "data" / "cubes" / f"{name}.fits", 60, snr=(0.5, 40.0))
    snr = np.array([m.snr for m in outcome.mocks])
    order = np.argsort(snr)
    quarter = len(order) // 4
    assert outcome.found[order[:quarter]].mean() <= 0.1
    assert outcome.found[order[-quarter:]].mean() >= 0.75


def test_no_place_for_any_mock_is_said(path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        ["hisf", "inject", f"input.data={path}", "input.region=0,7,0,7,0,95", "--n", "3", "--snr", "900,999"],
    )
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 7 and "no free place" in capsys.readouterr().err


def test_doubtful_settings_are_said_before_anything_is_injected(path, monkeypatch, capsys):
    arguments = [
        "pipeline.pedantic=false",
        "scfind.treshold=3",
        f"input.data={path}",
        "linker.enable=false",
        "--n",
        "3",
    ]
    monkeypatch.setattr(sys, "argv", ["hisf", "inject", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    err = capsys.readouterr().err
    assert leaving.value.code == 7 and "scfind.treshold" in err and "linker.enable" in err
