import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hisf.kernels.link import Ellipsoid, VoxelLinker, label_objects, link_voxels, offsets
from hisf.kernels.objects import filling_order, group_voxels, near_blank, object_statistics

SHAPES = [(6, 5, 7), (1, 6, 8), (7, 1, 6), (6, 7, 1), (1, 1, 12), (12, 1, 1), (2, 3, 2)]
RADII = list(itertools.product(range(5), range(5)))


def links(dz, dy, dx, r, q):
    """The rule of spec sofia2 §3.8, word for word."""
    inside_box = abs(dx) <= r and abs(dy) <= r and abs(dz) <= q
    return inside_box and dx * dx * r * r * q * q + dy * dy * r * r * q * q + dz * dz * r**4 <= r**4 * q * q


def flood_fill(mask, r, q):
    """Labels of a dense mask: scan z, y, x downwards and complete each object at once."""
    offsets = [
        o
        for o in itertools.product(range(-q, q + 1), range(-r, r + 1), range(-r, r + 1))
        if o != (0, 0, 0) and links(*o, r, q)
    ]
    waiting = {tuple(map(int, v)) for v in np.argwhere(mask)}
    labels = np.zeros(mask.shape, dtype=np.int64)
    count = 0
    for voxel in sorted(waiting, reverse=True):
        if voxel not in waiting:
            continue
        count += 1
        waiting.remove(voxel)
        stack = [voxel]
        while stack:
            z, y, x = stack.pop()
            labels[z, y, x] = count
            for dz, dy, dx in offsets:
                other = (z + dz, y + dy, x + dx)
                if other in waiting:
                    waiting.remove(other)
                    stack.append(other)
    return labels, count


def check_against_flood_fill(mask, r, q):
    expected, count = flood_fill(mask, r, q)
    index = np.flatnonzero(mask)
    root = link_voxels(index, mask.shape, Ellipsoid(r, q))
    label, found = label_objects(root)
    assert found == count
    np.testing.assert_array_equal(label, expected.ravel()[index])
    for k in range(1, count + 1):
        assert set(root[label == k]) == {np.flatnonzero(label == k).max()}
    return label, count


def split_by_channels(index, shape, cuts):
    """Pieces of whole channels, the highest first."""
    borders = [0, *sorted(cuts), shape[0]]
    z = index // (shape[1] * shape[2])
    return [index[(z >= a) & (z < b)] for a, b in itertools.pairwise(borders)][::-1]


@pytest.mark.parametrize(("r", "q"), RADII)
def test_neighbourhood_is_the_integer_rule(r, q):
    found = offsets(Ellipsoid(r, q))
    expected = [
        o for o in itertools.product(range(-5, 6), repeat=3) if o != (0, 0, 0) and links(*o, r, q)
    ]  # product() is in raster order already
    assert found.dtype == np.int64
    assert found.shape == (len(expected), 3)
    assert [tuple(o) for o in found.tolist()] == expected


@pytest.mark.parametrize(
    ("r", "q", "dx", "dy", "dz", "linked"),
    [
        (1, 1, 1, 1, 0, False),
        (1, 1, 1, 0, 0, True),
        (2, 1, 2, 0, 0, True),
        (2, 1, 1, 1, 0, True),
        (2, 1, 1, 0, 1, False),
        (2, 3, 1, 1, 2, True),
        (2, 3, 1, 0, 2, True),
        (2, 3, 2, 0, 1, False),
        (2, 0, 2, 2, 0, True),
        (2, 0, 0, 0, 1, False),
        (0, 2, 0, 0, 2, True),
        (0, 2, 1, 0, 0, False),
    ],
)
def test_links_seen_in_sofia(r, q, dx, dy, dz, linked):
    assert ([dz, dy, dx] in offsets(Ellipsoid(r, q)).tolist()) is linked
    shape = (7, 7, 7)
    pair = [np.ravel_multi_index((3, 3, 3), shape), np.ravel_multi_index((3 + dz, 3 + dy, 3 + dx), shape)]
    assert label_objects(link_voxels(sorted(pair), shape, Ellipsoid(r, q)))[1] == (1 if linked else 2)


