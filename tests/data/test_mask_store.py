"""The sparse mask against a dense one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hisf.data.box import Box
from hisf.data.mask_store import MaskStore, raster

SHAPE = (4, 5, 6)


@st.composite
def tiles(draw):
    bounds = []
    for size in SHAPE:
        low = draw(st.integers(0, size - 1))
        bounds += [low, draw(st.integers(low + 1, size))]
    core = Box(*bounds)
    return core, draw(hnp.arrays(np.bool_, core.shape))


@given(st.lists(tiles(), max_size=6))
def test_union_of_overlapping_tiles(pieces):
    store, dense = MaskStore(SHAPE), np.zeros(SHAPE, bool)
    for core, mask in pieces:
        store.add(raster(core, mask, SHAPE))
        dense[core.slices] |= mask
    for _ in range(2):  # asking twice changes nothing
        found = store.voxels()
        assert found.dtype == np.int64
        assert np.array_equal(found, np.flatnonzero(dense))


@given(st.lists(tiles(), max_size=4), st.integers(1, 5))
def test_slabs_go_from_the_last_channel_down(pieces, channels):
    store = MaskStore(SHAPE)
    for core, mask in pieces:
        store.add(raster(core, mask, SHAPE))
    found = list(store.slabs(channels))
    tops = [box.z1 for box, _ in found]
    assert tops == sorted(tops, reverse=True)
    for box, index in found:
        assert box.shape[1:] == SHAPE[1:]
        assert box.shape[0] <= channels
        assert len(index) > 0
        assert ((index // 30 >= box.z0) & (index // 30 < box.z1)).all()
    together = np.concatenate([index for _, index in reversed(found)] or [np.empty(0, np.int64)])
    assert np.array_equal(together, store.voxels())


def test_adding_after_reading():
    store = MaskStore(SHAPE)
    store.add(raster(Box(3, 4, 0, 1, 0, 2), np.ones((1, 1, 2), bool), store.shape))
    assert store.voxels().tolist() == [90, 91]
    store.add(raster(Box(0, 1, 0, 1, 1, 2), np.ones((1, 1, 1), bool), store.shape))
    assert store.voxels().tolist() == [1, 90, 91]


@given(st.lists(st.tuples(tiles(), st.sampled_from(["one", "two", "three"])), max_size=6), tiles())
def test_who_found_a_voxel(pieces, asked):
    store, dense = MaskStore(SHAPE), {}
    for (core, mask), finder in pieces:
        store.add(raster(core, mask, SHAPE), finder)
        dense.setdefault(finder, np.zeros(SHAPE, bool))[core.slices] |= mask
    wanted = np.zeros(SHAPE, bool)
    wanted[asked[0].slices] = asked[1]
    expected = tuple(finder for finder, found in dense.items() if (found & wanted).any())
    assert store.finders_of(np.flatnonzero(wanted)) == expected
    union = np.any([np.zeros(SHAPE, bool), *dense.values()], axis=0)
    assert np.array_equal(store.voxels(), np.flatnonzero(union))


def test_raster_indices_of_a_cube_beyond_32_bits():
    shape = (4000, 3000, 2000)
    store = MaskStore(shape)
    store.add(raster(Box(3999, 4000, 2999, 3000, 1999, 2000), np.ones((1, 1, 1), bool), store.shape))
    assert store.voxels().tolist() == [4000 * 3000 * 2000 - 1]


def test_empty_store():
    assert MaskStore(SHAPE).voxels().tolist() == []
    assert list(MaskStore(SHAPE).slabs(2)) == []
