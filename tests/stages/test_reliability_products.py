"""Plots and tables of the reliability, and the positions that it leaves out (spec sofia2 §3.9, §4.8)."""

import math

import numpy as np
import pytest
from astropy.table import Table

from hisf.errors import FileAccessError, InputError
from hisf.settings import load_settings
from hisf.stages.products.reliability_plots import cumulative, draw_panels, draw_skellam, ellipse
from hisf.stages.reliability.contract import Evidence
from hisf.stages.reliability.density import NegativeDensity
from hisf.testing import as_cube, make_cube, make_header, run_pipeline, write_fits

SHAPE = (24, 40, 44)
FIND = [
    "pipeline.finder=threshold",
    "threshold.threshold=2.5",
    "linker.minSizeXY=1",
    "linker.minSizeZ=1",
    "reliability.enable=true",
    "reliability.minSNR=0",
    "reliability.threshold=0.5",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with all products of the reliability: (catalogue, folder)."""
    folder = tmp_path_factory.mktemp("reliability")
    path = write_fits(folder / "cube.fits", *make_cube(SHAPE))
    return run_pipeline(path, folder, [*FIND, "reliability.debug=true"]), folder


def test_tables_hold_every_detection(run):
    catalogue, folder = run
    negative = Table.read(folder / "cube_rel_cat_neg.xml", format="votable")
    positive = Table.read(folder / "cube_rel_cat_pos.xml", format="votable")
    words = "name id x y z nx ny nz rel log_f_peak log_f_sum log_f_mean fill std skew kurt"
    assert negative.colnames == positive.colnames == words.split()
    assert len(negative) > 50
    assert list(negative["name"]) == [f"neg_{label}" for label in negative["id"]]
    assert len(set(negative["id"]) | set(positive["id"])) == len(negative) + len(positive)
    assert not negative["rel"].any()
    kept = positive[positive["rel"] >= 0.5]
    assert len(kept) == len(catalogue) < len(positive)
    assert np.allclose(kept["rel"], catalogue["rel"], rtol=0, atol=1e-15)


def test_table_of_the_brightest_source(run):
    catalogue, folder = run
    table = Table.read(folder / "cube_rel_cat_pos.xml", format="votable")
    row, n = table[np.argmax(table["log_f_sum"])], int(np.argmax(catalogue["f_sum"]))
    assert row["nx"] == catalogue["x_max"][n] - catalogue["x_min"][n] + 1
    assert row["z"] == (catalogue["z_max"][n] + catalogue["z_min"][n]) / 2
    assert row["fill"] == pytest.approx(catalogue["fill"][n], rel=1e-12)
    assert row["log_f_mean"] == pytest.approx(math.log10(catalogue["mean"][n]), rel=1e-12)
    assert row["log_f_sum"] - row["log_f_mean"] == pytest.approx(math.log10(catalogue["n_pix"][n]), rel=1e-9)
    assert [row["std"], row["skew"]] == pytest.approx([catalogue["std"][n], catalogue["skew"][n]], rel=1e-12)


@pytest.mark.parametrize("name", ["cube_rel.eps", "cube_skellam.eps"])
def test_plots_are_encapsulated_postscript(run, name):
    _, folder = run
    text = (folder / name).read_text("latin-1")
    assert text.startswith("%!PS-Adobe-3.0 EPSF-3.0\n")
    assert "%%BoundingBox:" in text and "%%Creator: hisf" in text and text.rstrip().endswith("showpage")
    assert ".part" not in text  # nothing of the temporary name


def test_nothing_of_the_kind_without_reliability(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE))
    settings = [*FIND, "reliability.enable=false", "threshold.threshold=4", "reliability.debug=true"]
    run_pipeline(path, tmp_path, settings)
    assert not list(tmp_path.glob("*rel*")) + list(tmp_path.glob("*skellam*"))


def test_plots_can_be_switched_off(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE))
    run_pipeline(path, tmp_path, [*FIND, "reliability.plot=false"])
    assert not list(tmp_path.glob("*.eps"))


def evidence(words=("peak", "sum", "mean")):
    rng = np.random.default_rng(1)
    found = {word: rng.normal(1, 0.3, 20) for word in ("peak", "sum", "mean", "chan", "pix", "fill", "std")}
    found |= {"rel": np.linspace(0, 1, 20), "kept": np.arange(20) > 15}
    return Evidence(
        words, found, found, np.diag([0.01, 0.04, 0.09, 1, 1, 1, 1][: len(words)]), 2.0, rng.normal(size=20)
    )


@pytest.mark.parametrize(("n", "pairs"), [(2, 1), (3, 3), (5, 10), (7, 21)])
def test_one_panel_per_pair(n, pairs):
    words = ("peak", "sum", "mean", "chan", "pix", "fill", "std")[:n]
    panels = draw_panels(evidence(words), 0.7)
    assert len(panels) == pairs
    assert len({(panel.xlabel, panel.ylabel) for panel in panels}) == pairs


def test_what_a_panel_shows():
    """Negative, unreliable, reliable and kept, reliable and not kept; three ellipses; limits where sum meets mean."""
    found = evidence()
    peak_sum, _, sum_mean = draw_panels(found, 0.7)
    assert [len(curve.x) for curve in peak_sum.curves] == [20, 14, 4, 2, 101, 101, 101]
    assert [curve.mark for curve in peak_sum.curves] == ["dot", "dot", "dot", "ring", "", "", ""]
    assert len(sum_mean.curves) == 12
    limit, thousand = sum_mean.curves[-1], sum_mean.curves[-3]
    # sum/√n = 2, and n = sum/mean
    assert 10 ** (limit.x - (limit.x - limit.y) / 2) == pytest.approx([2.0, 2.0])
    assert 10 ** (thousand.x - thousand.y) == pytest.approx([1000, 1000])


def test_ellipse_is_that_of_the_covariance():
    covariance = np.array([[4.0, 1.5], [1.5, 1.0]])
    outline = ellipse(np.array([1.0, -2.0]), covariance, 2.0) - np.array([[1.0], [-2.0]])
    distance = np.einsum("in,ij,jn->n", outline, np.linalg.inv(covariance), outline)
    assert distance == pytest.approx(4.0)


def test_skellam_panel_steps_at_the_values():
    """The cumulative fraction grows by 1/n at each value, and the normal one is 1/2 at 0."""
    negative, normal = draw_skellam(np.array([3.0, -1.0, 1.0])).curves
    scatter = math.sqrt(8 / 3)
    assert negative.x * scatter == pytest.approx([-1, -1, 1, 1, 3, 3])
    assert negative.y == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1])
    assert normal.y[80] == pytest.approx(0.5) and normal.y[120] == pytest.approx(0.977249868)


def test_skellam_variable_is_in_units_of_its_scatter():
    assert cumulative(np.array([3.0, np.nan, -1.0, 1.0])) == pytest.approx(np.array([-1, 1, 3]) / math.sqrt(8 / 3))
    assert list(cumulative(np.array([2.0]))) == [2.0]


# --- reliability.catalog ---------------------------------------------------------------------------------------------


def positions(tmp_path, text):
    (tmp_path / "known.txt").write_text(text)
    return f"reliability.catalog={tmp_path / 'known.txt'}"


def count_negative(tmp_path, *arguments):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE))
    run_pipeline(path, tmp_path, [*FIND, "reliability.debug=true", *arguments])
    return Table.read(tmp_path / "cube_rel_cat_neg.xml", format="votable")


def test_negative_detections_at_known_positions_are_left_out(tmp_path):
    before = count_negative(tmp_path)
    array, header = make_cube(SHAPE)
    wcs = as_cube(array, header).wcs
    n = int(np.argmax(before["nx"] * before["ny"]))
    half = (before["nx"][n] - 1) / 2
    x, y = before["x"][n] + half, before["y"][n]  # on the edge, which counts
    longitude, latitude, _ = wcs.to_world(np.array([x - 1e-6]), np.array([y]), np.zeros(1))
    after = count_negative(tmp_path, positions(tmp_path, f"{longitude[0]:.12f} {latitude[0]:.12f}\n"))
    covered = (np.abs(before["x"] - x) <= (before["nx"] - 1) / 2) & (np.abs(before["y"] - y) <= (before["ny"] - 1) / 2)
    assert covered[n] and 1 <= covered.sum() < len(before) / 2
    assert list(after["id"]) == list(before["id"][~covered])


def test_table_of_another_shape_is_ignored(tmp_path, caplog):
    whole = len(count_negative(tmp_path))
    assert len(count_negative(tmp_path, positions(tmp_path, "1 2 3\n"))) == whole
    assert "is ignored" in caplog.text


def test_missing_table(tmp_path):
    cube = as_cube(np.zeros(SHAPE, np.float32), make_header(SHAPE))
    with pytest.raises(FileAccessError, match=r"reliability\.catalog"):
        NegativeDensity(load_settings([f"reliability.catalog={tmp_path / 'none.txt'}"]), cube)


def test_positions_need_world_coordinates(tmp_path):
    header = make_header(SHAPE, cards={"CTYPE1": None, "CTYPE2": None})
    with pytest.raises(InputError, match="no world coordinates"):
        NegativeDensity(load_settings([positions(tmp_path, "180 -30\n")]), as_cube(np.zeros(SHAPE, np.float32), header))
