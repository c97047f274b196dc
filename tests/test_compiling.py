"""The first run after installing."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hisf import compiling
from hisf.testing import make_cube, write_fits


def hisf(command, arguments, folder, **environment):
    command = [sys.executable, "-m", "hisf", command, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_first_run_compiles_all_that_a_search_needs(tmp_path):
    """Into an empty cache: the run itself, whose kernels are wider, then has nothing to compile."""
    write_fits(tmp_path / "cube.fits", *make_cube((40, 50, 60)))
    settings = [
        "input.data=cube.fits", "scaleNoise.enable=true", "scfind.kernelsXY=0,3,6", "scfind.kernelsZ=0,3,7",
        "scfind.threshold=4", "linker.minSizeXY=1", "linker.minSizeZ=1", "reliability.enable=true",
        "reliability.threshold=0.1", "dilation.enable=true", "output.overwrite=true",
    ]  # fmt: skip
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DEBUG_CACHE": "1"}
    first = hisf("run", settings, tmp_path, **environment)
    assert "First run: compiling" in first.stderr + first.stdout
    assert "[cache] data loaded" in first.stdout and "[cache] data saved" not in first.stdout
    assert "First run" not in hisf("run", settings, tmp_path, **environment).stderr


def test_a_plan_compiles_nothing_ahead(tmp_path):
    write_fits(tmp_path / "cube.fits", *make_cube((10, 20, 20)))
    settings = ["input.data=cube.fits", "scfind.threshold=4", "scfind.kernelsZ=0,3"]
    done = hisf("plan", settings, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert "scfind" in done.stdout and "First run" not in done.stdout + done.stderr


@pytest.fixture
def first_run(monkeypatch):
    """No kernel has been compiled; no process is started but those in the list."""
    started = []
    monkeypatch.delenv(compiling.COMPILING, raising=False)
    monkeypatch.setattr(compiling, "_compiled", lambda: False)

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(compiling.subprocess, "Popen", Noted)
    return started


def test_processes_that_fail_leave_it_to_the_run(first_run, monkeypatch, caplog):
    monkeypatch.setattr(compiling, "GROUPS", {"unknown": None})
    with caplog.at_level(logging.INFO):
        compiling.compile_ahead(True)
    assert "First run" in caplog.text
    assert [process.returncode for process in first_run] == [1]


def test_an_interrupt_ends_the_processes(first_run, monkeypatch):
    def interrupted(self, timeout=None):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compiling.compile_ahead(True)
    assert len(first_run) == 2 and all(process.poll() is not None for process in first_run)


@pytest.mark.parametrize("search", [True, False])
def test_later_runs_start_nothing(first_run, monkeypatch, search, caplog):
    monkeypatch.setattr(compiling, "_compiled", lambda: True)
    compiling.compile_ahead(search)
    assert not first_run and not caplog.text


def test_without_a_search_nothing_is_compiled_ahead(first_run):
    compiling.compile_ahead(False)
    assert not first_run


def test_kernels_are_loaded_ahead_once_and_failures_left_to_the_run(monkeypatch):
    monkeypatch.delenv(compiling.COMPILING, raising=False)
    asked = []

    def smooth(folder, dtype):
        asked.append(dtype)
        raise ValueError("of no concern here")

    monkeypatch.setattr(compiling, "_smooth", smooth)
    monkeypatch.delitem(sys.modules, "hisf.kernels.clip", raising=False)
    thread = compiling.load_ahead(True, np.dtype(np.float64))
    thread.join(60)
    assert not thread.is_alive() and asked == [np.float64]  # and no warning of an exception in a thread
    assert compiling.load_ahead(True, np.dtype(np.float64)) is None
    monkeypatch.delitem(sys.modules, "hisf.kernels.clip")
    monkeypatch.setenv(compiling.COMPILING, "1")
    assert compiling.load_ahead(True, np.dtype(np.float64)) is None


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux alone tells what is mapped")
def test_pages_of_the_compiler_go_and_come_back():
    """Program text of LLVM leaves the memory; what is compiled after that is right."""
    from numba import njit

    def resident():
        size, inside = 0, False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            if "-" in line.split()[0]:
                inside = "llvmlite" in line and " r-xp " in line
            elif inside and line.startswith("Rss:"):
                size += int(line.split()[1])
        return size

    square = njit(lambda x: x * x)
    assert square(3) == 9
    before = resident()
    compiling.forget_compiler()
    assert resident() < before / 4
    assert njit(lambda x: x * x + 1)(3.0) == 10.0
    assert square(4) == 16
