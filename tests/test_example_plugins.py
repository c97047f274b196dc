"""The plugins in `plugins/` pass their own tests, are short, and are what their project files say."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGINS = sorted((Path(__file__).parent.parent / "plugins").iterdir())


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_its_own_tests_pass(folder):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(folder / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_it_is_one_short_module_named_by_its_project(folder):
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    (module,) = folder.glob("*.py")
    assert project["project"]["name"] == folder.name
    assert list(project["project"]["entry-points"]["hisf"].values()) == [module.stem]
    assert project["tool"]["setuptools"]["py-modules"] == [module.stem]
    assert len(module.read_text().splitlines()) <= 150
    assert folder.name in (folder / "README.md").read_text()
