"""A run that is killed again and again ends with the files of a run that was left alone."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hisf.api import hookimpl
from hisf.data.box import Box
from hisf.errors import FileAccessError, InputError
from hisf.execution import journal as journals
from hisf.settings import Parameter
from hisf.stages.finders.contract import Finder
from hisf.stages.products.writing import remove_leftovers
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

CLOCK = ("x_run.json", "x_run.log")  # hold timings
SOURCES = [GaussianSource(0.02, 12, 16, 18), GaussianSource(0.02, 30, 40, 60), GaussianSource(0.02, 47, 20, 40)]


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    array, header = make_cube((60, 64, 72), sources=SOURCES, seed=3)
    return write_fits(tmp_path_factory.mktemp("cube") / "cube.fits", array, header)


def command(cube, out, *more):
    writes = [f"output.write{what}=true" for what in ("CatASCII", "CatXML", "CatSQL", "Mask", "Moments", "Filtered")]
    return [
        sys.executable, "-m", "hisf", "run", f"input.data={cube}", f"output.directory={out}", "output.filename=x",
        "pipeline.threads=1", "output.overwrite=true", *writes, *more,
    ]  # fmt: skip


def products(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name not in CLOCK}


@pytest.mark.parametrize(
    ("entries", "finder"),
    [
        ([0, 1, 3, 5, 7, 12, 12, 12, 12, 9], ["pipeline.finder=scfind", "scfind.threshold=4.5"]),
        ([0, 1, 20, 54, 54, 40], ["pipeline.finder=threshold", "pipeline.tile=30,30,10", "pipeline.workers=2"]),
    ],
    ids=["scfind", "tiles by workers"],
)
def test_killed_at_any_moment(cube, tmp_path, entries, finder):
    """Killed while it begins, as soon as the journal has so many entries, and while it writes its products."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    out = tmp_path / "out"
    out.mkdir()
    start = time.monotonic()
    subprocess.run(command(cube, out, *finder), env=environment, check=True, capture_output=True)
    whole = time.monotonic() - start
    expected = products(out)
    for path in out.iterdir():
        path.unlink()
    rng, dead, left = np.random.default_rng(11), 0, 0
    for number, enough in enumerate(entries):
        run = subprocess.Popen(
            [*command(cube, out, *finder), "--resume"], env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while run.poll() is None and kept(out) < enough:
            time.sleep(0.001)
        if not enough:
            time.sleep(rng.uniform(0.3, 0.6) * whole)
        elif enough == entries[number - 1]:  # among catalogues, mask and moments
            while run.poll() is None and not list(out.glob(f".x_[cm]*.{run.pid}.part")):
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.1))
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        dead += run.wait() == -signal.SIGKILL
        left += kept(out) > 0
    assert dead >= len(entries) // 2  # the others had ended before they were killed
    assert left >= len(entries) // 2  # so that there was something to resume from
    end = subprocess.run([*command(cube, out, *finder), "--resume"], env=environment)
    assert end.returncode == 0
    found = products(out)
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name], name


def kept(out):
    return len(list(out.glob("x_journal/*.npz")))


class Slow(Finder):
    """Counts its tiles, and stops where it is told to."""

    name = "slow"
    parameters: tuple[Parameter, ...] = ()
    searched: list[Box]
    stop_at = 99

    def find(self, tile):
        type(self).searched.append(tile.core)
        if len(type(self).searched) == type(self).stop_at:
            raise KeyboardInterrupt
        return tile.data > 0.01


class SlowPlugin:
    @hookimpl
    def hisf_register_finders(self):
        return [Slow]


ARGUMENTS = ["pipeline.finder=slow", "pipeline.tile=0,0,10", "output.filename=x", "output.writeCatASCII=false"]


def search(cube, place, *more, stop_at=99, resume=False):
    Slow.searched, Slow.stop_at = [], stop_at
    return run_pipeline(cube, place, [*ARGUMENTS, *more], plugins=[SlowPlugin()], resume=resume)


