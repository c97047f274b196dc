"""The cube: regions, repairs, sizes."""

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.cube import region_box
from hisf.errors import InputError
from hisf.testing import as_cube, make_cube, make_header

SHAPE = (80, 110, 120)  # of the example in spec sofia2 §2.3: 120 × 110 × 80


def test_worked_example_of_a_region():
    """Spec sofia2 §2.3: 10,100,5,100,2,75 on 120 × 110 × 80 loads 91 × 96 × 74 voxels, CRPIX1 60 -> 50."""
    array = np.arange(np.prod(SHAPE), dtype=np.float64).reshape(SHAPE)
    cube = as_cube(array, make_header(SHAPE, cards={"CRPIX1": 60.0}), (10, 100, 5, 100, 2, 75))
    assert cube.shape == (74, 96, 91)
    assert [cube.header[f"NAXIS{n}"] for n in (1, 2, 3)] == [91, 96, 74]
    assert cube.header["CRPIX1"] == 50.0
    assert np.array_equal(cube.read(Box.whole(cube.shape)), array[2:76, 5:101, 10:101])
    assert np.array_equal(cube.read(Box(1, 2, 3, 5, 0, 4)), array[3:4, 8:10, 10:14])


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ((), Box(0, 80, 0, 110, 0, 120)),
        ((0, 119, 0, 109, 0, 79), Box(0, 80, 0, 110, 0, 120)),
        ((0, 9999, 0, 9999, 0, 9999), Box(0, 80, 0, 110, 0, 120)),  # upper bounds are clipped
        ((119, 500, 3, 3, 79, 79), Box(79, 80, 3, 4, 119, 120)),
    ],
)
def test_regions(region, box):
    assert region_box("cube.fits", region, SHAPE) == box


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((5, 4, 0, 9, 0, 9), "x from 5 to 4"),
        ((0, 9, 0, 9, 9, 8), "z from 9 to 8"),
        ((0, 9, -1, 9, 0, 9), "y from -1 to 9"),
        ((-5, -3, 0, 9, 0, 9), "x from -5 to -3"),
        ((120, 130, 0, 9, 0, 9), "outside"),
        ((0, 9, 0, 9, 80, 80), "outside"),
        ((0, 9, 0, 9), "4 values"),
        ((0, 9, 0, 9, 0, 9, 1), "7 values"),
    ],
)
def test_regions_that_are_refused(region, message):
    with pytest.raises(InputError, match=message) as info:
        region_box("cube.fits", region, SHAPE)
    assert info.value.exit_code == 7


def test_world_coordinates_do_not_change_with_the_region():
    array, header = make_cube((6, 8, 10), sources=())
    whole, part = as_cube(array, header), as_cube(array, header, (2, 7, 3, 6, 1, 4))
    x, y, z = np.array([2.0, 7.0]), np.array([3.0, 5.5]), np.array([1.0, 4.0])
    # the shift is exact; wcslib's own arithmetic rounds at 1e-15 of the value
    for one, two in zip(whole.wcs.to_world(x, y, z), part.wcs.to_world(x - 2, y - 3, z - 1), strict=True):
        assert np.allclose(one, two, rtol=1e-14, atol=0)


def test_header_of_the_file_is_left_alone():
    array, header = make_cube((6, 8, 10), sources=())
    before = header.copy()
    as_cube(array, header, (2, 7, 3, 6, 1, 4))
    assert header == before


def test_companion_of_another_size_is_refused():
    cube = as_cube(*make_cube((3, 4, 5), sources=()))
    assert cube.require_shape((3, 4, 5)) is cube
    with pytest.raises(InputError, match="5 × 4 × 3 voxels, the data cube 6 × 4 × 3"):
        cube.require_shape((3, 4, 6))


@pytest.mark.parametrize("missing", ["CTYPE1", "CTYPE2"])
def test_cube_without_world_coordinates(missing):
    array, header = make_cube((3, 4, 5), sources=(), cards={missing: None})
    assert as_cube(array, header).wcs is None


def test_world_coordinates_that_wcslib_refuses():
    array, header = make_cube((3, 4, 5), sources=(), cards={"CTYPE2": "DEC--TAN"})  # does not go with RA---SIN
    assert as_cube(array, header).wcs is None


def test_infinite_values_become_blank_whatever_the_order_of_the_array():
    """Of a plugin's opener, for example, whose arrays need not be contiguous."""
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = np.inf
    cube = as_cube(array, make_header(array.shape))
    cube._stored.read = lambda box: np.asfortranarray(array)
    assert np.isnan(cube.read(Box.whole(cube.shape))[1, 2, 3])