def test_radii_one_give_the_six_faces_and_large_radii_do_not_overflow():
    found = np.abs(offsets(Ellipsoid(1, 1))).tolist()
    assert sorted(map(tuple, found)) == sorted([(0, 0, 1), (0, 1, 0), (1, 0, 0)] * 2)
    # r⁴q² is beyond 64 bits here
    index = np.array([0, 40_000, 1_000_000])
    assert label_objects(link_voxels(index, (1, 1, 2_000_000), Ellipsoid(40_000, 3_000)))[0].tolist() == [2, 2, 1]


@pytest.mark.parametrize(("r", "q"), RADII)
def test_linking_equals_flood_fill(r, q):
    rng = np.random.default_rng(100 * r + q)
    counts = []
    for shape in SHAPES:
        for fill in (0.06, 0.3):
            counts.append(check_against_flood_fill(rng.random(shape) < fill, r, q)[1])
    assert max(counts) > 1


@pytest.mark.parametrize("r", [1, 2, 4])
def test_rows_and_planes_do_not_wrap_around(r):
    shape = (3, 12, 11)
    mask = np.zeros(shape, dtype=bool)
    mask[0, 0, -1] = mask[0, 1, 0] = True  # neighbours in raster order, at both ends of x
    mask[1, -1, 5] = mask[2, 0, 5] = True  # neighbours in raster order of rows, at both ends of y
    if r == 1:
        mask[0, 11, 10] = mask[1, 0, 0] = True
    label, count = check_against_flood_fill(mask, r, 1)
    assert count == len(label)


def test_all_detected_nothing_detected_and_single_voxels():
    shape = (3, 4, 5)
    assert set(link_voxels(np.arange(60), shape, Ellipsoid(1, 1))) == {59}
    assert link_voxels(np.arange(60), shape, Ellipsoid(0, 0)).tolist() == list(range(60))
    assert link_voxels(np.empty(0, np.int64), shape, Ellipsoid(2, 2)).shape == (0,)
    assert label_objects(np.empty(0, np.int64))[1] == 0
    assert label_objects(link_voxels([17], shape, Ellipsoid(1, 1)))[0].tolist() == [1]


def test_a_bridge_arriving_last_joins_two_objects():
    shape = (3, 1, 5)
    two_towers = [10, 14, 5, 9]  # x = 0 and x = 4 in channels 2 and 1
    bridge = [0, 1, 2, 3, 4]
    assert label_objects(link_voxels(sorted(two_towers), shape, Ellipsoid(1, 1)))[0].tolist() == [2, 1, 2, 1]
    assert label_objects(link_voxels(sorted(two_towers + bridge), shape, Ellipsoid(1, 1)))[1] == 1


@pytest.mark.parametrize(
    ("index", "r", "q", "message"),
    [
        ([3, 2], 1, 1, "ascending"),
        ([2, 2], 1, 1, "ascending"),
        ([-1, 2], 1, 1, "ascending"),
        ([2, 60], 1, 1, "within the shape"),
        ([[1, 2]], 1, 1, "1-D"),
        ([1.0, 2.0], 1, 1, "integers"),
        ([1, 2], -1, 1, "radius_xy = -1"),
        ([1, 2], 1, -2, "radius_z = -2"),
    ],
)
def test_linking_refuses(index, r, q, message):
    with pytest.raises(ValueError, match=message):
        link_voxels(index, (3, 4, 5), Ellipsoid(r, q))


