"""What `hisf plan` says, against what a run then does."""

import math
import sys

import numpy as np
import pytest

from hisf.cli import main
from hisf.data.cube import Cube
from hisf.pipeline import Report, prepare
from hisf.planning import duration, make_plan, piece_of, rehearse
from hisf.plugins import PluginManager
from hisf.settings import load_settings
from hisf.testing import make_cube, run_pipeline, write_fits

SHAPE = (40, 36, 50)
SIZE = math.prod(SHAPE) * 4


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", *make_cube(SHAPE))


def planned(cube, place, *arguments):
    manager = PluginManager()
    given = [f"input.data={cube}", f"output.directory={place}", "output.filename=x", *arguments]
    settings = load_settings(given, manager.parameters())
    return make_plan(prepare(settings, manager, Report(), replacing=True)), settings, manager


def test_cube_that_fits_is_read_once(cube, tmp_path):
    plan, _, _ = planned(cube, tmp_path, "pipeline.finder=scfind", "pipeline.memory=4GB")
    assert plan.held
    assert plan.read == plan.size == SIZE
    assert plan.scratch == 0
    assert [finder.tiles for finder in plan.finders] == [1]


def test_tiles_of_a_threshold_finder(cube, tmp_path):
    plan, _, _ = planned(cube, tmp_path, "pipeline.finder=threshold", "pipeline.tile=20,12,25")
    finder = plan.finders[0]
    assert not plan.held
    assert finder.tiles == math.ceil(50 / 20) * math.ceil(36 / 12) * math.ceil(40 / 25)
    assert finder.shape == (25, 12, 20)
    assert plan.passes == 1  # the global noise


@pytest.mark.parametrize("arguments", [
    ["pipeline.finder=threshold", "pipeline.tile=20,12,25"],
    ["pipeline.finder=threshold", "pipeline.tile=50,36,4"],
    ["pipeline.finder=threshold", "pipeline.tile=50,36,4", "threshold.mode=absolute", "threshold.threshold=0.01"],
])  # fmt: skip
def test_bytes_are_those_that_a_run_reads(cube, tmp_path, arguments, monkeypatch):
    plan, _, _ = planned(cube, tmp_path, *arguments)
    read = 0
    plain = Cube.read

    def counting(self, box):
        nonlocal read
        read += math.prod(box.shape) * 4
        return plain(self, box)

    monkeypatch.setattr(Cube, "read", counting)
    stop = RuntimeError("linking begins")

    def ends(*_):
        raise stop

    monkeypatch.setattr("hisf.stages.link.neighbourhood.NeighbourhoodLinker.link", ends)
    with pytest.raises(RuntimeError, match="linking begins"):
        run_pipeline(cube, tmp_path, arguments)
    assert read == plan.read


def test_piece_lies_in_the_cube_and_holds_a_patch_of_every_finder(cube, tmp_path):
    plan, settings, manager = planned(cube, tmp_path, "pipeline.finder=scfind")
    assert piece_of(plan.job).shape == SHAPE  # of fewer voxels than a piece
    seconds = rehearse(plan, settings, manager)
    assert np.isfinite(seconds)
    assert seconds > 0
    assert not list(tmp_path.iterdir())


def test_command(cube, tmp_path, monkeypatch, capsys):
    arguments = ["pipeline.finder=threshold", "pipeline.tile=20,12,25", f"output.directory={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["hisf", "plan", f"input.data={cube}", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 0
    told = capsys.readouterr().out
    assert "50 × 36 × 40 voxels (x, y, z), 288 kB in memory" in told
    assert "18 tiles of at most 20 × 12 × 25 voxels (x, y, z)" in told
    assert "until sources are linked, with" in told
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_said(cube, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["hisf", "plan", f"input.data={cube}", f"output.directory={tmp_path}", "pipeline.memory=1MB",
                      "pipeline.finder=scfind", "--no-time"],
    )  # fmt: skip
    with pytest.raises(SystemExit):
        main()
    assert "pipeline.memory allows 0.00 GB, but this run needs about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (119.9, "119.9 s"), (600, "10.0 min"), (9000, "2.5 h"), (2e6, "23.1 days")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
