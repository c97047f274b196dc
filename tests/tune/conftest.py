"""A cube in the manner of SDC2 with its truth, and the command line."""

import sys

import pytest
from classic_scene import CLASSIC

from hisf.cli import main


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """Return the paths of a cube and its truth: 72 × 72 × 80 voxels, some 20 galaxies of S/N above 4."""
    folder = tmp_path_factory.mktemp("scene")
    arguments = ["simulate", str(folder / "c.fits"), "--shape", "72,72,80", "--density", "400", "--min-snr", "4",
                 "--seed", "5"]  # fmt: skip
    assert call(arguments) == 0
    return folder / "c.fits", folder / "c_truth.txt"


@pytest.fixture
def par(scene, tmp_path):
    """Return a par file of the classic chain for the cube; its products go to the folder of the test."""
    path = tmp_path / "a.par"
    path.write_text(CLASSIC.format(cube=scene[0], out=tmp_path))
    return path


def call(arguments):
    """Call hisf in this process; return its exit code."""
    before = sys.argv
    sys.argv = ["hisf", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as leaving:
            main()
    finally:
        sys.argv = before
    return leaving.value.code


@pytest.fixture
def hisf(capsys):
    """Call the command line in this process; returns (exit code, standard output, standard error)."""

    def call_and_read(*arguments):
        code = call(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call_and_read
