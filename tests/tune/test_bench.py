"""What is kept from trial to trial changes nothing: the catalogue is that of a run, to the bit."""

import numpy as np
import pytest

from hisf.errors import NothingFoundError
from hisf.pipeline import run
from hisf.plugins import PluginManager
from hisf.settings import COMMAND_LINE, load_settings
from hisf.tune import bench as bench_module
from hisf.tune.bench import Bench
from hisf.tune.space import dimensions_of

NETWORK = """\
input.data = {cube}
output.directory = {out}
pipeline.finder = cnn
linker.radiusXY = 2
linker.radiusZ = 3
linker.minSizeXY = 2
linker.minSizeZ = 3
"""


def same(a, b):
    """Whether two catalogues have the same columns and bits."""
    if a is None or b is None:
        return a is b
    return a.names == b.names and all(
        np.array_equal(a[n], b[n], equal_nan=a[n].dtype.kind == "f") for n in a.names
    )  # fmt: skip


def fresh(settings, manager):
    try:
        return run(settings, manager)
    except NothingFoundError:
        return None


class Counting:
    """Counts the calls of a function of a module."""

    def __init__(self, monkeypatch, name):
        self.calls, self._function = 0, getattr(bench_module, name)
        monkeypatch.setattr(bench_module, name, self)

    def __call__(self, *arguments, **more):
        self.calls += 1
        return self._function(*arguments, **more)


def compare(par, ranges, steps, monkeypatch, searches, cubes):
    manager = PluginManager()
    settings = load_settings([str(par), "output.overwrite=true"], manager.parameters())
    for name in settings:
        if name.startswith("output.write"):
            settings = settings.replace(name, "false", COMMAND_LINE)
    bench = Bench(manager, dimensions_of(ranges, settings))
    catalogues = []
    prepare, begin = Counting(monkeypatch, "prepare"), Counting(monkeypatch, "begin")
    for values in steps:
        tried = settings
        for name, text in values.items():
            tried = tried.replace(name, text, COMMAND_LINE)
        catalogues.append(bench.run(tried))
        assert same(catalogues[-1], fresh(tried, manager)), values
    assert (prepare.calls, begin.calls) == (searches, cubes)
    return catalogues


def test_classic_trials_are_runs(par, monkeypatch):
    found = compare(
        par,
        ["scfind.threshold=3..5:0.5", "linker.radiusZ=1..6", "reliability.threshold=0.1..0.9",
         "linker.method=sofia2|cylinder", "dilation.iterationsZ=1..5", "linker.maxSizeZ=0..60",
         "reliability.enable=true|false"],
        [
            {},
            {"linker.radiusZ": "5"},
            {"reliability.threshold": "0.9", "linker.method": "cylinder"},
            {"scfind.threshold": "3.5", "linker.radiusZ": "5"},
            {"scfind.threshold": "3.5", "dilation.iterationsZ": "1"},
            {"linker.maxSizeZ": "1"},  # nothing is left
            {"reliability.enable": "false"},
            {},
        ],
        monkeypatch, searches=3, cubes=2,
    )  # fmt: skip
    assert found[5] is None
    assert same(found[0], found[-1])
    assert len({len(catalogue) for catalogue in found if catalogue}) > 2  # the settings do change what is found


def test_network_trials_are_runs(scene, tmp_path, monkeypatch):
    par = tmp_path / "n.par"
    par.write_text(NETWORK.format(cube=scene[0], out=tmp_path))
    found = compare(
        par,
        ["cnn.threshold=0.05..0.9:0.05", "cnn.confidence=0..1", "linker.radiusZ=1..20", "linker.minPixels=0..300"],
        [
            {},
            {"cnn.threshold": "0.05", "cnn.confidence": "0"},
            {"cnn.threshold": "0.6", "linker.radiusZ": "15", "cnn.confidence": "0.2"},
            {"linker.minPixels": "60", "cnn.confidence": "0.9"},
        ],
        monkeypatch, searches=1, cubes=1,
    )  # fmt: skip
    assert len(found[1]) > len(found[0]) > 0


def test_two_finders_and_a_reliability_without_effect(scene, tmp_path, monkeypatch):
    par = tmp_path / "n.par"
    text = NETWORK.format(cube=scene[0], out=tmp_path).replace("cnn\n", "cnn+scfind\n")
    par.write_text(text + "scfind.kernelsXY = 0, 3\nscfind.kernelsZ = 0, 7\nscfind.threshold = 4.5\n")
    compare(
        par,
        ["cnn.threshold=0.2..0.6:0.2", "scfind.threshold=4..5:0.5", "reliability.enable=true|false"],
        [{}, {"cnn.threshold": "0.6", "scfind.threshold": "4"}, {"reliability.enable": "true"}],
        monkeypatch, searches=3, cubes=1,
    )  # fmt: skip


def test_what_changes_the_cube_is_computed_again(par, monkeypatch):
    compare(
        par, ["scaleNoise.enable=true|false", "scfind.threshold=3..4:0.5"],
        [{}, {"scaleNoise.enable": "true"}, {"scaleNoise.enable": "true", "scfind.threshold": "3.5"}, {}],
        monkeypatch, searches=3, cubes=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "late"),
    [
        ("linker.radiusXY", True), ("dilation.threshold", True), ("reliability.threshold", True),
        ("reliability.enable", False), ("forska.minFlux", True), ("cnn.threshold", True), ("cnn.confidence", True),
        ("pipeline.scoreThreshold", True), ("cnn.weights", False), ("scfind.threshold", False),
        ("threshold.threshold", False), ("appraise.method", False), ("input.region", False),
        ("contsub.order", False), ("matched.threshold", False),
    ],
)  # fmt: skip
def test_what_has_a_say_in_the_search(name, late):
    assert Bench(PluginManager(), []).is_late(name) is late


def test_old_cubes_are_let_go(par, monkeypatch):
    """Three cubes, of which two are kept; the first is computed again, and what was found in it searched again."""
    steps = [{"scaleNoise.windowZ": text, "scaleNoise.enable": "true"} for text in ("0", "31", "41", "0")]
    ranges = ["scaleNoise.windowZ=0|31|41", "scaleNoise.enable=true|false"]
    steps = [step | {"scaleNoise.mode": "local"} for step in steps]
    compare(par, [*ranges, "scaleNoise.mode=local|spectral"], steps, monkeypatch, searches=4, cubes=4)
