"""A run with a parameter file of SoFiA 1, from one end to the other."""

import json
import subprocess
import sys

import numpy as np
from astropy.io import fits
from astropy.table import Table

from hisf.testing import GaussianSource, make_cube, write_fits

OLD = """\
# of a survey
import.inFile           = {cube}
steps.doSubcube         = true
import.subcube          = [2, 42, 0, 38, 0, 40]
steps.doFlag            = true
flag.regions            = [[0, 2, 0, 2, 30, 32]]
steps.doSmooth          = true
SCfind.threshold        = 4.5
SCfind.rmsMode          = mad
SCfind.kernels          = [[0, 0, 0, 'b']]
merge.radiusX           = 2
merge.radiusY           = 2
merge.radiusZ           = 8
parameters.dilateMask   = true
parameters.dilatePixMax = 2
steps.doWriteMask       = true
writeCat.outputDir      = {folder}
writeCat.basename       = old
writeCat.writeXML       = true
"""
# the horns of a galaxy, each 3 pixels wide, with a pixel between them: 2 pixels and some channels from one to the
# other, where a cylinder of these radii joins them and an ellipsoid has no room left
HORNS = (GaussianSource(0.05, 12, 18, 20, 0.8, 0.6), GaussianSource(0.05, 20, 18, 24, 0.8, 0.6))


def run(tmp_path, *arguments):
    path = write_fits(tmp_path / "cube.fits", *make_cube((40, 40, 44), sources=HORNS, beam=False))
    (tmp_path / "old.par").write_text(OLD.format(cube=path, folder=tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "hisf", "run", tmp_path / "old.par", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done, json.loads((tmp_path / "old_run.json").read_text())


def test_run(tmp_path):
    done, record = run(tmp_path)
    assert record["cube"]["shape"] == [40, 38, 40]
    used = {stage: list(names) for stage, names in record["plugins"].items()}
    assert (used["finders"], used["link"], used["dilate"]) == (["scfind"], ["cylinder"], ["sofia1"])
    assert record["settings"]["linker.radiusZ"] == {
        "value": "8",
        "origin": f"{tmp_path / 'old.par'} line 13 (written as merge.radiusZ)",
    }
    table = Table.read(tmp_path / "old_cat.xml", format="votable")
    assert len(table) == 1 and abs(table["z"][0] - 16) < 1
    mask = fits.getdata(tmp_path / "old_mask.fits")
    assert mask.shape == (40, 38, 40) and mask[12, 18, 18] == mask[20, 18, 22] == 1
    # the file, the step that is not here, and the beam that is missing, each once
    assert done.stderr.count("WARNING") == 3
    assert "line 7 (written as steps.doSmooth)" in done.stderr


def test_the_linker_of_sofia2_takes_them_for_two(tmp_path):
    run(tmp_path, "linker.method=sofia2", "linker.minSizeXY=1", "linker.minSizeZ=1")
    table = Table.read(tmp_path / "old_cat.xml", format="votable")
    bright = table[table["f_sum"] > 0.3 * np.max(table["f_sum"])]
    assert len(bright) == 2
