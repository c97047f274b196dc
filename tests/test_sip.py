"""The SoFiA Image Pipeline, unmodified, draws everything that it can draw from what hisf writes (spec clients §1).

It is not installed with hisf: HISF_SIP names its command, for example ``.../bin/sofia_image_pipeline`` of a virtual
environment of its own.
"""

import os
import shutil
import subprocess

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
        pytest.skip("HISF_SIP does not name the command of the SoFiA Image Pipeline (pip install sofia-image-pipeline)")
    return command


@pytest.mark.parametrize("ctype3", ["FREQ", "VRAD"])
def test_sip_draws_every_figure_of_every_source(sip, tmp_path, ctype3):
    sources = [*galaxy(16, 20, 20), *galaxy(24, 48, 44)]
    path = write_fits(tmp_path / "cube.fits", *make_cube((40, 70, 66), sources=sources, ctype3=ctype3))
    catalogue = run_pipeline(path, tmp_path, SETTINGS)
    assert len(catalogue) == 2
    command = [sip, "-c", "cube_cat.xml", "-s", "none", "-id", "-1", "-log", "sip"]
    environment = os.environ | {"MPLBACKEND": "Agg", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr + (tmp_path / "sip.log").read_text()
    # it returns 0 even where sources fail
    assert done.returncode == 0, said
    assert "Failed for" not in said
    names = {p.name for p in (tmp_path / "cube_figures").iterdir()}
    assert names == {f"cube_{label}_{figure}.png" for label in catalogue["id"] for figure in FIGURES}
    assert {p.name for p in tmp_path.glob("*.png")} == {f"cube_{figure}.png" for figure in FIELD}
    assert said.count("spec_aperture.txt to make aperture spectrum plot") >= 2
    for label in catalogue["id"]:
        assert np.loadtxt(tmp_path / "cube_cubelets" / f"cube_{label}_spec_aperture.txt")[:, 3].min() > 0
