"""Plugins that fail while they run: the message names plugin, distribution and method, and no product is left."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from hisf.api import (
    Appraisal,
    Column,
    Dilation,
    Finder,
    Kind,
    Linker,
    Measurement,
    Parameter,
    Product,
    Reliability,
    SourceList,
    Step,
    hookimpl,
)
from hisf.errors import PluginError
from hisf.testing import make_cube, run_pipeline, write_fits


def plugin(hook, answer):
    """A plugin object with one hook, a class that it registers or a function that is the hook."""
    function = (lambda: [answer]) if isinstance(answer, type) else answer
    return type("Plugin", (), {hook: hookimpl(staticmethod(function), specname=hook)})()


class Odd:
    """What all odd classes have in common: a name, and that they are wanted."""

    name = "odd"

    @classmethod
    def wanted(cls, settings):
        return True


def odd(contract, **members):
    """A class of a contract with the members that are wrong, or make it complete."""
    return type("Odd", (Odd, contract), members)


def raises(*arguments):
    raise ZeroDivisionError("oops")


def leaves(*arguments):
    sys.exit(0)


def lacks_a_package(*arguments):
    import no_such_package  # noqa: F401


def hangs(*arguments):
    time.sleep(60)


def nothing(*arguments):
    return None


def blank(self, tile):
    return np.zeros(tile.data.shape, bool)


def writes_into_its_tile(self, tile):
    tile.data[:] = 0


def writes_into_the_cube(self, voxels, workspace, advance):
    voxels.read(self.cube.region)[:] = 0


def writes_into_the_cutout(self, cutout, values):
    cutout.data[:] = 0


def writes_into_the_values(self, cutout, values):
    values["f_sum"] = 0.0


ODD_COLUMN = {"columns": (Column("odd", "float", "", "", "odd"),)}
FINDER, STEP, LINK = "hisf_register_finders", "hisf_register_steps", "hisf_register_linkers"
RELY, DILATE, APPRAISE = "hisf_register_reliabilities", "hisf_register_dilations", "hisf_register_appraisals"
MEASURE, PRODUCT = "hisf_register_measurements", "hisf_register_products"

# what is wrong -> hook, what it registers, the words of the message
FAULTS = {
    "a finder that raises": (FINDER, odd(Finder, find=raises), r"Odd\.find: ZeroDivisionError: oops"),
    "a finder that leaves": (FINDER, odd(Finder, find=leaves), r"Odd\.find: SystemExit"),
    "a finder that lacks a package": (FINDER, odd(Finder, find=lacks_a_package), r"find: .*no_such_package"),
    "a finder that hangs": (FINDER, odd(Finder, find=hangs), r"Odd\.find: .*no answer within 0\.2 s"),
    "a finder that fails in look": (FINDER, odd(Finder, find=blank, look=raises), r"Odd\.look: ZeroDiv"),
    "a finder that cannot be made": (FINDER, odd(Finder, find=blank, __init__=raises), r"Odd\.__init__: ZeroDiv"),
    "a halo that is a number": (FINDER, odd(Finder, find=blank, halo=lambda s: 3), r"halo returned 3"),
    "a halo below zero": (FINDER, odd(Finder, find=blank, halo=lambda s: (0, 0, -1)), r"halo returned \(0, 0, -1\)"),
    "a grid of zero": (FINDER, odd(Finder, find=blank, grid=lambda s: (0, 1, 1)), r"grid returned \(0, 1, 1\)"),
    "memory that is no number": (FINDER, odd(Finder, find=blank, memory=lambda s: "1GB"), r"memory returned '1GB'"),
    "passes that are no number": (FINDER, odd(Finder, find=blank, passes=nothing), r"passes returned None"),
    "a mask of another shape": (FINDER, odd(Finder, find=lambda s, t: t.data[:-1] > 0), r"find returned .*shape"),
    "a mask of integers": (FINDER, odd(Finder, find=lambda s, t: np.ones(t.data.shape, int)), r"find returned int64"),
    "no mask at all": (FINDER, odd(Finder, find=nothing), r"find returned an array of shape \(\)"),
    "NaN scores": (FINDER, odd(Finder, find=lambda s, t: t.data * np.nan), r"scores from nan to nan"),
    "scores above 1": (FINDER, odd(Finder, find=lambda s, t: np.full(t.data.shape, 7.0)), r"scores from 0 to 7"),
    "a finder that changes its tile": (FINDER, odd(Finder, find=writes_into_its_tile), r"find: .*read-only"),
    "a finder that changes the cube": (
        FINDER, odd(Finder, find=blank, look=writes_into_the_cube), r"look: .*read-only",
    ),
    "a step that raises": (STEP, odd(Step, position=5, apply=raises), r"Odd\.apply: ZeroDiv"),
    "a step whose wanted raises": (
        STEP, odd(Step, position=5, apply=raises, wanted=classmethod(raises)), r"Odd\.wanted: ZeroDiv",
    ),
    "a step of another type": (STEP, odd(Step, position=5, apply=lambda s, d, b: d.astype(int)), r"returned int64"),
    "a step of another shape": (STEP, odd(Step, position=5, apply=lambda s, d, b: d[1:]), r"apply returned float32"),
    "a step that returns nothing": (STEP, odd(Step, position=5, apply=nothing), r"apply returned NoneType"),
    "a linker that returns a list": (LINK, odd(Linker, link=lambda s, *a: []), r"link returned list"),
    "a linker of another cube": (LINK, odd(Linker, link=lambda s, *a: SourceList((1, 2, 3))), r"link returned sources"),
    "a reliability with old labels": (
        RELY, odd(Reliability, judge=lambda s, a: SourceList(a.shape, list(a) * 2)), r"judge returned labels",
    ),
    "a reliability that doubles": (
        RELY, odd(Reliability, judge=lambda s, a: SourceList.renumbered(a.shape, [*a, *a])), r"judge .*share a voxel",
    ),
    "a dilation that loses sources": (
        DILATE, odd(Dilation, dilate=lambda s, a, *r: SourceList(a.shape)), r"dilate returned 0 sources for 1",
    ),
    "an appraisal with an unknown column": (
        APPRAISE,
        odd(Appraisal, appraise=lambda s, a, *r: SourceList(a.shape, [x.estimated({"colour": 1.0}) for x in a])),
        r"estimates colour",
    ),
    "a measurement without its value": (MEASURE, odd(Measurement, measure=lambda *a: {}, **ODD_COLUMN), "no value for"),
    "a measurement with another's": (
        MEASURE, odd(Measurement, measure=lambda *a: {"odd": 1.0, "f_sum": 0.0}, **ODD_COLUMN), "undeclared column f_s",
    ),
    "a measurement of the wrong kind": (
        MEASURE, odd(Measurement, measure=lambda *a: {"odd": "big"}, **ODD_COLUMN), r"returned 'big' for odd",
    ),
    "a measurement that changes the data": (
        MEASURE, odd(Measurement, measure=writes_into_the_cutout, **ODD_COLUMN), r"measure: .*read-only",
    ),
    "a measurement that changes others": (
        MEASURE, odd(Measurement, measure=writes_into_the_values, **ODD_COLUMN), r"measure: TypeError",
    ),
    "a product that raises": (PRODUCT, odd(Product, suffix="_odd.txt", write=raises), r"Odd\.write: ZeroDiv"),
    "a product that is not written": (PRODUCT, odd(Product, suffix="_odd.txt", write=nothing), r"write wrote no file"),
    "a product that goes elsewhere": (PRODUCT, odd(Product, suffix="/../odd.txt", write=nothing), r"the suffix of Odd"),
    "an opener that raises": ("hisf_open_input", lambda path: raises(), r"hisf_open_input: ZeroDiv"),
    "an opener of something else": ("hisf_open_input", lambda path: 3, r"hisf_open_input returned int"),
    "an observer that raises": ("hisf_start_stage", lambda stage: raises(), r"hisf_start_stage: ZeroDiv"),
}  # fmt: skip
CHOICES = {
    FINDER: ["pipeline.finder=odd"],
    LINK: ["linker.method=odd"],
    RELY: ["reliability.method=odd", "reliability.enable=true"],
    DILATE: ["dilation.method=odd", "dilation.enable=true"],
    APPRAISE: ["appraise.method=odd"],
}


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", *make_cube())


@pytest.mark.parametrize("name", FAULTS)
def test_a_plugin_that_fails_is_named_with_its_method(name, cube, tmp_path):
    hook, answer, words = FAULTS[name]
    settings = ["pipeline.pluginTimeout=0.2"] if "hangs" in name else []
    with pytest.raises(PluginError, match=words) as error:
        run_pipeline(cube, tmp_path, [*settings, *CHOICES.get(hook, [])], plugins=[plugin(hook, answer)])
    assert str(error.value).startswith("plugin test-0 of the test") and str(error.value).endswith(".")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_fault_of_a_plugin(cube, tmp_path):
    def full(self, result, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    product = odd(Product, suffix="_odd.txt", write=full)
    with pytest.raises(Exception, match=r"cube_odd\.txt cannot be written: No space left"):
        run_pipeline(cube, tmp_path, plugins=[plugin(PRODUCT, product)])
    assert not list(tmp_path.glob(".*"))


def test_what_a_plugin_says_itself_is_passed_on(cube, tmp_path):
    def refuses(*arguments):
        from hisf.api import InputError

        raise InputError("This finder does not like the cube.")

    with pytest.raises(PluginError.__base__, match=r"^This finder does not like the cube\.$"):
        run_pipeline(cube, tmp_path, ["pipeline.finder=odd"], plugins=[plugin(FINDER, odd(Finder, find=refuses))])


def test_a_plugin_that_declares_a_parameter_twice_is_named(cube, tmp_path):
    twice = tuple(Parameter("odd.level", Kind.FLOAT, default, "A level.", "odd") for default in ("1", "2"))
    with pytest.raises(PluginError, match=r"plugin test-0 of the test declares odd\.level twice"):
        run_pipeline(cube, tmp_path, plugins=[plugin(FINDER, odd(Finder, find=blank, parameters=twice))])


MODULE = """
from hisf.api import Finder, hookimpl

