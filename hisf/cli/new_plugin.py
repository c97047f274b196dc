"""``hisf new-plugin``: a folder with a finder of one's own, which works and whose tests pass, to begin with."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

import click

from hisf.errors import FileAccessError, InputError

NAME = re.compile(r"[a-z][a-z0-9_]*")
PROJECT = Template("""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "hisf-plugin-$name"
version = "0.1.0"
description = "A finder for hisf"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["hisf", "numpy"]

[project.entry-points.hisf]
$name = "hisf_plugin_$name"

[tool.setuptools]
py-modules = ["hisf_plugin_$name"]

[tool.pytest.ini_options]
pythonpath = ["."]
""")
README = Template("""\
# hisf-plugin-$name

A finder for hisf.

    pip install --editable .
    hisf plugins                          # lists it under finders
    hisf run my.par --finder $name

Its tests: `pytest` in this folder.
""")
MODULE = Template('''\
"""A finder for hisf."""

import numpy as np

from hisf.api import Finder, InputError, Kind, Parameter, hookimpl, survey


class $cls(Finder):
    """Detect single voxels that stand out from the noise; the place for a better idea."""

    name = "$name"
    parameters = (
        Parameter("$name.threshold", Kind.FLOAT, "5.0", "Noise at which the score is 0.5.", "$name 0.1", minimum=0.1),
    )

    def halo(self):
        """Say how many voxels (z, y, x) `find` must see beyond those that it answers for."""
        return 0, 0, 0

    def passes(self):
        """Say how often `look` reads the cube."""
        return 1

    def look(self, voxels, workspace, advance):
        """Look at the whole cube, once: what must not depend on how it is cut is measured here."""
        self.noise = survey(voxels, workspace, advance=advance).rms
        if not self.noise > 0:
            raise InputError(f"The finder $name cannot measure the noise of {self.cube.name}; is it constant?")

    def find(self, tile):
        """Return a score from 0 to 1 for every voxel of a tile; or a mask, True where there is a source."""
        snr = np.abs(np.nan_to_num(tile.data)) / self.noise  # of either sign: the reliability compares the two
        return snr / (snr + self.settings["$name.threshold"])


@hookimpl
def hisf_register_finders():
    """Offer the finder to hisf."""
    return [$cls]
''')
TESTS = Template("""\
import hisf_plugin_$name as plugin
from hisf.testing import GaussianSource, check_finder, make_cube, run_pipeline, write_fits


def test_it_keeps_the_promises_of_a_finder():
    check_finder(plugin.$cls)


def test_it_finds_sources_of_either_sign():
    for peak in (0.02, -0.02):  # 20 times the noise
        cube = make_cube(sources=[GaussianSource(peak, 25, 16, 18)])
        assert check_finder(plugin.$cls, cube=cube)[25, 16, 18]


def test_noise_alone_gives_next_to_nothing():
    assert check_finder(plugin.$cls, cube=make_cube(sources=[])).mean() < 1e-3


def test_a_run_with_it_finds_the_source(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube())
    assert len(run_pipeline(path, tmp_path, ["pipeline.finder=$name"], plugins=[plugin])) == 1
""")


@click.command("new-plugin", short_help="Begin a finder of your own.")
@click.argument("name")
@click.option("--directory", default=".", metavar="DIR", help="Where the folder hisf-plugin-NAME is made.")
def command(name: str, directory: str) -> None:
    """Make the folder hisf-plugin-NAME with a finder that works, and its tests, which pass: change it from there.

    NAME is what par files will say in pipeline.finder, and the prefix of the parameters.
    """
    _check(name)
    folder = Path(directory) / f"hisf-plugin-{name}"
    values = {"name": name, "cls": name.title().replace("_", "")}
    files = {
        "pyproject.toml": PROJECT,
        "README.md": README,
        f"hisf_plugin_{name}.py": MODULE,
        f"tests/test_{name}.py": TESTS,
    }
    try:
        (folder / "tests").mkdir(parents=True)
        for place, template in files.items():
            (folder / place).write_text(template.substitute(values), encoding="utf-8")
    except FileExistsError:
        raise FileAccessError(f"{folder} exists already; remove it or choose another name.") from None
    except OSError as error:
        raise FileAccessError(f"{folder} cannot be written: {error.strerror}.") from None
    for place in files:
        click.echo(f"  {folder / place}")
    click.echo(f"Now: cd {folder} && pip install --editable . && pytest && hisf run my.par --finder {name}")


def _check(name: str) -> None:
    """Make sure that a finder can have this name.

    Raises
    ------
    InputError
        It is no word, or belongs to something else.
    """
    from hisf.plugins import PluginManager

    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InputError(f"{name!r} is no name for a plugin; small letters, digits and _ are, a letter first.")
    manager = PluginManager()
    if name in {i.name for i in manager.implementations("finders")} | {p.section for p in manager.parameters()}:
        raise InputError(f"{name} is taken by another finder or its parameters (see `hisf plugins` and `hisf params`).")
