"""The example plugin, installed as a user would install it, but into a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

SOURCE = Path(__file__).parent.parent / "plugins" / "hisf-plugin-matched"
SHAPE = 24, 32, 36  # z, y, x
PLACE = 12, 15, 20  # z, y, x of the one source
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin installed in it."""
    try:
        if int(version("setuptools").partition(".")[0]) < 77:
            pytest.skip(f"setuptools {version('setuptools')} is too old to build the plugin; it needs 77")
    except PackageNotFoundError:
        pytest.skip("setuptools is not here to build the plugin (it comes with hisf[test])")
    if any(entry.name == "matched" for entry in entry_points(group="hisf")):
        pytest.skip("the plugin is installed already")
    folder = tmp_path_factory.mktemp("plugin")
    ignore = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    copy, target = shutil.copytree(SOURCE, folder / "source", ignore=ignore), folder / "site"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Run a command of hisf beside a small cube; with the plugin, unless told otherwise."""
    make_cube(tmp_path / "cube.fits")

    def run_(*arguments: str, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        env = dict(os.environ)
        if plugin:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), env.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "hisf", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)

    return run_


def make_cube(path: Path) -> None:
    """Write a cube with noise of 1 mJy/beam and one source of 20."""
    z, y, x = (np.arange(size) - centre for size, centre in zip(SHAPE, PLACE, strict=True))
    square = (z / 2.5)[:, None, None] ** 2 + (y / 2.0)[:, None] ** 2 + (x / 2.0) ** 2
    cube = np.random.default_rng(5).normal(0.0, 1e-3, SHAPE) + 0.02 * np.exp(-0.5 * square)
    header = fits.Header({"BUNIT": "Jy/beam"})
    fits.writeto(path, cube.astype(np.float32), header)


def write_par(folder: Path, *lines: str) -> None:
    (folder / "my.par").write_text("\n".join(["input.data = cube.fits", *lines]) + "\n")


@pytest.mark.parametrize("finder", ["matched", "matched+scfind"])
def test_it_finds_the_source(run: Run, tmp_path: Path, finder: str) -> None:
    write_par(tmp_path, f"pipeline.finder = {finder}", "matched.width = 5")
    done = run("run", "my.par")
    assert done.returncode == 0, done.stdout + done.stderr
    catalogue = Table.read(tmp_path / "cube_cat.xml")
    assert len(catalogue) == 1
    found = [catalogue[axis][0] for axis in "zyx"]
    np.testing.assert_allclose(found, PLACE, atol=0.5)  # pixels: masks are ragged where the source sinks into the noise
    assert f"found by {finder.replace('+', ' + ')} in" in done.stdout


def test_it_can_be_chosen_on_the_command_line(run: Run, tmp_path: Path) -> None:
    write_par(tmp_path)
    done = run("run", "my.par", "--finder", "matched", "matched.threshold=6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(Table.read(tmp_path / "cube_cat.xml")) == 1


def test_it_is_listed_with_its_distribution(run: Run) -> None:
    line = next(line for line in run("plugins").stdout.splitlines() if "matched" in line)
    assert "hisf-plugin-matched 0.1.0" in line


def test_its_parameters_are_explained(run: Run) -> None:
    text = run("params", "matched").stdout
    assert "matched.width = 9" in text
    assert "matched.threshold = 5.0" in text
    assert "Width of a line in channels." in text


def test_a_misspelt_parameter_gets_a_suggestion(run: Run, tmp_path: Path) -> None:
    write_par(tmp_path, "pipeline.finder = matched", "matched.widht = 5")
    done = run("run", "my.par")
    assert done.returncode == 7
    assert "my.par line 3" in done.stderr
    assert "did you mean matched.width?" in done.stderr
    assert run("run", "my.par", "matched.foo=1").returncode == 7


def test_a_value_out_of_range_is_refused(run: Run, tmp_path: Path) -> None:
    write_par(tmp_path, "pipeline.finder = matched", "matched.width = 0")
    done = run("run", "my.par")
    assert done.returncode == 7
    assert "matched.width = 0 is not accepted: it must be at least 1" in done.stderr


@pytest.mark.parametrize("line", ["", "matched.width = 5"])
def test_without_the_plugin_the_par_file_is_refused_with_a_sentence(run: Run, tmp_path: Path, line: str) -> None:
    write_par(tmp_path, "pipeline.finder = matched", line)
    done = run("run", "my.par", plugin=False)
    assert done.returncode == 7
    assert "matched" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
