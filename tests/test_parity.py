"""SoFiA's own results on synthetic and observed cubes, compared by the reference script."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hisf.errors import NothingFoundError
from hisf.testing import run_pipeline

CASES = [
    "plain_defaults",
    "plain_autokernel",
    "plain_full",
    "plain_threshold_relative",
    "plain_threshold_absolute",
    "spectral_noise_mad",
    "spectral_noise_perkernel",
    "local_noise_window",
    "local_noise_grid",
    "local_noise_gain",
    "local_noise_noise",
    "continuum_contsub",
    "continuum_ripple",
    "spectral_noise_autoflag",
    "crowded_linker",
    "crowded_negative",
    "crowded_invert",
    "wsrt_default",
    "wsrt_survey",
    "obs_ngc2903",
    "obs_ngc6946",
    "obs_eso121_4d",
    "obs_wallaby9",
    "obs_wallaby20",
]

# cube -> channel, row and column of the galaxy, from SoFiA's catalogues (parity/goldens/obs_*) to a pixel or two
GALAXIES = {
    "ESO121-G6_ATCA": (61, 35, 25),
    "NGC2903_WSRT": (54, 47, 34),
    "NGC6946_WSRT": (46, 49, 50),
    "WALLABY_Eridanus_9_ASKAP": (60, 45, 30),
    "WALLABY_Eridanus_20_ASKAP": (45, 32, 28),
}


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_case_agrees_with_sofia(shared, case):
    command = [sys.executable, shared / "bin" / "parity.py", "--hisf", f"{sys.executable} -m hisf", "--case", case]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "1 passed, 0 failed", result.stdout + result.stderr


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "cube"),
    [("obs_ngc2903", "data/cubes/NGC2903_WSRT.fits"), ("wsrt_default", "parity/cubes/wsrt_ngc4036.fits")],
)
def test_moments_have_the_bits_of_sofia(shared, tmp_path, case, cube):
    """The script above compares with a tolerance; float32 sums in SoFiA's order leave no room for one."""
    goldens = shared / "parity" / "goldens" / case
    given = [str(goldens / "case.par"), f"input.data={shared / cube}", f"output.directory={tmp_path}"]
    run_pipeline(shared / cube, tmp_path, [*given, "output.filename=g", "pipeline.finder=scfind"])
    for name in ("mom0", "mom1", "mom2", "chan"):
        found, header = fits.getdata(tmp_path / f"g_{name}.fits", header=True)
        expected, theirs = fits.getdata(goldens / f"g_{name}.fits.gz", header=True)
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert header["BUNIT"].strip() == theirs["BUNIT"].strip()


@pytest.mark.shared
@pytest.mark.parametrize("name", GALAXIES)
def test_observed_galaxy_is_found(shared, tmp_path, name):
    run_pipeline(
        shared / "data" / "cubes" / f"{name}.fits",
        tmp_path,
        ["scfind.enable=true", "scaleNoise.enable=true", "scfind.threshold=4", "linker.radiusXY=2", "linker.radiusZ=2"],
    )
    table = Table.read(tmp_path / f"{name}_cat.xml")
    brightest = table[table["f_sum"].argmax()]
    for axis, place in zip("zyx", GALAXIES[name], strict=True):
        assert abs(brightest[axis] - place) < 12, f"{axis} of the brightest source"
        assert brightest[f"{axis}_min"] <= place <= brightest[f"{axis}_max"]


@pytest.mark.shared
def test_nothing_is_found_in_pure_noise(shared, tmp_path: Path):
    with pytest.raises(NothingFoundError):
        run_pipeline(
            shared / "data" / "cubes" / "NGC4036_WSRT_noisepatch.fits",
            tmp_path,
            ["scfind.enable=true", "scfind.threshold=4.5"],
        )
