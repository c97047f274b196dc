"""A cube as a kernel of S+C sees it, against smoothing of the whole cube at once."""

from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits

from hisf.data.voxels import ArrayVoxels
from hisf.kernels.clip import high_blocks
from hisf.kernels.smooth import prepare_channels, smooth_spectra
from hisf.stages.finders import scfind, smoothing
from hisf.stages.finders.smoothing import Buffers, buffer_bytes, smoothed_slabs
from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

SHAPE = (23, 14, 17)


def make_voxels(blank=True, seed=1):
    rng = np.random.default_rng(seed)
    array = rng.normal(size=SHAPE).astype(np.float32)
    if blank:
        array[rng.random(SHAPE) < 0.05] = np.nan
        array[9], array[22] = np.nan, np.nan
    return array


def at_once(array, found, fwhm, width, level):
    """Copy, put back, smooth, blank (spec sofia2 §3.6)."""
    depth = len(array)
    copy = array.copy()
    flat = copy.reshape(-1)
    if level >= 0:
        flat[found] = np.where(np.isnan(flat[found]), np.nan, np.copysign(np.float32(level), flat[found]))
    planes, blank, out = np.empty_like(copy), np.empty(copy.shape, bool), np.empty_like(copy)
    blanks = prepare_channels(copy, planes, blank, 0, fwhm)
    smooth_spectra(planes, blank, blanks, width // 2, 0, depth, depth, np.empty_like(copy[0]), out)
    return out


@pytest.mark.parametrize("channels", [1, 2, 5, 7, 23, 99])
@pytest.mark.parametrize(("fwhm", "width"), [(0, 3), (0, 15), (3, 0), (4, 7), (3, 22), (0, 1)])
@pytest.mark.parametrize("level", [0.7, -1.0])
def test_slabs_are_those_of_the_whole_cube(monkeypatch, channels, fwhm, width, level):
    monkeypatch.setattr(smoothing, "BLOCK", channels * 4 * SHAPE[1] * SHAPE[2])
    array = make_voxels()
    before, found = array.copy(), np.flatnonzero(np.abs(array) > 1.5)
    joined = np.full(SHAPE, 99, np.float32)
    boxes = []
    buffers = Buffers(SHAPE, array.dtype, 22)  # as wide as the widest kernel
    for box, values, flags in smoothed_slabs(ArrayVoxels(array), buffers, found, fwhm, width, level, lambda: 0.3):
        joined[box.slices] = values
        np.testing.assert_array_equal(flags, high_blocks(values, 0.3))
        boxes.append((box.z0, box.z1))
    assert boxes[0][1] == SHAPE[0]
    assert boxes[-1][0] == 0
    assert all(low == high for (low, _), (_, high) in pairwise(boxes))
    np.testing.assert_array_equal(joined, at_once(array, found, fwhm, width, level))
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("width", [0, 1, 7, 22, 40])
def test_buffers_take_what_is_said(width):
    buffers = Buffers((40, 300, 500), np.dtype(np.float32), width)
    assert sum(array.nbytes for array in vars(buffers).values()) == buffer_bytes((40, 300, 500), 4, width)


def test_buffer():
    # 8 MiB hold 2 channels of 4 MiB; 15 more lie under the boxcar of 15 channels and above the slab
    assert buffer_bytes((100, 1024, 1024), 4, 15) == (2 + 15) * (4 + 1) * 2**20 + 3 * 4 * 2**20
    assert buffer_bytes((10, 1024, 1024), 4, 15) == 10 * (4 + 1) * 2**20 + 3 * 4 * 2**20


@pytest.mark.parametrize("prudence", [0.01, 0.8, 50.0])
def test_what_is_found_does_not_depend_on_the_promise(tmp_path, monkeypatch, prudence):
    """With much too little everything is noted, with too much the cube passes again."""
    blobs = [GaussianSource(0.02, 12, 16, 18), GaussianSource(0.008, 28, 10, 9, 3.0, 1.5)]
    array, header = make_cube((40, 32, 36), sources=blobs, seed=5)
    array[30:] *= 2.5  # the noise of the first slabs
    cube = write_fits(tmp_path / "cube.fits", array, header)
    monkeypatch.setattr(scfind, "PRUDENCE", prudence)
    monkeypatch.setattr(smoothing, "BLOCK", 4 * 4 * 32 * 36)
    found = run_pipeline(cube, tmp_path, ["output.writeRawMask=true", "output.filename=x"])
    monkeypatch.setattr(smoothing, "BLOCK", 1 << 30)
    monkeypatch.setattr(scfind, "PRUDENCE", 1e-9)
    expected = run_pipeline(cube, tmp_path, ["output.writeRawMask=true", "output.filename=y"])
    assert len(found) == len(expected) > 0
    one, other = (fits.getdata(tmp_path / f"{name}_mask-raw.fits") for name in "xy")
    assert np.array_equal(one, other)
