"""The appraisal as a stage: which one runs, its columns, and that without one nothing changes."""

import numpy as np
import pytest
from astropy.table import Table

from hisf.api import Appraisal, Column, Measurement, SourceList, hookimpl
from hisf.data.columns import BASIC, ESTIMATED, MEASURED
from hisf.errors import InputError, NothingFoundError, PluginError
from hisf.pipeline import Report
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.stages.appraise.choose import chosen_appraisal
from hisf.testing import GaussianSource, check_appraisal, make_cube, run_pipeline, write_fits

TWO = (GaussianSource(0.03, 20.0, 10.0, 10.0), GaussianSource(0.02, 12.0, 30.0, 36.0, 3.0, 2.5))
NAMES = [column.name for column in ESTIMATED]


class Known(Appraisal):
    """Knows everything of the sources that begin below channel 10."""

    name = "known"

    def appraise(self, sources, searched, measured, workspace, advance):
        kept = []
        for source in sources:
            advance(1)
            if source.box.z0 < 10:
                kept.append(source.estimated({name: float(n) for n, name in enumerate(NAMES)} | {"hi_pa": np.nan}))
        return SourceList.renumbered(sources.shape, kept)


class Nobody(Appraisal):
    """Keeps nothing."""

    name = "nobody"

    def appraise(self, sources, searched, measured, workspace, advance):
        advance(len(sources))
        return SourceList(sources.shape)


class Plugin:
    @hookimpl
    def hisf_register_appraisals(self):
        return [Known, Nobody]


class Breadth(Measurement):
    """A column of a plugin."""

    name = "breadth"
    columns = (Column("breadth", "float", "", "", "Breadth"),)

    def measure(self, cutout, values):
        return {"breadth": 1.0}


class BreadthPlugin:
    @hookimpl
    def hisf_register_measurements(self):
        return [Breadth]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", *make_cube((40, 48, 48), sources=TWO))


def run(path, folder, *arguments, plugins=(), report=None):
    given = ["pipeline.finder=scfind", *arguments]
    return run_pipeline(path, folder, given, plugins=[Plugin(), *plugins], report=report)


@pytest.mark.parametrize(
    ("arguments", "finders", "chosen"),
    [
        ([], ["scfind"], "none"),
        ([], ["scfind", "cnn"], "network"),
        (["output.writeCatSDC2=true"], ["scfind"], "network"),
        (["appraise.method=none"], ["cnn"], "none"),
        (["appraise.method=forska", "output.writeCatSDC2=true"], ["cnn"], "forska"),
        (["appraise.method=mine"], ["scfind"], "mine"),
    ],
)
def test_which_appraisal_runs(arguments, finders, chosen):
    assert chosen_appraisal(load_settings(arguments), finders) == chosen


def test_a_catalogue_that_needs_estimates_says_so():
    settings = load_settings(["appraise.method=none", "output.writeCatSDC2=true"])
    with pytest.raises(InputError, match=r"writeCatSDC2 = true .* needs an appraisal, but appraise\.method = none"):
        chosen_appraisal(settings, ["scfind"])


def test_an_unknown_name_is_refused_before_anything_runs(path, tmp_path):
    with pytest.raises(PluginError, match=r"appraise\.method = soothsayer: no such plugin"):
        run(path, tmp_path, "appraise.method=soothsayer")


def test_without_an_appraisal_nothing_is_added(path, tmp_path):
    report = Report()
    catalogue = run(path, tmp_path, report=report)
    known = {c.name for c in (*BASIC, *MEASURED)} | {"ra", "dec", "freq", "ra_peak", "dec_peak", "freq_peak"}
    assert set(catalogue.names) <= known
    assert len(catalogue) == report.kept == 2
    assert report.used["appraise"] == []


@pytest.mark.parametrize("enable", ["true", "false"])
def test_columns_come_last_and_do_not_need_parametrisation(path, tmp_path, enable):
    report = Report()
    arguments = ["appraise.method=known", f"parameter.enable={enable}", "output.writeCatSQL=true"]
    catalogue = run(path, tmp_path, *arguments, plugins=[BreadthPlugin()], report=report)
    assert catalogue.names[-len(NAMES) :] == NAMES
    assert (catalogue.names[-len(NAMES) - 1] == "breadth") is (enable == "true")
    assert len(catalogue) == report.kept == 1
    assert catalogue["id"].tolist() == [1]
    assert report.used["appraise"] == ["known"]
    assert np.isnan(catalogue["hi_pa"]).all()
    assert catalogue["err_hi_w20"].tolist() == [NAMES.index("err_hi_w20")]
    written = Table.read(tmp_path / "cube_cat.xml")
    assert written["confidence"].tolist() == [0.0]
    assert str(written["hi_flux"].unit) == "Jy*Hz"
    ucds = {c.name: c.ucd for c in ESTIMATED}
    assert written["err_hi_ra"].meta["ucd"] == ucds["err_hi_ra"] == "stat.error;pos.eq.ra"
    assert "`err_hi_w20`" in (tmp_path / "cube_cat.sql").read_text()


def test_nothing_left(path, tmp_path):
    with pytest.raises(NothingFoundError, match="the appraisal nobody keeps none of 2 sources"):
        run(path, tmp_path, "appraise.method=nobody")


def test_no_plugin_may_add_a_column_of_an_appraisal():
    class Taken(Breadth):
        columns = (Column("confidence", "float", "", "", "Another one"),)

    class TakenPlugin:
        @hookimpl
        def hisf_register_measurements(self):
            return [Taken]

    manager = PluginManager()
    manager.register(TakenPlugin(), "taken")
    with pytest.raises(PluginError, match="the column confidence is one of hisf's own"):
        manager.implementations("measure")


def test_an_appraisal_that_keeps_its_promises():
    (source,) = check_appraisal(type("Half", (Nobody,), {"appraise": keep_first}))
    assert source.label == 1


def keep_first(self, sources, searched, measured, workspace, advance):
    advance(len(sources))
    return SourceList.renumbered(sources.shape, sources[:1])


def broken(change):
    """An appraisal whose list of sources has been changed."""

    def appraise(self, sources, searched, measured, workspace, advance):
        advance(len(sources))
        return change(sources)

    return type("Broken", (Nobody,), {"appraise": appraise})


def estimating(**estimates):
    return lambda sources: SourceList(sources.shape, [s.estimated(estimates) for s in sources])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: SourceList(s.shape, s[1:]), "labels do not count from 1"),
        (lambda s: SourceList.renumbered(s.shape, s[::-1]), "changes the order"),
        (estimating(pa=1.0), "estimates pa, which is no column"),
        (estimating(hi_incl=91.0), "hi_incl = 91.0, out of its range"),
        (estimating(confidence=1), "confidence = 1, which is no float"),
        (estimating(err_hi_flux=-1.0), "out of its range"),
    ],
)
def test_promises_that_are_broken(change, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_appraisal(broken(change))


def test_progress_that_is_not_told():
    silent = type("Silent", (Nobody,), {"appraise": lambda self, sources, *rest: SourceList(sources.shape)})
    with pytest.raises(AssertionError, match="advances by 0 for 2 sources"):
        check_appraisal(silent)
