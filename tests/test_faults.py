"""Faults of the machine: the products of the run before stay as they were, and nothing half-written is left."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hisf.api import hookimpl
from hisf.cli import main
from hisf.data.box import Box
from hisf.errors import FileAccessError, InputError
from hisf.execution.lock import locked
from hisf.execution.workspace import Workspace
from hisf.stages.products.mask import MaskCube
from hisf.testing import make_cube, run_pipeline, write_fits

ALL = [
    f"output.write{what}=true"
    for what in (
        "CatASCII", "CatXML", "CatSQL", "CatFITS", "CatHDF5", "Mask", "Mask2d", "RawMask", "Moments", "Cubelets",
        "Noise", "Filtered", "PV", "Regions", "Karma", "Sources",
    )
]  # fmt: skip


class World:
    """A cube, a folder of products, and hisf run on them in this process or in one of its own."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        self.cube, self.out = folder / "cube.fits", folder / "out"
        write_fits(self.cube, *make_cube())
        self.out.mkdir()
        self.arguments = [f"input.data={self.cube}", f"output.directory={self.out}", "scfind.enable=true"]

    def run(self, *arguments):
        """Run here; returns exit code and standard error."""
        self._monkeypatch.setattr(sys, "argv", ["hisf", "run", "--quiet", *self.arguments, *arguments])
        with pytest.raises(SystemExit) as leaving:
            main()
        return leaving.value.code, self._capsys.readouterr().err

    def run_apart(self, *arguments, **options):
        command = [sys.executable, "-m", "hisf", "run", "--quiet", *self.arguments, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    def products(self):
        """What is in the folder of products, but for the record of the run and the journal."""
        files = {str(path.relative_to(self.out)): path for path in self.out.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in files.items() if not re.search("_run.json|_journal", name)}

    def litter(self):
        return [str(path) for path in self.folder.rglob("*") if ".part" in path.name or ".lock" in path.name]


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    return World(tmp_path, monkeypatch, capsys)


def half_and(fault):
    """A `write` that writes half of a file, and then something happens."""

    def write(self, result, path):
        path.write_bytes(b"half")
        fault()

    return write


def disk_full():
    raise OSError(28, "No space left on device")


def out_of_memory():
    raise MemoryError


def signalled(number):
    def fault():
        os.kill(os.getpid(), number)
        time.sleep(10)

    return fault


FAULTS = {
    "a full disk": (disk_full, 5, "cube_mask.fits cannot be written: No space left on device."),
    "no memory": (out_of_memory, 3, "Out of memory"),
    "an interrupt": (signalled(signal.SIGINT), 130, "Interrupted; no file was left half-written."),
    "termination": (signalled(signal.SIGTERM), 143, "Terminated; no file was left half-written."),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_while_a_product_is_written(world, monkeypatch, name):
    fault, code, words = FAULTS[name]
    assert world.run(*ALL)[0] == 0
    before = world.products()
    assert len(before) > 20
    monkeypatch.setattr(MaskCube, "write", half_and(fault))
    found, err = world.run(*ALL, "scfind.threshold=4")
    assert found == code and words in err and "Traceback" not in err
    changed = {name for name, content in world.products().items() if before.get(name) != content}
    assert changed <= {"cube_noise.fits", "cube_filtered.fits", "cube_mask-raw.fits"}  # which are complete by then
    assert world.litter() == []


@pytest.mark.parametrize("stage", ["load", "global noise", "scfind", "link", "measure", "write"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_any_stage(world, monkeypatch, stage, number, code):
    from hisf.cli.display import Display

    assert world.run()[0] == 0
    before = world.products()

    def begin(self, stage: str, total: int, unit: str):
        if stage == wanted:
            signalled(number)()

    wanted = stage
    monkeypatch.setattr(Display, "hisf_start_stage", hookimpl(begin))
    found, err = world.run("scfind.threshold=4")
    assert found == code and "no file was left half-written" in err and "Traceback" not in err
    assert world.products() == before and world.litter() == []


def test_a_signal_reaches_a_run_with_workers(world):
    assert world.run("pipeline.workers=2", "pipeline.tile=0,0,20")[0] == 0
    before = world.products()
    command = [sys.executable, "-m", "hisf", "run", *world.arguments, "pipeline.workers=2", "pipeline.tile=0,0,4"]
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "env": {**os.environ, "PYTHONUNBUFFERED": "1"},
    }
    with subprocess.Popen([*command, "scfind.threshold=4"], **pipes) as process:
        for line in process.stdout:
            if "global noise" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "Traceback" not in err, err
    assert world.products() == before and world.litter() == []


@pytest.mark.parametrize("limit", [100, 3000, 12000, 60000])
def test_no_file_may_be_larger(world, limit):
    """As on a full disk, but for every file: whichever product is the first that does not fit."""
    assert world.run(*ALL)[0] == 0
    before = world.products()
    limits = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # noqa: E731
    done = world.run_apart(*ALL, "scfind.threshold=4", preexec_fn=limits)
    assert done.returncode == 5, done.stderr
    assert "cannot be written" in done.stderr and "File too large" in done.stderr and "Traceback" not in done.stderr
    kept = {name: content for name, content in world.products().items() if before.get(name) == content}
    assert before.keys() - kept.keys() <= {"cube_noise.fits", "cube_filtered.fits", "cube_mask-raw.fits"}
    assert world.litter() == []


def test_a_scratch_file_that_finds_no_room(tmp_path):
    planes = shutil.disk_usage(tmp_path).free // 8 // 1024 + (1 << 20)
    with pytest.raises(FileAccessError, match=r"No scratch file of .* GB can be made in .* \(No space left .*TMPDIR"):
        Workspace(0, scratch=tmp_path).allocate((planes, 32, 32), np.dtype(np.float64))


def test_the_room_of_a_scratch_file_is_taken_at_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "posix_fallocate", lambda file, start, size: asked.append(size) or os.truncate(file, size))
    assert Workspace(0, scratch=tmp_path).allocate((2, 3, 4), np.dtype(np.float32)).sum() == 0
    assert asked == [96]


class Watcher:
    """Does something to the cube when a stage begins."""

    def __init__(self, stage, act):
        self._stage, self._act = stage, act

    @hookimpl
    def hisf_start_stage(self, stage):
        if stage == self._stage:
            self._act()


STREAMED = "pipeline.tile=36,32,10"  # so that the cube is not held in memory


def test_a_cube_that_changes_is_noticed_at_the_end(world):
    assert world.run()[0] == 0
    before = world.products()

    def rewrite():
        write_fits(world.cube, *make_cube(seed=7))

    with pytest.raises(InputError, match=r"cube\.fits \(input\.data\) has changed while it was being searched"):
        run_pipeline(world.cube, world.out, plugins=[Watcher("link", rewrite)])
    assert world.products() == before and world.litter() == [] and not list(world.out.glob("*journal*"))


def test_a_cube_that_becomes_shorter_is_noticed_at_once(world):
    def shorten():
        os.truncate(world.cube, 40000)

    with pytest.raises(FileAccessError, match=r"cube\.fits has become shorter while it was being read"):
        run_pipeline(world.cube, world.out, [STREAMED], plugins=[Watcher("global noise", shorten)])
    assert world.products() == {} and world.litter() == []


def test_a_cube_that_vanishes_is_noticed(world):
    with pytest.raises(InputError, match="has changed while it was being searched"):
        run_pipeline(world.cube, world.out, plugins=[Watcher("link", lambda: world.cube.unlink())])
    assert world.products() == {}


HUNGRY = """
from hisf.api import Finder, hookimpl

class Hungry(Finder):
    name = "hungry"

    def find(self, tile):
        raise MemoryError

@hookimpl
def hisf_register_finders():
    return [Hungry]
"""


def test_a_worker_without_memory(world, monkeypatch):
    site = world.folder / "site"
    about = site / "hungry-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "hungry.py").write_text(HUNGRY)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hungry\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[hisf]\nhungry = hungry\n")
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    done = world.run_apart("--finder", "hungry", "pipeline.workers=2", env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 3 and "Out of memory" in done.stderr and "Traceback" not in done.stderr
    assert world.products() == {} and world.litter() == []


def test_two_runs_do_not_write_one_name(world):
    with locked(world.out / "cube"):
        code, err = world.run()
        assert code == 5
        assert f"Another run is writing cube in {world.out} (process {os.getpid()} on" in err
        assert ".cube.lock" in err
        assert world.run("output.filename=other")[0] == 0
    assert world.run()[0] == 0
    assert world.litter() == []


def test_the_lock_of_a_run_that_was_killed_is_taken_over(world):
    (world.out / ".cube.lock").write_text("process 999999999 on elsewhere")
    assert world.run()[0] == 0
    assert world.litter() == []


def test_one_of_many_gets_the_lock(tmp_path):
    code = (
        "import sys, time, pathlib; from hisf.execution.lock import locked; from hisf.errors import FileAccessError\n"
        "try:\n with locked(pathlib.Path(sys.argv[1])): print('mine', flush=True); time.sleep(2)\n"
        "except FileAccessError: print('taken')"
    )
    many = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "x")], stdout=-1, text=True) for _ in range(4)]
    said = [process.communicate(timeout=60)[0].strip() for process in many]
    assert "mine" in said and set(said) <= {"mine", "taken"}
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(world):
    world.out.chmod(0o500)
    code, err = world.run()
    assert code == 5 and "cannot be written" in err


def test_a_file_system_that_cannot_be_written(world):
    if not Path("/proc/self").is_dir():
        pytest.skip("/proc is not here")
    code, err = world.run("output.directory=/proc/self")
    assert code == 5 and "cannot be written" in err and "Traceback" not in err


def test_the_boxes_of_a_short_file_that_are_there_are_read_until_it_is_noticed(world):
    """The check is made at every read, not only at the first."""
    from hisf.data.fits_voxels import FitsVoxels
    from hisf.data.header import read_header

    voxels = FitsVoxels(world.cube, *read_header(world.cube))
    assert voxels.read(Box(0, 1, 0, 1, 0, 1)).shape == (1, 1, 1)
    os.truncate(world.cube, 20000)
    with pytest.raises(FileAccessError, match="has become shorter"):
        voxels.read(Box(0, 1, 0, 1, 0, 1))
