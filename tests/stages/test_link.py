"""The linker: limits, labels, flags, positivity, slabs."""

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.mask_store import MaskStore
from hisf.data.source import SourceList
from hisf.data.voxels import ArrayVoxels
from hisf.execution.workspace import Workspace
from hisf.settings import load_settings
from hisf.stages.link.cylinder import CylinderLinker
from hisf.stages.link.ellipsoid import EllipsoidLinker
from hisf.testing import as_cube, make_header

LOOSE = ["linker.minSizeXY=1", "linker.minSizeZ=1"]


def link(mask, data, arguments=(), rms=1.0, channels=0, linker=EllipsoidLinker):
    cube = as_cube(data, make_header(data.shape))
    store = MaskStore(data.shape)
    store.add(np.flatnonzero(mask))
    voxels = cube if channels else ArrayVoxels(data)
    workspace = Workspace(0, channels * data[0].nbytes) if channels else Workspace(1 << 30)
    done = []
    settings = load_settings([*LOOSE, *arguments])
    return linker(settings, cube).link(store, voxels, rms, bool(np.isnan(data).any()), workspace, done.append)


def painted(sources: SourceList):
    return sources.paint(Box.whole(sources.shape))


def random_case(seed=1, shape=(9, 10, 11), density=0.12):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(shape).astype(np.float32) + np.float32(0.3)
    data[rng.random(shape) < 0.03] = np.nan
    return rng.random(shape) < density, data


def links(dz, dy, dx, r, q):
    """The test of spec sofia2 §3.8, as written there."""
    inside = abs(dx) <= r and abs(dy) <= r and abs(dz) <= q
    return inside and dx * dx * r * r * q * q + dy * dy * r * r * q * q + dz * dz * r**4 <= r**4 * q * q


def links_in_a_cylinder(dz, dy, dx, r, q):
    """The test of spec sofia1 §3; a radius of 0 is the same place or channel only."""
    return dx * dx + dy * dy <= r * r and abs(dz) <= q


def flood(mask, r, q, links=links):
    """Objects in the order of §3.8: z, then y, then x descending; each completed at once."""
    nz, ny, nx = mask.shape
    offsets = [
        (dz, dy, dx)
        for dz in range(-q, q + 1)
        for dy in range(-r, r + 1)
        for dx in range(-r, r + 1)
        if links(dz, dy, dx, r, q) and (dz, dy, dx) != (0, 0, 0)
    ]
    free, objects = mask.copy(), []
    for z, y, x in [tuple(p) for p in np.argwhere(mask)[::-1]]:
        if not free[z, y, x]:
            continue
        free[z, y, x] = False
        found, todo = [], [(z, y, x)]
        while todo:
            here = todo.pop()
            found.append(here)
            for offset in offsets:
                z1, y1, x1 = (a + b for a, b in zip(here, offset, strict=True))
                if 0 <= z1 < nz and 0 <= y1 < ny and 0 <= x1 < nx and free[z1, y1, x1]:
                    free[z1, y1, x1] = False
                    todo.append((z1, y1, x1))
        objects.append(np.array(found))
    return objects, offsets


@pytest.mark.parametrize(("r", "q"), [(1, 1), (2, 1), (1, 2), (2, 3), (0, 2), (2, 0), (0, 0)])
@pytest.mark.parametrize("channels", [0, 1, 3, 7])
@pytest.mark.parametrize(
    ("linker", "rule"), [(EllipsoidLinker, links), (CylinderLinker, links_in_a_cylinder)], ids=["sofia2", "cylinder"]
)
def test_against_a_flood_fill(r, q, channels, linker, rule):
    """Objects, labels, rejection with re-use of labels, flags and values; for the whole cube and in slabs."""
    mask, data = random_case(density=0.03 if r * q > (2 if rule is links else 1) else 0.12)
    rms = 0.7
    arguments = [f"linker.radiusXY={r}", f"linker.radiusZ={q}", "linker.minPixels=2"]
    found = link(mask, data, arguments, rms, channels, linker)
    objects, offsets = flood(mask & ~np.isnan(data), r, q, rule)
    labels, expected = np.zeros(data.shape, np.int32), []
    for voxels in objects:
        z, y, x = voxels.T
        values = data[z, y, x].astype(np.float64) / rms
        if len(voxels) < 2 or values.sum() < 0:
            continue
        labels[z, y, x] = len(expected) + 1
        near = np.concatenate([voxels + offset for offset in offsets] or [voxels])
        near = near[((near >= 0) & (near < data.shape)).all(1)]
        flag = 4 * bool(np.isnan(data[tuple(near.T)]).any())
        flag += 2 * bool(z.min() == 0 or z.max() == data.shape[0] - 1)
        flag += bool(min(y.min(), x.min()) == 0 or y.max() == data.shape[1] - 1 or x.max() == data.shape[2] - 1)
        expected.append((values, flag))
    assert np.array_equal(painted(found), labels)
    assert len(found) == len(expected)
    if (r, q) != (0, 0):
        assert len(found) > 1
    for source, (values, flag) in zip(found, expected, strict=True):
        assert source.flag == flag
        assert source.n_pix == source.linked == len(values)
        assert source.fill == len(values) / source.box.size
        assert (source.f_min, source.f_max) == pytest.approx((values.min(), values.max()), rel=1e-15)
        # sums of at most a few hundred doubles in another order
        assert source.f_sum == pytest.approx(values.sum(), rel=1e-11, abs=1e-11)
        for k, name in ((2, "m2"), (3, "m3"), (4, "m4")):
            size = (np.abs(values - values.mean()) ** k).sum()
            assert getattr(source, name) == pytest.approx(((values - values.mean()) ** k).sum(), abs=1e-11 * size)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_slabs_give_the_same_sources(channels):
    mask, data = random_case(seed=4, density=0.3)
    one, two = link(mask, data), link(mask, data, channels=channels)
    assert len(one) == len(two) > 3
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.voxels, b.voxels)
        for name in ("label", "box", "n_pix", "f_sum", "f_min", "f_max", "mean", "m2", "m3", "m4", "fill", "flag"):
            assert getattr(a, name) == getattr(b, name), name


