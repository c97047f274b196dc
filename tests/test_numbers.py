"""Numbers at the edge of floating point, cubes at the edge of what is a cube; and what no result depends on.

`docs/sofia2.md` says what is defined here.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from hisf.api import Column, Measurement, hookimpl
from hisf.errors import HisfError
from hisf.testing import make_cube, run_pipeline, write_fits

ARRAY, HEADER = make_cube()  # noise of 1e-3 and one source, at voxel 20, 16, 18
SINGLE = ["scfind.kernelsXY=0", "scfind.kernelsZ=0", "linker.minSizeXY=1", "linker.minSizeZ=1", "linker.minPixels=1"]
FINDERS = {
    "scfind": SINGLE,
    "threshold": ["pipeline.finder=threshold", *SINGLE],
    "cnn": ["pipeline.finder=cnn", "cnn.confidence=0", "linker.minSizeXY=1", "linker.minSizeZ=1"],
}


def changed(where, value):
    array = ARRAY.copy()
    array[where] = value
    return array


def noise(*shape):
    return np.random.default_rng(1).normal(0, 1e-3, shape).astype(np.float32)


PEAK = 20, 16, 18
# voxels, and what each finder makes of them: the number of sources, or the exit code and the words of the sentence
CUBES = {
    "as it is": (ARRAY, 1),
    "one huge voxel": (changed(PEAK, 1e30), 1),
    "the largest numbers there are": (changed((20, 16, slice(17, 19)), 3.4e38), 1),
    "everything large": ((ARRAY * 1e33).astype(np.float32), 1),
    "everything small": ((ARRAY * 1e-30).astype(np.float32), 1),
    "double precision beyond single": (ARRAY.astype(np.float64) * 1e100, None),
    "infinite voxels, which are blank": (changed((3, 4, slice(5, 7)), [np.inf, -np.inf]), 1),
    "a plane of zeros": (changed(5, 0.0), 1),
    "a blank plane": (changed(5, np.nan), 1),
    "zeros alone": (np.zeros_like(ARRAY), (7, "noise")),
    "a constant": (np.ones_like(ARRAY), (7, "noise")),
    "a single voxel": (np.full((1, 1, 1), -1.0, np.float32), (7, "noise")),
    "two voxels": (np.array([[[1.0, -1.0]]], np.float32), (8, "No source found")),
    "one channel of noise": (noise(1, 32, 36), (8, "No source found")),
    "one row of noise": (noise(40, 1, 36), (8, "No source found")),
    "one column of noise": (noise(40, 32, 1), (8, "No source found")),
}


def outcome(array, folder, arguments):
    path = write_fits(folder / "cube.fits", array, HEADER)
    try:
        return len(run_pipeline(path, folder, arguments))
    except HisfError as error:
        return error.exit_code, str(error)


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("name", CUBES)
def test_a_cube_at_the_edge_has_a_defined_result(tmp_path, name, finder):
    array, expected = CUBES[name]
    found = outcome(array, tmp_path, FINDERS[finder])
    if isinstance(expected, tuple):
        assert isinstance(found, tuple) and found[0] == expected[0] and re.search(expected[1], found[1]), found
    elif expected is not None:
        assert isinstance(found, int) and found >= expected
    else:
        assert isinstance(found, int) or found[0] == 8


def test_sums_beyond_single_precision_are_kept_in_double(tmp_path):
    path = write_fits(tmp_path / "cube.fits", changed((20, 16, slice(17, 19)), 3.4e38), HEADER)
    catalogue = run_pipeline(path, tmp_path, [*SINGLE, "output.writeMoments=true"])
    assert catalogue["f_sum"][0] == pytest.approx(6.8e38)


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**60])
def test_results_scale_with_the_data(tmp_path, scale):
    """By powers of two, which change no digit of any voxel."""
    catalogues = []
    for n, array in enumerate((ARRAY, (ARRAY * np.float32(scale)).astype(np.float32))):
        folder = tmp_path / str(n)
        folder.mkdir()
        catalogues.append(run_pipeline(write_fits(folder / "cube.fits", array, HEADER), folder, SINGLE))
    one, other = catalogues
    assert one["n_pix"][0] == other["n_pix"][0]
    for name, power in (("f_sum", 1), ("f_max", 1), ("rms", 1), ("x", 0), ("z", 0), ("w50", 0)):
        np.testing.assert_allclose(other[name] / scale**power, one[name], rtol=1e-6, err_msg=name)


PRODUCTS = ["output.writeMask=true", "output.writeMoments=true", "reliability.enable=false", "dilation.enable=true"]
ENVIRONMENTS = {
    "one thread": {"OMP_NUM_THREADS": "1", "threads": "1"},
    "two threads": {"threads": "2"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "a locale of commas": {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
    "no locale": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "another order of sets": {"PYTHONHASHSEED": "77"},
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_fits(folder / "cube.fits", ARRAY, HEADER)
    return folder, products(folder, {"PYTHONHASHSEED": "0"})


def products(folder, environment):
    """What a run in a process of its own writes, without the date."""
    out = folder / f"out{len(list(folder.iterdir()))}"
    out.mkdir()
    environment = dict(environment)
    given = [f"input.data={folder / 'cube.fits'}", f"output.directory={out}", "scfind.enable=true", *PRODUCTS]
    given.append(f"pipeline.threads={environment.pop('threads', '0')}")
    command = [sys.executable, "-m", "hisf", "run", "--quiet", *given]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    dates = re.compile(
        rb"[A-Z][a-z]{2},? +\d+ [A-Z][a-z]{2} \d{4}[^\n<\"]*|\d{4}-\d\d-\d\dT[\d:.]+|out\d+|threads[^\n]*"
    )
    files = [path for path in out.iterdir() if path.suffix not in (".json", ".log")]
    return {path.name: dates.sub(b"", path.read_bytes()) for path in files}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_products_do_not_depend_on(reference, name):
    folder, expected = reference
    found = products(folder, ENVIRONMENTS[name])
    assert found.keys() == expected.keys() and len(found) == 7
    for product, content in found.items():
        assert content == expected[product], product


def counting(name):
    """A plugin with one column."""

    class Counting(Measurement):
        columns = (Column(name, "float", "", "", f"{name} of the voxels"),)

        def measure(self, cutout, values):
            return {name: float(getattr(np, name)(cutout.data[cutout.member]))}

    Counting.name = name
    hook = hookimpl(staticmethod(lambda: [Counting]), specname="hisf_register_measurements")
    return type("Plugin", (), {"hook": hook})()


def test_values_do_not_depend_on_the_order_of_plugins(tmp_path):
    path = write_fits(tmp_path / "cube.fits", ARRAY, HEADER)
    orders = ["var", "ptp"], ["ptp", "var"]
    one, other = (run_pipeline(path, tmp_path, plugins=map(counting, names)) for names in orders)
    assert (one.names[-2:], other.names[-2:]) == orders
    assert set(one.names) == set(other.names)
    for name in one.names:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
