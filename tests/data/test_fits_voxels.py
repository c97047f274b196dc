"""Voxels of FITS files: every type of number, scaling, axes, truncation, and files larger than the memory."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.fits_voxels import FitsVoxels
from hisf.data.header import read_header
from hisf.errors import FileAccessError, InputError
from hisf.testing import make_cube, make_header, write_fits

SHAPE = (3, 4, 5)
VALUES = np.arange(60.0).reshape(SHAPE) - 20.0


def open_cube(path, region=()):
    header, offset = read_header(path)
    return Cube(str(path), header, FitsVoxels(path, header, offset), region)


def read_all(path):
    cube = open_cube(path)
    return cube.read(Box.whole(cube.shape))


def read_astropy(path, **options):
    with warnings.catch_warnings(), fits.open(path, memmap=False, uint=False, **options) as file:
        warnings.simplefilter("ignore")
        return np.array(file[0].data)


@pytest.mark.parametrize("bitpix", [-32, -64])
def test_float_cubes_keep_their_precision(tmp_path, bitpix):
    values = VALUES / 7
    values[1, 2, 3] = np.nan
    path = write_fits(tmp_path / "cube.fits", values, make_header(SHAPE), bitpix=bitpix)
    cube, found = open_cube(path), read_all(path)
    expected = read_astropy(path)
    assert cube.dtype == found.dtype == {-32: np.float32, -64: np.float64}[bitpix]
    assert found.dtype.isnative
    assert np.array_equal(found, expected.astype(found.dtype), equal_nan=True)


@pytest.mark.parametrize("bitpix", [8, 16, 32, 64])
@pytest.mark.parametrize(("bscale", "bzero"), [(0.37, None), (None, -20.5), (1e-3, 4.25)])
@pytest.mark.parametrize("blank", [None, 7])
def test_scaled_integers_become_float32(tmp_path, bitpix, bscale, bzero, blank):
    stored = np.arange(60).reshape(SHAPE)
    path = write_fits(tmp_path / "cube.fits", stored, make_header(SHAPE), bitpix=bitpix)
    header, offset = read_header(path)
    header.update({k: v for k, v in (("BSCALE", bscale), ("BZERO", bzero), ("BLANK", blank)) if v is not None})
    path.write_bytes(header.tostring().encode() + path.read_bytes()[offset:])
    found = read_all(path)
    assert found.dtype == np.float32
    # spec sofia2 §2.1: evaluated in double, then cast
    double = (0.0 if bzero is None else bzero) + (1.0 if bscale is None else bscale) * stored.astype(np.float64)
    double[stored == blank] = np.nan
    assert np.array_equal(found, double.astype(np.float32), equal_nan=True)
    # astropy evaluates BITPIX 8 and 16 in float32: two roundings more, each 6e-8 of the largest term
    expected = read_astropy(path).astype(np.float32)
    assert np.allclose(found, expected, rtol=0, atol=3e-7 * np.nanmax(np.abs(double)) + 3e-7, equal_nan=True)
    assert np.array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize("bitpix", [8, 16, 32, 64])
def test_plain_integers_are_refused_as_data_but_read_as_labels(tmp_path, bitpix):
    stored = np.arange(60).reshape(SHAPE)
    path = write_fits(tmp_path / "mask.fits", stored, make_header(SHAPE), bitpix=bitpix, blank=3)
    cube = open_cube(path)
    assert cube.integer
    with pytest.raises(InputError, match="integers"):
        cube.require_floats()
    box = Box(1, 3, 0, 4, 2, 5)
    assert np.array_equal(cube.read_labels(box), stored[box.slices])
    assert cube.read_labels(box).dtype.isnative


def test_trivial_scaling_does_not_make_integers_acceptable(tmp_path):
    path = write_fits(tmp_path / "m.fits", np.ones(SHAPE), make_header(SHAPE), bitpix=16, bscale=1.0, bzero=0.0)
    with pytest.raises(InputError):
        open_cube(path).require_floats()


@pytest.mark.parametrize("bitpix", [-32, -64])
@pytest.mark.parametrize(("bscale", "bzero"), [(2.5, 1.0), (2.5, None), (None, 1.0)])
def test_scaled_floats_are_multiplied_then_added_to_with_a_note(tmp_path, bitpix, bscale, bzero):
    """A missing keyword counts as its FITS default (spec sofia2 §2.1)."""
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=bitpix, bscale=bscale, bzero=bzero)
    found, cube = read_all(path), open_cube(path)
    assert found.dtype == cube.dtype
    # two roundings in the precision of the file
    assert np.allclose(found, read_astropy(path), rtol=0, atol=40 * np.finfo(found.dtype).eps)
    assert np.allclose(found, VALUES, rtol=0, atol=100 * np.finfo(found.dtype).eps)
    assert any("BSCALE" in note and "BZERO" in note for note in cube.notes)


def test_blank_means_nothing_in_float_data(tmp_path):
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=-32, blank=3)
    assert np.array_equal(read_all(path), VALUES)


def test_infinite_values_become_blank(tmp_path):
    values = VALUES.astype(np.float32)
    values[0, 0, 0], values[2, 3, 4] = np.inf, -np.inf
    path = write_fits(tmp_path / "cube.fits", values, make_header(SHAPE))
    found = read_all(path)
    assert np.isnan(found[0, 0, 0])
    assert np.isnan(found[2, 3, 4])
    assert np.isnan(found).sum() == 2


def test_image_is_a_cube_of_one_channel(tmp_path):
    header = make_header(SHAPE)
    for key in ("CTYPE3", "CRPIX3", "CRVAL3", "CDELT3", "CUNIT3"):
        del header[key]
    path = write_fits(tmp_path / "image.fits", VALUES[1], header, bitpix=-32)
    assert open_cube(path).shape == (1, 4, 5)
    assert np.array_equal(read_all(path)[0], VALUES[1])


def test_spectrum_is_a_cube_of_one_row(tmp_path):
    header = fits.Header([("CTYPE1", "FREQ")])
    path = write_fits(tmp_path / "line.fits", VALUES[1, 2], header, bitpix=-32)
    assert open_cube(path).shape == (1, 1, 5)
    assert np.array_equal(read_all(path)[0, 0], VALUES[1, 2])


@pytest.mark.parametrize("stokes", ["none", "third", "fourth"])
def test_degenerate_axis_in_any_place(tmp_path, stokes):
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=-32, stokes=stokes)
    assert read_astropy(path).shape == {"none": (3, 4, 5), "third": (3, 1, 4, 5), "fourth": (1, 3, 4, 5)}[stokes]
    cube = open_cube(path, (1, 3, 0, 9, 1, 2))
    assert cube.shape == (2, 4, 3)
    assert np.array_equal(cube.read(Box.whole(cube.shape)), VALUES[1:3, :, 1:4])
    assert (cube.header["CTYPE3"], cube.header["NAXIS3"], cube.header["CRPIX3"]) == ("FREQ", 2, 0.0)
    assert any("exchanged" in note for note in cube.notes) == (stokes == "third")
    assert cube.spectral_unit == "Hz"


def test_two_long_axes_are_refused(tmp_path):
    values = np.zeros((2, 3, 4, 5), np.float32)
    path = write_fits(tmp_path / "cube.fits", values, make_header(SHAPE))
    with pytest.raises(InputError, match="Stokes"):
        open_cube(path)


@pytest.mark.parametrize("bitpix", ["-16", "12", "'x'"])
def test_bitpix_that_does_not_exist(tmp_path, bitpix):
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=-32)
    content = path.read_bytes().replace(b"BITPIX  =                  -32", b"BITPIX  = " + bitpix.rjust(20).encode())
    path.write_bytes(content)
    with pytest.raises(InputError, match="BITPIX"):
        open_cube(path)


@pytest.mark.parametrize("missing", [1, 100, 240])
def test_truncated_data(tmp_path, missing):
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=-32)
    _, offset = read_header(path)
    path.write_bytes(path.read_bytes()[: offset + 240 - missing])
    with pytest.raises(FileAccessError, match="truncated") as info:
        open_cube(path)
    assert info.value.exit_code == 5


def test_data_without_padding_are_complete(tmp_path):
    path = write_fits(tmp_path / "cube.fits", VALUES, make_header(SHAPE), bitpix=-32)
    _, offset = read_header(path)
    path.write_bytes(path.read_bytes()[: offset + 240])
    assert np.array_equal(read_all(path), VALUES)


def test_what_is_read_is_the_callers_own(tmp_path):
    path = write_fits(tmp_path / "cube.fits", *make_cube(SHAPE, sources=()))
    cube = open_cube(path)
    first = cube.read(Box(0, 1, 0, 2, 0, 2))
    first[:] = 99.0
    assert not (cube.read(Box(0, 1, 0, 2, 0, 2)) == 99.0).any()


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_20_gb_file_opens_without_being_loaded(tmp_path):
    shape = (200, 5000, 5000)
    header = make_header(shape)
    path = tmp_path / "large.fits"
    write_fits(path, np.zeros((1, 1, 1), np.float32), header)
    small, _ = read_header(path)
    for n, size in enumerate(reversed(shape), 1):
        small[f"NAXIS{n}"] = size
    top = small.tostring().encode()
    with path.open("wb") as file:
        file.write(top)
        file.truncate(len(top) + 4 * 200 * 5000 * 5000)  # a hole: no disk is used
        file.seek(len(top) + 4 * (5000 * (5000 * 150 + 2500) + 1000))
        file.write(np.array([1.5], ">f4").tobytes())
    before = resident()
    cube = open_cube(path)
    assert cube.shape == shape
    piece = cube.read(Box(145, 155, 2490, 2510, 990, 1010))
    assert piece[5, 10, 10] == 1.5
    assert np.count_nonzero(piece) == 1
    assert resident() - before < 50e6  # bytes; the cube has 20e9