# spec sofia2 §3.8, "Seen": radius, offset (dx, dy, dz), linked
@pytest.mark.parametrize(
    ("r", "q", "offset", "linked"),
    [
        (1, 1, (1, 1, 0), False), (1, 1, (1, 0, 0), True),
        (2, 1, (2, 0, 0), True), (2, 1, (1, 1, 0), True), (2, 1, (1, 0, 1), False),
        (2, 3, (1, 1, 2), True), (2, 3, (1, 0, 2), True), (2, 3, (2, 0, 1), False),
        (2, 0, (2, 2, 0), True), (2, 0, (0, 0, 1), False),
        (0, 2, (0, 0, 2), True), (0, 2, (1, 0, 0), False),
    ],
)  # fmt: skip
def test_pairs_that_were_seen(r, q, offset, linked):
    mask = np.zeros((9, 9, 9), bool)
    dx, dy, dz = offset
    mask[4, 4, 4] = mask[4 + dz, 4 + dy, 4 + dx] = True
    found = link(mask, np.ones(mask.shape, np.float32), [f"linker.radiusXY={r}", f"linker.radiusZ={q}"])
    assert len(found) == (1 if linked else 2)


# spec sofia1 §3 and forska §8: radius, offset (dx, dy, dz), linked
@pytest.mark.parametrize(
    ("r", "q", "offset", "linked"),
    [
        (1, 1, (1, 0, 1), True), (1, 1, (0, 0, 1), True), (1, 1, (1, 1, 0), False), (1, 1, (0, 0, 2), False),
        (2, 30, (1, 0, 30), True), (2, 30, (2, 0, 30), True), (2, 30, (1, 1, 30), True), (2, 30, (2, 1, 0), False),
        (2, 30, (0, 0, 31), False), (2, 0, (2, 0, 0), True), (2, 0, (0, 0, 1), False), (0, 2, (0, 0, 2), True),
        (0, 2, (1, 0, 0), False),
    ],
)  # fmt: skip
def test_pairs_in_a_cylinder(r, q, offset, linked):
    mask = np.zeros((70, 9, 9), bool)
    dx, dy, dz = offset
    mask[35, 4, 4] = mask[35 + dz, 4 + dy, 4 + dx] = True
    arguments = [f"linker.radiusXY={r}", f"linker.radiusZ={q}"]
    found = link(mask, np.ones(mask.shape, np.float32), arguments, linker=CylinderLinker)
    assert len(found) == (1 if linked else 2)


def test_labels_count_from_the_highest_channel_and_are_used_again():
    data = np.ones((9, 9, 9), np.float32)
    mask = np.zeros(data.shape, bool)
    mask[7, 1, 1:3] = True  # reaches the highest channel: first
    mask[6, 8, 8] = True  # a single voxel: rejected, its label goes to the next
    mask[2:6, 5, 5] = True
    mask[5, 5, 2:4] = True  # same channel and row, lower x
    mask[5, 3, 8:] = mask[4, 3, 8:] = True  # same channel, lower y
    found = link(mask, data, ["linker.minPixels=2"])
    places = [(7, 1, 1), (5, 5, 5), (5, 5, 2), (5, 3, 8)]
    assert [painted(found)[p] for p in places] == [1, 2, 3, 4]
    assert [s.label for s in found] == [s.linker_label for s in found] == [1, 2, 3, 4]
    assert painted(found)[6, 8, 8] == 0


def sized(total=45.0):
    """A source of 3 × 5 × 4 voxels (x, y, z) that fills 45 of 60: filling factor 0.75; sum of the data ``total``."""
    mask = np.zeros((10, 11, 12), bool)
    mask[2:6, 3:8, 4:7] = True
    mask[2:5, 3:8, 6] = False
    data = np.zeros(mask.shape, np.float32)
    data[mask] = total / 45
    return mask, data