class Distant(Finder):
    name = "distant"

    def find(self, tile):
        raise ZeroDivisionError("oops")

@hookimpl
def hisf_register_finders():
    return [Distant]
"""


@pytest.fixture
def hisf(cube, tmp_path):
    """Run hisf beside a distribution whose module has this text."""

    def call(text, *arguments, **environment):
        site, out = tmp_path / "site", tmp_path / "out"
        about = site / "distant_plugin-2.5.dist-info"
        about.mkdir(parents=True)
        out.mkdir()
        (site / "distant_module.py").write_text(text)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: distant-plugin\nVersion: 2.5\n")
        (about / "entry_points.txt").write_text("[hisf]\ndistant = distant_module\n")
        env = {**os.environ, **environment}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), env.get("PYTHONPATH")]))
        first = [f"input.data={cube}", f"output.directory={out}", "scfind.enable=true"]
        command = [sys.executable, "-m", "hisf", "run", *first, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    return call


def test_a_plugin_that_cannot_be_imported_is_named_and_can_be_left_out(hisf):
    done = hisf("import no_such_package\n")
    assert done.returncode == 7 and len(done.stderr.splitlines()) == 1
    assert "plugin distant of distant-plugin 2.5 cannot be imported" in done.stderr
    assert "no_such_package" in done.stderr and "--no-plugins" in done.stderr


def test_without_plugins_there_are_the_built_in_ones_alone(hisf):
    done = hisf("import no_such_package\n", "--no-plugins")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", [0, 2])
def test_the_distribution_is_named_in_worker_processes_too(hisf, workers):
    done = hisf(MODULE, "--finder", "distant", f"pipeline.workers={workers}", "pipeline.tile=0,0,20")
    assert done.returncode == 7
    assert "plugin distant of distant-plugin 2.5 fails in Distant.find: ZeroDivisionError: oops." in done.stderr
    assert "Traceback" not in done.stderr


def test_where_a_plugin_failed_is_shown_on_request(hisf):
    done = hisf(MODULE, "--finder", "distant", HISF_TRACEBACK="1")
    assert "distant_module.py" in done.stderr and "in find" in done.stderr
