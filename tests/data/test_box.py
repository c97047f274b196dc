"""Boxes, tiles and slabs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.data.box import Box, Tile, slabs

SHAPE = (5, 6, 7)


@st.composite
def boxes(draw, shape=SHAPE, smallest=1):
    bounds = []
    for size in shape:
        low = draw(st.integers(0, size - smallest))
        bounds += [low, draw(st.integers(low + smallest, size))]
    return Box(*bounds)


@given(boxes(), st.tuples(*[st.integers(0, 9)] * 3))
def test_grown_box_stays_in_the_cube_and_holds_the_box(box, halo):
    grown = box.grow(halo, SHAPE)
    for low, high, size, reach, name in zip(
        (grown.z0, grown.y0, grown.x0), (grown.z1, grown.y1, grown.x1), SHAPE, halo, "zyx", strict=True
    ):
        assert low == max(0, getattr(box, f"{name}0") - reach)
        assert high == min(size, getattr(box, f"{name}1") + reach)


@given(boxes(), boxes())
def test_overlap_and_relative_place_agree_with_arrays(one, two):
    first, second = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    first[one.slices] = second[two.slices] = True
    assert one.overlaps(two) == bool((first & second).any())
    assert one.size == first.sum()
    assert one.inside(two).shift(two.z0, two.y0, two.x0) == one


def test_box_without_extent_is_empty():
    box = Box(3, 2, 0, 4, 1, 5)
    assert box.shape == (0, 4, 4)
    assert box.size == 0


def test_boxes_that_only_touch_do_not_overlap():
    assert not Box(0, 2, 0, 3, 0, 3).overlaps(Box(2, 4, 0, 3, 0, 3))


@given(boxes(), st.tuples(*[st.integers(0, 3)] * 3))
def test_inner_part_of_a_tile_is_its_core(core, halo):
    cube = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    box = core.grow(halo, SHAPE)
    tile = Tile(core, box, cube[box.slices])
    assert np.array_equal(tile.data[tile.inner], cube[core.slices])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 99, 0])
def test_slabs_cover_the_cube_once_from_the_last_channel_down(channels):
    found = list(slabs(SHAPE, channels))
    covered = [z for box in found for z in reversed(range(box.z0, box.z1))]
    assert covered == list(reversed(range(SHAPE[0])))
    assert all(box.shape[1:] == SHAPE[1:] and box.shape[0] <= max(1, channels) for box in found)