@pytest.mark.parametrize("seed", range(60))
def test_chunks_equal_the_whole(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers((1, 1, 1), (14, 6, 7)))
    r, q = (int(v) for v in rng.integers(0, 5, size=2))
    mask = rng.random(shape) < rng.choice([0.03, 0.1, 0.3, 0.6])
    index = np.flatnonzero(mask)
    label, count = label_objects(link_voxels(index, shape, Ellipsoid(r, q)))
    for n_cut in {0, 1, 2, shape[0] // 2, shape[0] - 1}:
        cuts = rng.choice(np.arange(1, shape[0]), size=min(n_cut, shape[0] - 1), replace=False)
        linker = VoxelLinker(shape, Ellipsoid(r, q))
        for piece in split_by_channels(index, shape, cuts.tolist()):
            linker.add(piece)
        found_index, found_label, found_count = linker.finish()
        np.testing.assert_array_equal(found_index, index)
        np.testing.assert_array_equal(found_label, label)
        assert found_count == count


def test_linker_copies_its_chunks_and_is_empty_after_finish():
    linker = VoxelLinker((4, 2, 2), Ellipsoid(1, 1))
    chunk = np.array([12, 13])
    linker.add(chunk)
    chunk[:] = 0
    linker.add([1])
    index, label, count = linker.finish()
    assert (index.tolist(), label.tolist(), count) == ([1, 12, 13], [2, 1, 1], 2)
    assert [len(part) for part in linker.finish()[:2]] == [0, 0]
    linker.add([15])
    assert linker.finish()[0].tolist() == [15]


def test_linker_refuses_chunks_out_of_order():
    linker = VoxelLinker((4, 2, 2), Ellipsoid(1, 1))
    linker.add([8, 12])  # channels 2 and 3
    with pytest.raises(ValueError, match="channel 2 after channel 2"):
        linker.add([9])
    with pytest.raises(ValueError, match="channel 3 after channel 2"):
        linker.add([0, 13])
    with pytest.raises(ValueError, match="ascending"):
        linker.add([3, 1])
    linker.add([4])  # a refused chunk leaves nothing behind
    assert linker.finish()[0].tolist() == [4, 8, 12]


@settings(max_examples=40, deadline=None)
@given(
    mask=hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)),
    r=st.integers(0, 3),
    q=st.integers(0, 3),
    data=st.data(),
)
def test_linking_properties(mask, r, q, data):
    label, count = check_against_flood_fill(mask, r, q)
    index = np.flatnonzero(mask)
    # labels 1 ... count without gaps; larger radii never give more objects
    assert sorted(set(label)) == list(range(1, count + 1))
    if r > 0 and q > 0:
        assert label_objects(link_voxels(index, mask.shape, Ellipsoid(r + 1, q + 1)))[1] <= count
    # mirrored cubes hold the same objects
    turned = np.flatnonzero(mask[::-1, ::-1, ::-1])
    assert label_objects(link_voxels(turned, mask.shape, Ellipsoid(r, q)))[1] == count
    cuts = data.draw(st.sets(st.integers(1, max(1, mask.shape[0] - 1)), max_size=4)) if mask.shape[0] > 1 else set()
    linker = VoxelLinker(mask.shape, Ellipsoid(r, q))
    for piece in split_by_channels(index, mask.shape, cuts):
        linker.add(piece)
    np.testing.assert_array_equal(linker.finish()[1], label)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 5)))
def test_grouping_is_a_stable_sort(label):
    order, start = group_voxels(label, 5)
    assert start.shape == (6,)
    assert order.dtype == start.dtype == np.int64
    assert start[-1] == len(order) == np.count_nonzero(label)
    for k in range(1, 6):
        assert order[start[k - 1] : start[k]].tolist() == [i for i, value in enumerate(label) if value == k]


