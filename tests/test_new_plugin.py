"""`hisf new-plugin NAME`: what it makes works at once, in its own tests and beside hisf."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hisf.cli.new_plugin import command
from hisf.errors import FileAccessError, InputError
from hisf.testing import make_cube, write_fits


def make(name, folder):
    return CliRunner().invoke(
        command, [name, "--directory", str(folder)], catch_exceptions=False, standalone_mode=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a new plugin."""
    folder = tmp_path_factory.mktemp("new")
    assert "pytest && hisf run my.par --finder my_finder" in make("my_finder", folder).output
    return folder / "hisf-plugin-my_finder"


def test_its_tests_pass_at_once(made):
    test = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(made)]
    done = subprocess.run(test, capture_output=True, text=True, check=False, cwd=made)
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout


def test_it_can_be_installed_and_chosen(made, tmp_path):
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the plugin")
    site = tmp_path / "site"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    install = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(made)]
    subprocess.run(install, check=True, capture_output=True)
    write_fits(tmp_path / "cube.fits", *make_cube())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))}
    search = [sys.executable, "-m", "hisf", "run", "input.data=cube.fits", "--finder", "my_finder"]
    done = subprocess.run(search, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 0 and "found by my_finder" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["My", "my finder", "../my", "1st", "class", "", "my-finder"])
def test_what_is_no_word_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="is no name for a plugin"):
        make(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["scfind", "cnn", "linker"])
def test_what_is_taken_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="is taken"):
        make(name, tmp_path)


def test_nothing_is_overwritten(tmp_path):
    make("mine", tmp_path)
    (tmp_path / "hisf-plugin-mine" / "README.md").write_text("precious")
    with pytest.raises(FileAccessError, match="exists already"):
        make("mine", tmp_path)
    assert (tmp_path / "hisf-plugin-mine" / "README.md").read_text() == "precious"
