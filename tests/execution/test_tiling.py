"""How a cube is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.data.voxels import ArrayVoxels
from hisf.execution.tiling import COPIES, Tiling
from hisf.execution.workspace import FilteredVoxels

shapes = st.tuples(*[st.integers(1, 9)] * 3)


def in_file(shape):
    return FilteredVoxels(ArrayVoxels(np.zeros(shape, np.float32)), lambda data, box: data)


@given(shapes, shapes, st.tuples(*[st.integers(0, 12)] * 3), st.tuples(*[st.integers(0, 3)] * 3), st.integers(0, 9000))
def test_every_voxel_lies_in_one_core(shape, grid, wanted, halo, room):
    voxels, tiling = in_file(shape), Tiling(room, wanted)
    count = np.zeros(shape, int)
    for core in tiling.cores(voxels, grid, halo):
        count[core.slices] += 1
        for low, high, n, g in zip(core_low(core), core_high(core), shape, grid, strict=True):
            assert low % g == 0
            assert high % g == 0 or high == n
    assert (count == 1).all()


@given(shapes, st.integers(0, 20000))
def test_tiles_fit_or_are_as_small_as_the_grid(shape, room):
    halo = (1, 1, 1)
    tile = Tiling(room).shape(in_file(shape), (2, 2, 2), halo)
    needed = COPIES * 4 * np.prod([min(n, t + 2 * h) for n, t, h in zip(shape, tile, halo, strict=True)])
    assert needed <= room or tile == tuple(min(n, 2) for n in shape)


def test_tiles_follow_the_file():
    room = 4 * COPIES * 1000  # voxels
    assert Tiling(room).shape(in_file((50, 20, 100)), (1, 1, 1), (0, 0, 0)) == (1, 10, 100)
    assert Tiling(3 * room).shape(in_file((50, 20, 100)), (1, 1, 1), (0, 0, 0)) == (1, 20, 100)
    assert Tiling(4 * room).shape(in_file((50, 20, 100)), (1, 1, 1), (0, 0, 0)) == (2, 20, 100)


def test_cube_in_memory_is_one_tile_unless_a_shape_is_asked_for():
    voxels = ArrayVoxels(np.zeros((5, 6, 7), np.float32))
    assert Tiling(0).shape(voxels, (1, 1, 1), (2, 2, 2)) == (5, 6, 7)
    assert Tiling(0, (0, 2, 0)).shape(voxels, (1, 1, 1), (0, 0, 0)) == (1, 2, 1)


@pytest.mark.parametrize(
    ("wanted", "expected"), [((1, 1, 1), (3, 2, 4)), ((4, 3, 5), (6, 4, 8)), ((99, 99, 99), (9, 9, 9))]
)
def test_wanted_shape_is_rounded_up_to_the_grid(wanted, expected):
    assert Tiling(0, wanted).shape(in_file((9, 9, 9)), (3, 2, 4), (0, 0, 0)) == expected


def core_low(core):
    return core.z0, core.y0, core.x0


def core_high(core):
    return core.z1, core.y1, core.x1