@pytest.mark.parametrize("label", [[1, 3], [-1, 1]])
def test_grouping_refuses_labels_outside(label):
    with pytest.raises(ValueError, match=r"labels must be 0 \.\.\. 2"):
        group_voxels(label, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_equal_plain_loops(dtype):
    rng = np.random.default_rng(3)
    shape = (9, 8, 10)
    index = np.flatnonzero(rng.random(shape) < 0.12)
    label, count = label_objects(link_voxels(index, shape, Ellipsoid(1, 1)))
    label[label == 4] = 0  # an erased object
    values = rng.normal(size=len(index)).astype(dtype)
    order, start = group_voxels(label, count)
    found = object_statistics(index, values, order, start, shape)
    assert list(found) == [
        "n_pix",
        "x_min",
        "x_max",
        "y_min",
        "y_max",
        "z_min",
        "z_max",
        "f_sum",
        "f_min",
        "f_max",
        "mean",
        "m2",
        "m3",
        "m4",
    ]
    assert all(found[name].dtype == np.int64 for name in list(found)[:7])
    assert all(found[name].dtype == np.float64 for name in list(found)[7:])
    assert count > 20
    for k in range(1, count + 1):
        member = [i for i in range(len(index)) if label[i] == k]
        row = {name: column[k - 1] for name, column in found.items()}
        if k == 4:
            assert (row["n_pix"], row["f_sum"], row["x_min"], row["z_max"]) == (0, 0, -1, -1)
            assert np.isnan([row["f_min"], row["f_max"], row["mean"], row["m2"]]).all()
            continue
        z, y, x = np.unravel_index(index[member], shape)
        v = [float(values[i]) for i in member]
        total = 0.0
        for value in v:
            total += value
        mean = total / len(v)
        assert row["n_pix"] == len(member)
        assert (row["x_min"], row["x_max"]) == (x.min(), x.max())
        assert (row["y_min"], row["y_max"]) == (y.min(), y.max())
        assert (row["z_min"], row["z_max"]) == (z.min(), z.max())
        assert (row["f_sum"], row["f_min"], row["f_max"], row["mean"]) == (total, min(v), max(v), mean)
        for power in (2, 3, 4):
            # rounding of the products only
            expected = sum((value - mean) ** power for value in v)
            assert row[f"m{power}"] == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_statistics_of_float32_are_summed_in_float64():
    values = np.array([2.0**24, 1.0, 1.0, 1.0], dtype=np.float32)
    found = object_statistics(np.arange(4), values, *group_voxels(np.ones(4), 1), (1, 1, 4))
    assert found["f_sum"][0] == 2.0**24 + 3


def test_statistics_refuse_missing_values():
    with pytest.raises(ValueError, match="2 values for 3 voxels"):
        object_statistics(np.arange(3), np.zeros(2), np.arange(3), np.array([0, 3]), (1, 1, 3))


def test_near_blank_equals_plain_loops():
    rng = np.random.default_rng(8)
    seen = set()
    for shape in SHAPES:
        for r, q in itertools.product(range(4), range(4)):
            member = rng.random(shape) < 0.05
            blank = (rng.random(shape) < 0.02) & ~member
            expected = any(
                links(*(b - m), r, q) for m in np.argwhere(member).tolist() for b in map(np.array, np.argwhere(blank))
            )
            assert near_blank(member, blank, offsets(Ellipsoid(r, q))) is expected
            seen.add(expected)
    assert seen == {True, False}


def test_near_blank_does_not_wrap_around_and_wants_equal_shapes():
    member = np.zeros((1, 3, 4), dtype=bool)
    member[0, 1, 0] = True
    blank = np.zeros_like(member)
    blank[0, 0, 3] = blank[0, 1, 3] = True
    assert near_blank(member, blank, offsets(Ellipsoid(1, 1))) is False
    assert near_blank(member, blank, offsets(Ellipsoid(3, 1))) is True
    with pytest.raises(ValueError, match="one shape"):
        near_blank(member, blank[:, :2], offsets(Ellipsoid(1, 1)))


def test_filling_order_by_hand():
    """The last voxel; its neighbours by ascending offset; then those of the last of them, and so on."""
    mask = np.zeros((3, 3, 3), bool)
    for voxel in [(2, 2, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 0), (0, 2, 2), (2, 0, 2)]:
        mask[voxel] = True
    index = np.flatnonzero(mask)
    order = filling_order(index, offsets(Ellipsoid(1, 1)), mask.shape)
    reached = [tuple(int(a) for a in np.unravel_index(index[k], mask.shape)) for k in order]
    # of (1, 2, 2), (2, 1, 2), (2, 2, 1), which the first voxel links to, the last comes first: its neighbour is reached
    assert reached == [(2, 2, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (2, 2, 0), (2, 0, 2), (0, 2, 2)]


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(bool, (4, 5, 6), elements=st.booleans()), st.integers(0, 2), st.integers(0, 2))
def test_filling_order_against_a_stack(mask, r, q):
    near = [o for o in itertools.product(range(-q, q + 1), range(-r, r + 1), range(-r, r + 1)) if links(*o, r, q)]
    index = np.flatnonzero(mask)
    label, count = label_objects(link_voxels(index, mask.shape, Ellipsoid(r, q)))
    for k in range(1, count + 1):
        members = index[label == k]
        waiting = {tuple(map(int, np.unravel_index(i, mask.shape))) for i in members}
        stack = [max(waiting)]
        expected = [*stack]
        waiting -= {*stack}
        while stack:
            here = stack.pop()
            for offset in near:
                other = tuple(a + b for a, b in zip(here, offset, strict=True))
                if other in waiting:
                    waiting.remove(other)
                    stack.append(other)
                    expected.append(other)
        order = filling_order(members, offsets(Ellipsoid(r, q)), mask.shape)
        assert members[order].tolist() == [int(np.ravel_multi_index(v, mask.shape)) for v in expected]
