"""The catalogue in SDC2 columns: no gaps, a confidence where there is one, and a score."""

import numpy as np
import pytest
from click.testing import CliRunner

from hisf.api import Appraisal, SourceList, hookimpl
from hisf.cli.score import command
from hisf.data.sdc2_table import COLUMNS, read_sdc2
from hisf.errors import InputError
from hisf.evaluate.columns import numbers
from hisf.evaluate.reading import read_catalogue
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

THREE = (
    GaussianSource(0.03, 20.0, 10.0, 10.0),
    GaussianSource(0.02, 12.0, 30.0, 36.0, 3.0, 2.5),
    GaussianSource(0.02, 30.0, 30.0, 12.0),
)
NEEDED = {"hi_ra": 180.0, "hi_dec": -30.0, "hi_freq": 1.4e9, "hi_flux": 30.0}


class Said(Appraisal):
    """Says of every source what a test wants."""

    name = "said"
    rows: tuple = ()

    def appraise(self, sources, searched, measured, workspace, advance):
        advance(len(sources))
        return SourceList(sources.shape, [s.estimated(r) for s, r in zip(sources, self.rows, strict=True)])


class Plugin:
    def __init__(self, rows):
        self.said = type("Said", (Said,), {"rows": rows})

    @hookimpl
    def hisf_register_appraisals(self):
        return [self.said]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", *make_cube((40, 48, 48), sources=THREE))


def table_of(path, folder, rows):
    arguments = ["pipeline.finder=scfind", "appraise.method=said", "output.writeCatSDC2=true"]
    catalogue = run_pipeline(path, folder, arguments, plugins=[Plugin(rows)])
    return read_sdc2(folder / "cube_cat_sdc2.txt"), catalogue


def test_what_is_known_is_written(path, tmp_path):
    known = NEEDED | {"hi_size": 12.0, "hi_incl": 60.0, "hi_pa": 10.0, "hi_w20": 150.0, "confidence": 0.9}
    table, _ = table_of(path, tmp_path, [known, known, known | {"confidence": np.nan}])
    assert table.colnames == [*COLUMNS, "confidence"]
    assert table["id"].tolist() == [1, 2, 3]
    assert [float(getattr(table[name][0], "value", table[name][0])) for name in table.colnames[1:]] == [
        180.0, -30.0, 12.0, 30.0, 1.4e9, 10.0, 60.0, 150.0, 0.9,
    ]  # fmt: skip
    assert np.isnan(table["confidence"][2])


def test_what_is_unknown_gets_what_is_to_be_expected(path, tmp_path):
    table, catalogue = table_of(path, tmp_path, [NEEDED | {"confidence": np.nan}] * 3)
    assert table.colnames == list(COLUMNS)
    assert table["i"].value == pytest.approx([57.29578] * 3)
    assert table["pa"].value.tolist() == [0.0] * 3
    assert table["hi_size"].value == pytest.approx([np.sqrt(4.0 * 3.2) * 10.0] * 3)  # the beam of make_cube
    depth = catalogue["z_max"] - catalogue["z_min"] + 1
    assert table["w20"].value == pytest.approx(depth * 1.8e4 / 1.4e9 * 299792.458)


def test_sources_without_a_place_are_left_out(path, tmp_path, caplog):
    table, _ = table_of(path, tmp_path, [NEEDED | {"hi_ra": np.nan}, NEEDED, {}])
    assert table["id"].tolist() == [2]
    assert "2 of 3 sources have no position, frequency or flux" in caplog.text


def test_nothing_can_be_said_of_any(path, tmp_path):
    table, _ = table_of(path, tmp_path, [{}, {}, {}])
    assert len(table) == 0


def test_none_is_refused(path, tmp_path):
    with pytest.raises(InputError, match="needs an appraisal"):
        run_pipeline(path, tmp_path, ["appraise.method=none", "output.writeCatSDC2=true", "pipeline.finder=scfind"])


def test_it_can_be_scored_and_the_votable_says_the_same(tmp_path):
    """Catalogue against itself as truth: perfect, whichever of the two files it is read from."""
    cards = {"CRVAL3": 1.05e9, "CDELT3": 3e4, "CDELT1": -2.8 / 3600, "CDELT2": 2.8 / 3600}
    cards |= {"BMAJ": 7 / 3600, "BMIN": 7 / 3600}
    path = write_fits(tmp_path / "cube.fits", *make_cube((40, 48, 48), sources=THREE, cards=cards))
    run_pipeline(path, tmp_path, ["pipeline.finder=scfind", "appraise.method=forska", "output.writeCatSDC2=true"])
    text, votable = tmp_path / "cube_cat_sdc2.txt", tmp_path / "cube_cat.xml"
    for found in (text, votable):
        done = CliRunner().invoke(command, [str(found), str(text)], catch_exceptions=False, standalone_mode=False)
        assert done.exit_code == 0, done.output
        assert "SDC2 score 3.0000: 3 detections, 3 matches" in done.output
    one, other = read_catalogue(text), read_catalogue(votable)
    for name in ("ra", "dec", "hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20"):
        assert numbers(one, name) == pytest.approx(numbers(other, name), rel=1e-5), name
    assert np.isnan(numbers(other, "confidence")).all()