@pytest.fixture
def interrupted(cube, tmp_path):
    """A run that was interrupted at its fourth tile of six."""
    with pytest.raises(KeyboardInterrupt):
        search(cube, tmp_path, stop_at=4)
    return tmp_path


def test_finished_tiles_are_not_searched_again(cube, interrupted):
    resumed = search(cube, interrupted, resume=True)
    assert [(box.z0, box.z1) for box in Slow.searched] == [(20, 30), (10, 20), (0, 10)]
    assert not (interrupted / "x_journal").exists()
    anew = search(cube, interrupted, "output.overwrite=true")
    assert len(Slow.searched) == 6
    for column in anew.columns:
        np.testing.assert_array_equal(resumed[column.name], anew[column.name])


def test_without_resume_everything_is_searched(cube, interrupted):
    search(cube, interrupted)
    assert len(Slow.searched) == 6


def test_threads_and_tiles_may_change(cube, interrupted):
    search(cube, interrupted, "pipeline.threads=2", "pipeline.tile=0,0,20", resume=True)
    assert len(Slow.searched) == 3  # of another shape, so that none is known


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["scfind.threshold=4"], r"scfind\.threshold was 5\.0 and is 4"),
        (["input.region=0,71,0,63,0,58"], r"input\.region was .* and is"),
        (["linker.radiusZ=2"], r"linker\.radiusZ was 1 and is 2"),
    ],
)
def test_changed_settings_are_refused(cube, interrupted, change, sentence):
    with pytest.raises(InputError, match=sentence):
        search(cube, interrupted, *change, resume=True)
    search(cube, interrupted, resume=True)
    assert len(Slow.searched) == 3  # the journal is as it was


def test_changed_cube_is_refused(tmp_path):
    array, header = make_cube((60, 64, 72), sources=SOURCES, seed=3)
    path = write_fits(tmp_path / "cube.fits", array, header)
    with pytest.raises(KeyboardInterrupt):
        search(path, tmp_path, stop_at=4)
    array[3, 3, 3] += 1
    path.unlink()
    write_fits(path, array, header)
    with pytest.raises(InputError, match=r"the content of input\.data was"):
        search(path, tmp_path, resume=True)


def test_a_run_that_failed_on_its_own_leaves_no_journal(cube, tmp_path):
    with pytest.raises(InputError):
        search(cube, tmp_path, "pipeline.finder=slow+mask", "input.mask=" + str(cube))
    assert not (tmp_path / "x_journal").exists()


def test_full_disk_keeps_the_journal(cube, tmp_path, monkeypatch):
    write, count = journals._write, []

    def fails(path, how):
        count.append(path)
        if len(count) == 4:
            raise OSError(28, "No space left on device")
        write(path, how)

    monkeypatch.setattr(journals, "_write", fails)
    with pytest.raises(FileAccessError, match="No space left"):
        search(cube, tmp_path)
    search(cube, tmp_path, resume=True)
    assert len(Slow.searched) == 4


def test_nothing_to_resume_is_said(cube, tmp_path, caplog):
    search(cube, tmp_path, resume=True)
    assert f"There is no journal {Path(tmp_path) / 'x_journal'}" in caplog.text


def test_leftovers_of_killed_runs_are_removed(tmp_path):
    catalogue, folder = tmp_path / "x_cat.txt", tmp_path / "x_cubelets"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    alive, dead = tmp_path / f".x_cat.txt.{os.getppid()}.part", tmp_path / f".x_cat.txt.{gone.pid}.part"
    other = tmp_path / f".y_cat.txt.{gone.pid}.part"
    for path in (alive, dead, other):
        path.write_text("half")
    old = tmp_path / f".x_cubelets.{gone.pid}.old"
    old.mkdir()
    (old / "notes.txt").write_text("mine")
    remove_leftovers([catalogue, folder])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, other.name, "x_cubelets"])
    assert (folder / "notes.txt").read_text() == "mine"
    old.mkdir()
    remove_leftovers([folder])
    assert not old.exists()
    assert (folder / "notes.txt").exists()
