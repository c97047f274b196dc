"""Training crops: containers, backgrounds, split, augmentation, batches as a pure function of (seed, number)."""

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.data.voxels import ArrayVoxels
from hisf.errors import InputError
from hisf.nn.target import Galaxy, cylinder, target_mask, wedge
from hisf.train.containers import (
    GalaxyBatches,
    Scene,
    make_containers,
    place_backgrounds,
    place_crop,
    split_by_x,
    turn,
)

SHAPE = (60, 40, 90)
CROP = (12, 8, 8)
GALAXIES = [
    Galaxy(30.0, 20.0, 20.0, 5.0, 60.0, 30.0, 14.0),
    Galaxy(22.0, 12.0, 45.0, 4.0, 20.0, 130.0, 20.0),
    Galaxy(40.0, 30.0, 78.0, 6.0, 80.0, 250.0, 10.0),
    Galaxy(1.0, 39.0, 3.0, 4.0, 45.0, 0.0, 8.0),  # cut by three faces
    Galaxy(30.0, 20.0, 200.0, 4.0, 45.0, 0.0, 8.0),  # outside
]


class Watched(ArrayVoxels):
    """A cube whose voxels say where they are, and which remembers what was read."""

    def __init__(self, shape=SHAPE):
        super().__init__(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
        self.boxes = []

    def read(self, box):
        assert box == box.grow((0, 0, 0), self.shape)
        self.boxes.append(box)
        return super().read(box)


def contains(outer, inner):
    return all(
        a.start <= b.start and b.stop <= a.stop for a, b in zip(outer.slices, inner.slices, strict=True)
    )  # fmt: skip


def test_containers():
    scene = Scene(GALAXIES, SHAPE)
    found = make_containers(scene, CROP)
    assert [c.galaxy for c in found] == [0, 1, 2, 3]
    box, _ = wedge(GALAXIES[0])
    assert found[0].box == Box(box.z0 - 12, box.z1 + 12, box.y0 - 8, box.y1 + 8, box.x0 - 8, box.x1 + 8)
    box, _ = wedge(GALAXIES[3])
    assert found[3].box == Box(0, box.z1 + 12, box.y0 - 8, 40, 0, box.x1 + 8)
    assert make_containers(scene, CROP, (found[1].box.x0, found[1].box.x1)) == [found[1]]
    assert make_containers(scene, CROP, (found[1].box.x0 + 1, 90)) == [found[2]]
    assert make_containers(scene, CROP, (0, found[1].box.x1 - 1)) == [found[0], found[3]]
    with pytest.raises(InputError, match="no room for training crops"):
        make_containers(scene, (61, 8, 8))


def test_a_galaxy_whose_mask_is_outside_though_its_box_is_not():
    turned = Galaxy(30.0, -4.0, -4.0, 14.0, 90.0, 45.0, 9.0, padding=0.0)  # towards (+y, -x): past the corner
    box, mask = wedge(turned)
    assert box.x1 > 0
    assert box.y1 > 0
    assert not mask[:, -box.y0 :, -box.x0 :].any()
    assert make_containers(Scene([turned], SHAPE), CROP) == []


def test_backgrounds_are_free_of_galaxies_and_lie_anywhere_else():
    ignored = [Galaxy(10.0, 20.0, 60.0, 8.0, 30.0, 0.0, 18.0)]
    scene = Scene(GALAXIES, SHAPE, ignored=ignored)
    mask = target_mask([*GALAXIES, *ignored], SHAPE)
    boxes = place_backgrounds(scene, 400, np.random.default_rng(3), CROP)
    assert len(boxes) == 400
    assert all(box.shape == CROP and contains(Box.whole(SHAPE), box) for box in boxes)
    assert not any(mask[box.slices].any() for box in boxes)
    corners = np.array([(b.z0, b.y0, b.x0) for b in boxes])
    assert corners.min(0).tolist() == [0, 0, 0]
    assert corners.max(0) == pytest.approx([48, 32, 82], abs=1)
    inside = place_backgrounds(scene, 200, np.random.default_rng(3), CROP, (25, 70))
    assert (min(b.x0 for b in inside), max(b.x1 for b in inside)) == (25, 70)
    # uniform over free places: the share in the left half is that of all free corners
    free = np.array([
        not mask[z : z + 12, y : y + 8, x : x + 8].any()
        for z in range(0, 49, 3) for y in range(0, 33, 3) for x in range(83)
    ]).reshape(-1, 83).mean(0)  # fmt: skip
    expected = free[:41].sum() / free.sum()
    assert (corners[:, 2] < 41).mean() == pytest.approx(expected, abs=3 * 0.5 / 20)


def test_no_room_for_backgrounds():
    shape = (20, 20, 20)
    scene = Scene([Galaxy(10.0, 10.0, 10.0, 24.0, 0.0, 0.0, 20.0)], shape, cylinder)
    with pytest.raises(InputError, match="between the 1 galaxies"):
        place_backgrounds(scene, 1, np.random.default_rng(0), (10, 10, 10))
    with pytest.raises(InputError, match="x from 5 to 11 has no room"):
        place_backgrounds(scene, 1, np.random.default_rng(0), (8, 8, 8), (5, 12))


def test_split():
    assert split_by_x(643, 0.8, 32) == ((0, 514), (546, 643))
    assert split_by_x(100, 0.75, 0) == ((0, 75), (75, 100))
    for arguments in ((30, 0.8, 32), (100, 0.0, 5), (100, 1.0, 0), (100, 0.5, -1)):
        with pytest.raises(ValueError, match="cannot be split"):
            split_by_x(*arguments)


def test_training_and_validation_share_no_voxel():
    shape = (40, 40, 400)
    rng = np.random.default_rng(5)
    galaxies = [
        Galaxy(float(z), float(y), float(x), 4.0, 50.0, 20.0, 9.0)
        for z, y, x in zip(rng.uniform(0, 40, 60), rng.uniform(0, 40, 60), rng.uniform(0, 400, 60), strict=True)
    ]
    scene, cube = Scene(galaxies, shape), Watched(shape)
    ranges = split_by_x(400, 0.7, 10)
    reached = []
    for within in ranges:
        batches = GalaxyBatches(cube, scene, 1, CROP, within)
        assert len(batches.backgrounds) == 4 * len(batches.containers)
        assert len(batches) == 5 * len(batches.containers)
        cube.boxes.clear()
        batches.batch(0, 200)
        reached.append((min(b.x0 for b in cube.boxes), max(b.x1 for b in cube.boxes)))
        assert set(cube.boxes) & set(batches.backgrounds)
    assert reached[0][1] <= 280
    assert reached[1][0] >= 290
    kept = [make_containers(scene, CROP, within) for within in ranges]
    everything = make_containers(scene, CROP)
    dropped = [c for c in everything if c not in kept[0] and c not in kept[1]]
    assert dropped
    assert all(c.box.x1 > 280 and c.box.x0 < 290 for c in dropped)


def test_a_mask_voxel_lies_anywhere_in_a_crop():
    """Any voxel of the mask is as likely, and so is any place of it in the crop (a point, so that it is known)."""
    point = Galaxy(30.0, 20.0, 40.0, 0.5, 0.0, 0.0, 0.5, padding=0.0)
    scene = Scene([point], SHAPE)
    (container,) = make_containers(scene, CROP)
    rng = np.random.default_rng(2)
    places = np.array([
        (30 - b.z0, 20 - b.y0, 40 - b.x0) for b in (place_crop(scene, container, rng, CROP) for _ in range(1500))
    ])  # fmt: skip
    for axis, size in enumerate(CROP):
        counts = np.bincount(places[:, axis], minlength=size)
        assert len(counts) == size
        chi2 = ((counts - 1500 / size) ** 2 / (1500 / size)).sum()
        assert chi2 < size - 1 + 4 * (2 * (size - 1)) ** 0.5


def test_crops_follow_the_mask_voxel_by_voxel():
    scene = Scene(GALAXIES, SHAPE)
    (container, *_) = make_containers(scene, CROP)
    box, mask = wedge(GALAXIES[0])
    z, y, x = np.nonzero(mask)
    expected = np.array([z.mean() + box.z0, y.mean() + box.y0, x.mean() + box.x0]) - (np.array(CROP) - 1) / 2
    rng = np.random.default_rng(4)
    crops = [place_crop(scene, container, rng, CROP) for _ in range(800)]
    assert all(c.shape == CROP and contains(container.box, c) and scene.target(c).any() for c in crops)
    corners = np.array([(c.z0, c.y0, c.x0) for c in crops])
    scatter = np.sqrt(np.array([z.var(), y.var(), x.var()]) + (np.array(CROP) ** 2 - 1) / 12)
    assert corners.std(0) == pytest.approx(scatter, rel=0.1)
    assert np.all(np.abs(corners.mean(0) - expected) < 4 * scatter / 800**0.5)


def test_crops_at_the_edge_of_the_cube_stay_inside():
    scene = Scene(GALAXIES, SHAPE)
    container = make_containers(scene, CROP)[3]
    rng = np.random.default_rng(4)
    crops = [place_crop(scene, container, rng, CROP) for _ in range(100)]
    assert all(contains(Box.whole(SHAPE), c) and scene.target(c).any() for c in crops)
    assert {c.z0 for c in crops} >= {0}
    assert {c.y1 for c in crops} >= {40}


def test_turns_are_the_eight_of_the_sky():
    a = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    rng = np.random.default_rng(0)
    seen = [turn(rng)(a).copy() for _ in range(400)]
    kinds = {t.tobytes() for t in seen}
    wanted = {
        np.ascontiguousarray(np.rot90(flipped, k, (1, 2))).tobytes() for k in range(4) for flipped in (a, a[:, ::-1])
    }
    assert kinds == wanted
    assert all(np.array_equal(np.sort(t[0].ravel()), a[0].ravel()) for t in seen)  # never along frequency
    counts = [sum(t.tobytes() == kind for t in seen) for kind in kinds]
    assert min(counts) > 25


def make(seed=7, cube=None, scene=None, **options):
    return GalaxyBatches(cube or Watched(), scene or Scene(GALAXIES, SHAPE), seed, CROP, **options)


def test_a_batch_holds_the_cube_and_its_target():
    scene, cube = Scene(GALAXIES, SHAPE), Watched()
    batches = make(scene=scene, cube=cube, augment=False)
    batch = batches.batch(3, 10)
    assert batch.data.shape == batch.target.shape == batch.valid.shape == (10, 1, *CROP)
    assert batch.data.dtype == batch.target.dtype == batch.valid.dtype == np.float32
    whole = target_mask(GALAXIES, SHAPE)
    for n, box in enumerate(cube.boxes):
        assert np.array_equal(batch.data[n, 0], cube.array[box.slices])
        assert np.array_equal(batch.target[n, 0], whole[box.slices])
    assert np.all(batch.valid == 1)


def test_turned_crops_keep_data_and_target_together():
    scene, cube = Scene(GALAXIES, SHAPE), Watched()
    plain, turned = make(scene=scene, cube=cube, augment=False), make(scene=scene, cube=cube)
    whole = target_mask(GALAXIES, SHAPE).ravel()
    a, b = plain.batch(0, 12), turned.batch(0, 12)
    assert np.array_equal(whole[b.data.astype(int)], b.target > 0)  # the value of a voxel is its place
    assert not np.array_equal(a.data, b.data)
    for n in range(12):
        for z in range(CROP[0]):
            assert set(a.data[n, 0, z].ravel()) == set(b.data[n, 0, z].ravel())


@pytest.mark.parametrize(("fraction", "galaxies"), [(0.5, 5), (0.2, 2), (1.0, 10), (0.0, 0), (0.25, 3)])
def test_the_share_of_galaxies(fraction, galaxies):
    batch = make(source_fraction=fraction).batch(0, 10)
    assert batch.target.any((1, 2, 3, 4)).tolist() == [n < galaxies for n in range(10)]


def test_every_container_is_drawn_as_often():
    batches = make(source_fraction=1.0, per_source=0, augment=False)
    assert batches.backgrounds == []
    data = np.concatenate([batches.batch(k, 50).data[:, 0] for k in range(8)])
    middle = data[:, 6, 4, 4].astype(int) % 90  # x
    near = [int(np.argmin([abs(m - g.x) for g in GALAXIES[:4]])) for m in middle]
    assert np.bincount(near) == pytest.approx(np.full(4, 100), abs=4 * (400 * 0.25 * 0.75) ** 0.5)


def test_batch_n_is_a_function_of_seed_and_n():
    one, two = make(), make()
    one.batch(0, 6)
    one.batch(1, 6)
    a, b = one.batch(5, 6), two.batch(5, 6)
    assert np.array_equal(a.data, b.data)
    assert np.array_equal(a.target, b.target)
    assert not np.array_equal(a.data, two.batch(6, 6).data)
    assert not np.array_equal(a.data, make(8).batch(5, 6).data)
    assert one.backgrounds == two.backgrounds != make(8).backgrounds


def test_blank_voxels_and_faint_galaxies_are_not_learnt_from():
    faint = Galaxy(30.0, 20.0, 23.0, 5.0, 60.0, 30.0, 24.0)  # overlaps the first
    scene, cube = Scene(GALAXIES[:1], SHAPE, ignored=[faint]), Watched()
    cube.array[:, :, 18] = np.nan
    batches = make(scene=scene, cube=cube, augment=False)
    batch = batches.batch(0, 20)
    bright, both = target_mask(GALAXIES[:1], SHAPE), target_mask([GALAXIES[0], faint], SHAPE)
    assert np.isfinite(batch.data).all()
    for n, box in enumerate(cube.boxes):
        blank = np.isnan(cube.array[box.slices])
        assert np.all(batch.data[n, 0][blank] == 0)
        assert np.array_equal(batch.target[n, 0] > 0, bright[box.slices])
        assert np.array_equal(batch.valid[n, 0] == 0, blank | (both & ~bright)[box.slices])
    assert (both & ~bright).sum() > 50
    assert 0.5 < batch.valid.mean() < 1


def test_only_crops_are_read():
    cube = Watched()
    batches = make(cube=cube)
    assert cube.boxes == []
    batches.batch(0, 9)
    assert len(cube.boxes) == 9
    assert all(box.shape == CROP for box in cube.boxes)


def test_wrong_arguments():
    scene = Scene(GALAXIES, SHAPE)
    with pytest.raises(ValueError, match="the scene"):
        GalaxyBatches(Watched((50, 40, 90)), scene, 1, CROP)
    with pytest.raises(ValueError, match=r"source_fraction = 1\.5"):
        make(source_fraction=1.5)
    with pytest.raises(ValueError, match="per_source = 0"):
        make(per_source=0)
    with pytest.raises(ValueError, match="not square"):
        GalaxyBatches(Watched(), scene, 1, (8, 8, 12))
    with pytest.raises(InputError, match="No galaxy"):
        make(scene=Scene([], SHAPE))
