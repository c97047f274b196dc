"""Cubes in HDF5 files: the IDIA layout, plain data sets, four axes, choice of the data set."""

import h5py
import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.hdf5_voxels import Hdf5Voxels, is_hdf5
from hisf.errors import FileAccessError, InputError
from hisf.testing import make_cube, write_fits, write_hdf5

SHAPE = (4, 5, 6)
ARRAY, HEADER = make_cube(SHAPE, sources=())


def open_cube(path, dataset="", region=()):
    stored = Hdf5Voxels(path, dataset)
    return Cube(str(path), stored.header, stored, region)


def read_all(cube):
    return cube.read(Box.whole(cube.shape))


@pytest.mark.parametrize("layout", ["idia", "plain"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_values_and_header_are_those_of_the_file(tmp_path, layout, dtype):
    path = write_hdf5(tmp_path / "cube.hdf5", ARRAY.astype(dtype), HEADER, layout)
    cube = open_cube(path)
    found = read_all(cube)
    assert cube.shape == SHAPE
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(found, ARRAY)
    assert {key: cube.header[key] for key in HEADER} == dict(HEADER)
    assert np.array_equal(cube.read(Box(1, 3, 2, 4, 0, 5)), ARRAY[1:3, 2:4, 0:5])


@pytest.mark.parametrize("layout", ["idia", "plain"])
def test_world_coordinates_are_those_of_the_fits_file(tmp_path, layout):
    from hisf.data.fits_voxels import FitsVoxels
    from hisf.data.header import read_header

    path = write_fits(tmp_path / "cube.fits", ARRAY, HEADER)
    header, offset = read_header(path)
    other = Cube(str(path), header, FitsVoxels(path, header, offset))
    cube = open_cube(write_hdf5(tmp_path / "cube.hdf5", ARRAY, HEADER, layout))
    at = np.array([0.0, 2.5]), np.array([1.0, 3.0]), np.array([3.0, 0.0])
    # a FITS card has room for 16 digits of a number, an attribute for all of it
    assert np.allclose(cube.wcs.to_world(*at), other.wcs.to_world(*at), rtol=1e-14, atol=0)
    assert cube.scales.beam_area == pytest.approx(other.scales.beam_area, rel=1e-13)
    assert (cube.scales.unit, cube.scales.channel) == ("Jy/beam", 18000.0)


@pytest.mark.parametrize("layout", ["idia", "plain"])
@pytest.mark.parametrize(("shape", "exchanged"), [((1, 4, 5, 6), False), ((4, 1, 5, 6), True)])
def test_four_axes(tmp_path, layout, shape, exchanged):
    header = HEADER.copy()
    long, short = ("4", "3") if exchanged else ("3", "4")
    if exchanged:
        for key in ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT"):
            header[f"{key}{long}"] = header.pop(f"{key}{short}")
    header[f"CTYPE{short}"] = "STOKES"
    cube = open_cube(write_hdf5(tmp_path / "cube.hdf5", ARRAY.reshape(shape), header, layout))
    assert cube.shape == SHAPE
    assert np.array_equal(read_all(cube), ARRAY)
    assert np.array_equal(cube.read(Box(2, 4, 1, 3, 2, 6)), ARRAY[2:4, 1:3, 2:6])
    assert cube.header["CTYPE3"] == "FREQ"
    assert any("exchanged" in note for note in cube.notes) == exchanged


def test_region(tmp_path):
    cube = open_cube(write_hdf5(tmp_path / "cube.hdf5", ARRAY, HEADER), region=(1, 4, 2, 3, 1, 9))
    assert np.array_equal(read_all(cube), ARRAY[1:, 2:4, 1:5])
    assert cube.header["CRPIX1"] == HEADER["CRPIX1"] - 1


def test_image(tmp_path):
    cube = open_cube(write_hdf5(tmp_path / "image.hdf5", ARRAY[2], HEADER, "plain"))
    assert cube.shape == (1, 5, 6)
    assert np.array_equal(read_all(cube)[0], ARRAY[2])


def test_infinite_values_become_blank(tmp_path):
    values = ARRAY.copy()
    values[1, 1, 1] = np.inf
    found = read_all(open_cube(write_hdf5(tmp_path / "cube.hdf5", values, HEADER)))
    assert np.isnan(found[1, 1, 1])
    assert np.isnan(found).sum() == 1


def test_integers(tmp_path):
    labels = np.arange(120, dtype=np.int32).reshape(SHAPE)
    cube = open_cube(write_hdf5(tmp_path / "mask.hdf5", labels, HEADER, "plain"))
    assert cube.integer
    assert np.array_equal(cube.read_labels(Box(1, 2, 0, 5, 0, 6)), labels[1:2])
    with pytest.raises(InputError):
        cube.require_floats()


def test_data_set_is_chosen_by_its_path(tmp_path):
    path = tmp_path / "two.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("first", data=ARRAY)
        group = file.create_group("deep")
        group.create_dataset("second", data=-ARRAY)
        group.attrs["BUNIT"] = "K"
        file.create_dataset("axis", data=np.arange(5.0))  # one axis: not taken for a cube
    with pytest.raises(InputError, match=r"input\.dataset"):
        Hdf5Voxels(path)
    assert np.array_equal(read_all(open_cube(path, "first")), ARRAY)
    second = open_cube(path, "deep/second")
    assert np.array_equal(read_all(second), -ARRAY)
    assert second.header["BUNIT"] == "K"
    for wrong in ("third", "deep"):
        with pytest.raises(InputError, match=wrong):
            Hdf5Voxels(path, wrong)


def test_idia_data_set_is_found_among_others(tmp_path):
    """CARTA's files hold swizzled and averaged copies of the cube."""
    path = write_hdf5(tmp_path / "cube.hdf5", ARRAY, HEADER)
    with h5py.File(path, "a") as file:
        file["0"].create_dataset("SwizzledData/ZYX", data=ARRAY.T.copy())
    assert np.array_equal(read_all(open_cube(path)), ARRAY)


def test_attributes_that_no_card_can_hold_are_left_out(tmp_path):
    path = write_hdf5(tmp_path / "cube.hdf5", ARRAY, HEADER, "plain")
    with h5py.File(path, "a") as file:
        attributes = file["cube"].attrs
        attributes["LIST"] = np.arange(3)
        attributes["NANVALUE"] = np.nan
        attributes["BYTES"] = np.bytes_(b"text")
        attributes["a long lower-case name"] = 1
        attributes["NAXIS1"] = 99
    cube = open_cube(path)
    assert cube.header["BYTES"] == "text"
    assert cube.header["NAXIS1"] == 6
    assert "LIST" not in cube.header
    assert "NANVALUE" not in cube.header


@pytest.mark.parametrize("shape", [(2, 2, 4, 5, 6), (2, 4, 5, 6)])
def test_too_many_axes_are_refused(tmp_path, shape):
    path = write_hdf5(tmp_path / "cube.hdf5", np.zeros(shape, np.float32), HEADER)
    with pytest.raises(InputError):
        open_cube(path)


def test_text_is_refused(tmp_path):
    path = tmp_path / "text.hdf5"
    with h5py.File(path, "w") as file:
        file["0/DATA"] = np.array([[b"a", b"b"]])
    with pytest.raises(InputError):
        Hdf5Voxels(path)


def test_damaged_file(tmp_path):
    path = write_hdf5(tmp_path / "cube.hdf5", ARRAY, HEADER)
    path.write_bytes(path.read_bytes()[:200])
    assert is_hdf5(path)
    with pytest.raises(FileAccessError) as info:
        Hdf5Voxels(path)
    assert info.value.exit_code == 5


def test_signature(tmp_path):
    assert is_hdf5(write_hdf5(tmp_path / "cube.fits", ARRAY, HEADER))
    assert not is_hdf5(write_fits(tmp_path / "cube.hdf5", ARRAY, HEADER))
    assert not is_hdf5(tmp_path)
    assert not is_hdf5(tmp_path / "absent")
