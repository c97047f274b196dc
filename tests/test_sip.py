"""The SoFiA Image Pipeline, unmodified, draws everything that it can draw from what hisf writes (spec clients §1).

It is not part of hisf: ``make sip`` gives it an environment of its own and runs this. HISF_SIP names its command.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

FIGURES = ("mom0", "snr", "mom1", "mom2", "pv", "pv_min", "spec", "specfull", "specboth")
FIELD = ("mom0", "mom1", "mom2", "sources")
SETTINGS = (
    "threshold.threshold=4", "pipeline.finder=threshold", "linker.minSizeZ=3", "linker.minSizeXY=3",
    "parameter.physical=true", "parameter.offset=true", "output.writeCubelets=true", "output.writePV=true",
    "output.writeMoments=true", "output.writeMask=true", "output.writeMask2d=true",
)  # fmt: skip


def galaxy(z, y, x):
    """Blobs along a line in position and channel."""
    return [GaussianSource(0.02, z + 5 * s, y + 5 * s, x - 3 * s, 2.0, 2.5) for s in np.linspace(-1, 1, 5)]


@pytest.fixture(scope="module")
def sip():
    command = shutil.which(os.environ.get("HISF_SIP", ""))
    if command is None:
        pytest.skip("HISF_SIP does not name the command of the SoFiA Image Pipeline; `make sip` installs and names it")
    return str(Path(command).absolute())


def assert_drawn(sip, folder, catalogue, name="cube"):
    """Run SIP in a folder of products; every figure of every source and of the field is there."""
    command = [sip, "-c", f"{name}_cat.xml", "-s", "none", "-id", "-1", "-log", "sip"]
    environment = os.environ | {"MPLBACKEND": "Agg", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr + (folder / "sip.log").read_text()
    # it returns 0 even where sources fail
    assert done.returncode == 0, said
    assert "Failed for" not in said
    drawn = {p.name: p.stat().st_size for p in (folder / f"{name}_figures").iterdir()}
    assert set(drawn) == {f"{name}_{label}_{figure}.png" for label in catalogue["id"] for figure in FIGURES}
    assert {p.name for p in folder.glob("*.png")} == {f"{name}_{figure}.png" for figure in FIELD}
    assert said.count("spec_aperture.txt to make aperture spectrum plot") >= len(catalogue)
    for label in catalogue["id"]:
        spectrum = np.loadtxt(folder / f"{name}_cubelets" / f"{name}_{label}_spec_aperture.txt")
        assert spectrum[:, 3].min() > 0
        assert np.abs(spectrum[:, 2]).max() > 0


@pytest.mark.parametrize("ctype3", ["FREQ", "VRAD"])
def test_sip_draws_every_figure_of_every_source(sip, tmp_path, ctype3):
    sources = [*galaxy(16, 20, 20), *galaxy(24, 48, 44)]
    path = write_fits(tmp_path / "cube.fits", *make_cube((40, 70, 66), sources=sources, ctype3=ctype3))
    catalogue = run_pipeline(path, tmp_path, SETTINGS)
    assert len(catalogue) == 2
    assert_drawn(sip, tmp_path, catalogue)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["NGC2903_WSRT", "ESO121-G6_ATCA", "WALLABY_Eridanus_20_ASKAP"])
def test_sip_draws_an_observed_galaxy(sip, shared, tmp_path, name):
    """Cubes in velocity, with a Stokes axis, and in frequency; S+C at 4 sigma as for the other tests of these cubes.

    From 100 voxels: SIP fails for fragments of noise without a pixel of S/N 3 in the map, whoever made the map.
    """
    words = ("scfind.enable=true", "scfind.threshold=4", "scaleNoise.enable=true", "scaleNoise.mode=spectral")
    catalogue = run_pipeline(
        shared / "data" / "cubes" / f"{name}.fits",
        tmp_path,
        [
            *(w for w in SETTINGS if "threshold" not in w),
            *words,
            "linker.radiusXY=2",
            "linker.radiusZ=2",
            "linker.minPixels=100",
        ],
    )
    assert len(catalogue) >= 1
    assert_drawn(sip, tmp_path, catalogue, name)