# limits are inclusive (spec sofia2 §3.8, trap 7); each below, at and above what the source has
@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ("minSizeXY=2", True), ("minSizeXY=3", True), ("minSizeXY=4", False),
        ("minSizeZ=3", True), ("minSizeZ=4", True), ("minSizeZ=5", False),
        ("maxSizeXY=6", True), ("maxSizeXY=5", True), ("maxSizeXY=4", False), ("maxSizeXY=0", True),
        ("maxSizeZ=5", True), ("maxSizeZ=4", True), ("maxSizeZ=3", False), ("maxSizeZ=0", True),
        ("minPixels=44", True), ("minPixels=45", True), ("minPixels=46", False),
        ("maxPixels=46", True), ("maxPixels=45", True), ("maxPixels=44", False), ("maxPixels=0", True),
        ("minFill=0.7499", True), ("minFill=0.75", True), ("minFill=0.7501", False), ("minFill=-1", True),
        ("maxFill=0.7501", True), ("maxFill=0.75", True), ("maxFill=0.7499", False), ("maxFill=0", True),
        ("maxFill=-1", True),
    ],
)  # fmt: skip
def test_limits(setting, kept):
    assert len(link(*sized(), [f"linker.{setting}"])) == kept


@pytest.mark.parametrize("axis", [1, 2])
def test_both_spatial_extents_have_to_be_large_enough(axis):
    mask, data = sized()
    mask, data = (np.swapaxes(a, 1, axis).copy() for a in (mask, data))
    assert len(link(mask, data, ["linker.minSizeXY=4"])) == 0
    assert len(link(mask, data, ["linker.maxSizeXY=4"])) == 0


@pytest.mark.parametrize(
    ("total", "arguments", "kept"),
    [
        (1.0, [], True),
        (0.0, [], True),  # a sum of exactly 0 survives
        (-1.0, [], False),
        (-1.0, ["linker.keepNegative=true"], True),
        (-1.0, ["reliability.enable=true"], True),
    ],
)
def test_sign_of_the_flux(total, arguments, kept):
    assert len(link(*sized(total), arguments)) == kept


def test_positivity_drops_negative_voxels_and_keeps_zeros():
    data = np.ones((3, 3, 9), np.float32)
    data[1, 1, 2], data[1, 1, 4] = 0.0, -1e-9
    mask = np.zeros(data.shape, bool)
    mask[1, 1, 1:7] = True
    assert [s.n_pix for s in link(mask, data)] == [6]
    found = link(mask, data, ["linker.positivity=true"])
    assert [s.n_pix for s in found] == [2, 3]  # 5, 6 and 1, 2, 3: the higher x comes first
    assert painted(found)[1, 1].tolist() == [0, 2, 2, 2, 0, 1, 1, 0, 0]


def test_values_are_in_units_of_the_global_noise():
    mask, data = sized(90.0)
    (source,) = link(mask, data, rms=0.25)
    assert (source.f_sum, source.f_min, source.f_max, source.mean) == pytest.approx((360.0, 8.0, 8.0, 8.0), rel=1e-14)


@pytest.mark.parametrize(
    ("place", "flag"),
    [
        ((slice(2, 5), slice(2, 5), slice(2, 5)), 0),
        ((slice(2, 5), slice(0, 3), slice(2, 5)), 1),
        ((slice(2, 5), slice(6, 9), slice(2, 5)), 1),
        ((slice(2, 5), slice(2, 5), slice(0, 2)), 1),
        ((slice(2, 5), slice(2, 5), slice(7, 9)), 1),
        ((slice(0, 2), slice(2, 5), slice(2, 5)), 2),
        ((slice(8, 9), slice(2, 5), slice(2, 5)), 2),
        ((slice(0, 9), slice(0, 9), slice(0, 9)), 3),
    ],
)
def test_flags_at_the_edges(place, flag):
    mask = np.zeros((9, 9, 9), bool)
    mask[place] = True
    (source,) = link(mask, np.ones(mask.shape, np.float32))
    assert source.flag == flag


# radii 2 and 1: the neighbourhood holds (dx, dy, dz) = (2, 0, 0) and (1, 1, 0), not (1, 0, 1) or (2, 1, 0)
@pytest.mark.parametrize(
    ("blank", "flag"), [((4, 4, 6), 4), ((4, 5, 5), 4), ((5, 4, 4), 4), ((5, 4, 5), 0), ((4, 5, 6), 0), ((4, 4, 7), 0)]
)
@pytest.mark.parametrize("channels", [0, 1])
def test_flag_of_blank_neighbours(blank, flag, channels):
    data = np.ones((9, 9, 9), np.float32)
    data[blank] = np.nan
    mask = np.zeros(data.shape, bool)
    mask[4, 4, 4] = True
    (source,) = link(mask, data, ["linker.radiusXY=2", "linker.radiusZ=1"], channels=channels)
    assert source.flag == flag


def test_blank_voxels_are_not_linked():
    data = np.ones((3, 3, 7), np.float32)
    data[1, 1, 3] = np.nan
    mask = np.zeros(data.shape, bool)
    mask[1, 1, 1:6] = True
    assert [s.n_pix for s in link(mask, data)] == [2, 2]


def test_nothing_detected():
    assert len(link(np.zeros((3, 4, 5), bool), np.ones((3, 4, 5), np.float32))) == 0
