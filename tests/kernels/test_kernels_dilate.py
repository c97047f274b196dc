import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.kernels.dilate import grow_spatially, grow_spectrally

BACKGROUND = -0.6745


def worked_example(n=13, dtype=np.float64):
    """The cube and mask of the example in spec sofia2 §3.10."""
    c = n // 2
    data = np.full((9, n, n), BACKGROUND, dtype=dtype)
    data[:, c, c] = [0.5, 0.8, 4, 30, 60, 20, 3, 0.4, -1]
    data[4, c, [c - 1, c + 1, c + 2, c - 2]] = [10, 8, 0.5, 0.1]
    data[4, [c - 1, c + 1, c + 2, c - 2], c] = [9, 7, 1, 0.2]
    labels = np.zeros(data.shape, dtype=np.int32)
    labels[3:5, c, c] = 1
    return data, labels


def channels(labels):
    z = np.flatnonzero((labels == 1).any(axis=(1, 2)))
    return int(z.min()), int(z.max())


EDGES = (False, False, False, False)


def test_worked_example_low_threshold():
    f_sum = 90.0
    for rounds, (increment, percent) in enumerate([(24, 26.7), (3.8, 3.33), (0.9, 0.76)], start=1):
        data, labels = worked_example()
        found = grow_spectrally(data, labels, 1, 90.0, 0.001, rounds, True, True)
        assert found.f_sum - f_sum == pytest.approx(increment, abs=1e-12)
        assert 100 * increment / f_sum == pytest.approx(percent, abs=0.05)
        f_sum = found.f_sum
    assert (found.n_added, found.added_min, found.added_max) == (6, 0.4, 20.0)
    assert channels(labels) == (0, 7)
    assert found.flags == 2
    grown = grow_spatially(data, labels, 1, f_sum, 0.001, 3, EDGES)
    assert grown.f_sum - f_sum == pytest.approx(15.114, abs=1e-11)
    assert 100 * (grown.f_sum - f_sum) / f_sum == pytest.approx(12.7, abs=0.05)
    assert (grown.radius, grown.n_added, grown.flags) == (1, 32, 0)
    assert (grown.added_min, grown.added_max) == (BACKGROUND, 10.0)
    assert np.count_nonzero(labels == 1) == 40
    assert channels(labels) == (0, 7)
    # the step that was refused
    data, labels = worked_example()
    labels[0:8, 6, 6] = 1
    both = grow_spatially(data, labels, 1, f_sum, -1.0, 2, EDGES)
    assert both.f_sum - grown.f_sum == pytest.approx(-38.67, abs=1e-11)


def test_worked_example_high_threshold():
    data, labels = worked_example()
    found = grow_spectrally(data, labels, 1, 90.0, 0.1, 3, True, True)
    assert (found.f_sum, found.n_added, found.flags) == (114.0, 2, 0)
    assert channels(labels) == (2, 5)
    grown = grow_spatially(data, labels, 1, found.f_sum, 0.1, 3, EDGES)
    assert grown.f_sum - found.f_sum == pytest.approx(25.906, abs=1e-11)
    assert (grown.radius, grown.n_added) == (1, 16)
    assert np.count_nonzero(labels == 1) == 20
    data, labels = worked_example()
    labels[2:6, 6, 6] = 1
    both = grow_spatially(data, labels, 1, found.f_sum, -1.0, 2, EDGES)
    assert both.f_sum - grown.f_sum == pytest.approx(-17.086, abs=1e-11)


def test_worked_example_without_threshold():
    data, labels = worked_example()
    found = grow_spectrally(data, labels, 1, 90.0, -1.0, 2, True, True)
    assert channels(labels) == (1, 6)
    grown = grow_spatially(data, labels, 1, found.f_sum, -1.0, 3, EDGES)
    assert grown.radius == 3
    assert np.count_nonzero(labels == 1, axis=(1, 2)).tolist() == [0, 29, 29, 29, 29, 29, 29, 0, 0]
    assert np.count_nonzero(labels == 1) == 174
    assert grown.f_sum == pytest.approx(data[labels == 1].sum(), rel=1e-13)


# ------------------------------------------------------------------------------------------------ plain twins


def plain_spectral(data, labels, own, f_sum, threshold, iterations):
    """Sets of voxels of the whole cube; all neighbours of all voxels are looked at in every round."""
    nz = data.shape[0]
    source = {tuple(map(int, v)) for v in np.argwhere(labels == own)}
    first = set(source)
    flags, negative = 0, f_sum < 0
    for _ in range(iterations):
        beside = {(z + s, y, x) for z, y, x in source for s in (-1, 1) if 0 <= z + s < nz} - source
        flags |= 8 * any(labels[v] not in (0, own) for v in beside)
        beside = {v for v in beside if labels[v] == 0}
        flags |= 4 * any(not np.isfinite(data[v]) for v in beside)
        joining = {v for v in beside if np.isfinite(data[v])}
        df = sum(float(data[v]) for v in joining)
        if threshold < 0 or (df < threshold * f_sum if negative else df > threshold * f_sum):
            f_sum += df
            source |= joining
        else:
            break
    flags |= 2 * any(z in (0, nz - 1) for z, _, _ in source)
    return f_sum, source - first, flags


def plain_spatial(data, labels, own, f_sum, threshold, iterations):
    """Discs around every voxel of the source, one radius after the other."""
    _, ny, nx = data.shape
    source = {tuple(map(int, v)) for v in np.argwhere(labels == own)}

    def grown_by(k):
        steps = [s for s in itertools.product(range(-k, k + 1), repeat=2) if s[0] ** 2 + s[1] ** 2 <= k * k]
        disc = {(z, y + dy, x + dx) for z, y, x in source for dy, dx in steps}
        return {(z, y, x) for z, y, x in disc if 0 <= y < ny and 0 <= x < nx} - source

    def joining(k):
        return {v for v in grown_by(k) if labels[v] == 0 and np.isfinite(data[v])}

    def flux(k):
        return f_sum + sum(float(data[v]) for v in joining(k))

    radius = 0
    if threshold < 0:
        radius = iterations
    else:
        for k in range(1, iterations + 1):
            increment, limit = flux(k) - flux(k - 1), threshold * flux(k - 1)
            if not (increment < limit if f_sum < 0 else increment > limit):
                break
            radius = k
    if radius == 0:
        return f_sum, 0, set(), 0
    flags = 1 * any(x < radius or x + radius >= nx or y < radius or y + radius >= ny for _, y, x in source)
    flags |= 8 * any(labels[v] not in (0, own) for v in grown_by(radius))
    flags |= 4 * any(labels[v] == 0 and not np.isfinite(data[v]) for v in grown_by(radius))
    return flux(radius), radius, joining(radius), flags


def random_case(rng, shape, dtype):
    """Small integers, so that sums are exact in any order; a compact source among others, blanks, borders."""
    data = rng.integers(-4, 7, size=shape).astype(dtype)
    if rng.random() < 0.3:
        data = -data
    labels = np.zeros(shape, dtype=np.int32)
    if rng.random() < 0.5:
        labels[rng.random(shape) < 0.05] = 7
    centre = [int(rng.integers(n)) for n in shape]
    for _ in range(int(rng.integers(1, 6))):
        voxel = tuple(min(max(c + int(rng.integers(-1, 2)), 0), n - 1) for c, n in zip(centre, shape, strict=True))
        labels[voxel] = 3
    if rng.random() < 0.5:
        data[(rng.random(shape) < 0.08) & (labels == 0)] = rng.choice([np.nan, np.inf, -np.inf])
    return data, labels


def box_of(labels, own, margin):
    """Slices around a source with a margin (z, y, x), and where they end with the cube (start and end, z, y, x)."""
    slices, edges = [], []
    for axis, m in enumerate(margin):
        inside = np.argwhere(labels == own)[:, axis]
        low, high = int(max(inside.min() - m, 0)), int(min(inside.max() + m + 1, labels.shape[axis]))
        slices.append(slice(low, high))
        edges += [low == 0, high == labels.shape[axis]]
    return tuple(slices), edges


SHAPES = [(9, 8, 10), (7, 1, 9), (7, 9, 1), (1, 6, 7), (12, 1, 1), (5, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spectral_growth_equals_sets(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    flags_seen, sizes = 0, set()
    for _ in range(60):
        data, labels = random_case(rng, shape, dtype)
        f_sum = float(rng.choice([-6, -1, 0, 1, 4, 20]))
        threshold = float(rng.choice([-1, 0, 0.125, 0.5]))
        iterations = int(rng.integers(0, 5))
        expected_f, added, flags = plain_spectral(data, labels, 3, f_sum, threshold, iterations)
        expected = labels.copy()
        for voxel in added:
            expected[voxel] = 3
        # a cut-out: a view that is not contiguous
        cut, edges = box_of(labels, 3, (iterations, 0, 0))
        found = grow_spectrally(data[cut], labels[cut], 3, f_sum, threshold, iterations, *edges[:2])
        np.testing.assert_array_equal(labels, expected)
        assert found.f_sum == expected_f
        assert found.n_added == len(added)
        values = [float(data[v]) for v in added]
        assert found.added_min == min(values, default=np.inf)
        assert found.added_max == max(values, default=-np.inf)
        assert found.flags == flags
        flags_seen |= flags
        sizes.add(len(added))
    assert flags_seen & 2
    assert flags_seen == (2 if shape[0] == 1 else 14)
    assert len(sizes) > 2 or shape[0] == 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spatial_growth_equals_discs(shape, dtype):
    rng = np.random.default_rng(sum(shape) + 1)
    flags_seen, radii = 0, set()
    for _ in range(60):
        data, labels = random_case(rng, shape, dtype)
        f_sum = float(rng.choice([-6, -1, 0, 1, 4, 20]))
        threshold = float(rng.choice([-1, 0, 0.125, 0.5]))
        iterations = int(rng.integers(0, 6))
        expected_f, radius, added, flags = plain_spatial(data, labels, 3, f_sum, threshold, iterations)
        expected = labels.copy()
        for voxel in added:
            expected[voxel] = 3
        cut, edges = box_of(labels, 3, (0, iterations, iterations))
        found = grow_spatially(data[cut], labels[cut], 3, f_sum, threshold, iterations, tuple(edges[2:]))
        np.testing.assert_array_equal(labels, expected)
        assert found.f_sum == expected_f
        assert found.radius == radius
        assert found.n_added == len(added)
        values = [float(data[v]) for v in added]
        assert found.added_min == min(values, default=np.inf)
        assert found.added_max == max(values, default=-np.inf)
        assert found.flags == flags
        flags_seen |= flags
        radii.add(radius)
    assert flags_seen & 1
    if shape[1] * shape[2] > 1:
        assert flags_seen == 13
        assert radii >= {0, 1, 2}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), radius=st.integers(1, 9))
def test_discs_are_exact(seed, radius):
    rng = np.random.default_rng(seed)
    labels = np.zeros((2, 25, 25), dtype=np.int32)
    for _ in range(3):
        labels[0, rng.integers(9, 16), rng.integers(9, 16)] = 1
    source = np.argwhere(labels[0] == 1)
    y, x = np.mgrid[:25, :25]
    square = ((y[..., None] - source[:, 0]) ** 2 + (x[..., None] - source[:, 1]) ** 2).min(axis=-1)
    found = grow_spatially(np.ones(labels.shape), labels, 1, 1.0, -1.0, radius, EDGES)
    np.testing.assert_array_equal(labels[0] == 1, square <= radius * radius)
    assert not labels[1].any()
    assert found.n_added == np.count_nonzero(square <= radius * radius) - len(source)
    assert found.f_sum == 1.0 + found.n_added


# ------------------------------------------------------------------------------------------------ rules one by one


def line(values, own_at):
    """A spectrum as a cut-out with one pixel."""
    labels = np.zeros((len(values), 1, 1), dtype=np.int32)
    labels[own_at] = 1
    return np.array(values, dtype=np.float64).reshape(-1, 1, 1), labels


@pytest.mark.parametrize(
    ("f_sum", "increment", "grows"), [(8, 1, False), (8, 1.5, True), (0, 0, False), (0, 0.5, True)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_limits_are_strict(f_sum, increment, grows, sign):
    if sign < 0 and f_sum == 0:
        grows = False  # a flux of 0 counts as positive
    for axis in (0, 2):
        data, labels = line([0, sign * increment, 100, 0, 0], 2)
        data, labels = np.moveaxis(data, 0, axis), np.moveaxis(labels, 0, axis)
        if axis == 0:
            found = grow_spectrally(data, labels, 1, sign * f_sum, 0.125, 1, True, True)
        else:
            found = grow_spatially(data, labels, 1, sign * f_sum, 0.125, 1, (True, True, True, True))
        assert (found.n_added > 0) is grows
        assert np.count_nonzero(labels == 1) == (3 if grows else 1)


def test_a_voxel_between_two_voxels_of_the_source_counts_once():
    data, labels = line([0, 0, 50, 7, 50, 0, 0], [2, 4])
    found = grow_spectrally(data, labels, 1, 100.0, -1.0, 1, True, True)
    assert (found.f_sum, found.n_added) == (107.0, 3)


def test_flags_of_a_rejected_round_remain():
    data, labels = line([1, np.nan, 50, 0.5, 1, 1], 2)
    labels[4] = 9
    first = grow_spectrally(data, labels.copy(), 1, 50.0, 0.5, 3, True, True)
    assert (first.n_added, first.flags) == (0, 4)
    assert first.f_sum == 50.0
    second = grow_spectrally(data, labels, 1, 50.0, 0.005, 3, True, True)
    assert (second.n_added, second.flags) == (1, 4 | 8)
    assert labels.ravel().tolist() == [0, 0, 1, 1, 9, 0]


def test_flag_two_only_at_the_ends_of_the_cube():
    for first, last in itertools.product((False, True), repeat=2):
        data, labels = line([1, 50, 1], 1)
        assert grow_spectrally(data, labels, 1, 1.0, -1.0, 1, first, last).flags == (2 if first or last else 0)


def test_spatial_flags_count_for_the_final_radius_only():
    data = np.ones((1, 9, 9))
    labels = np.zeros(data.shape, dtype=np.int32)
    labels[0, 4, 4] = 1
    data[0, 4, 6] = np.nan
    labels[0, 6, 4] = 5
    # rings of 4, 6 (two are not free) and 16 (radius 3) voxels
    one = grow_spatially(data, labels.copy(), 1, 5.0, 0.7, 3, (True,) * 4)
    assert (one.radius, one.flags) == (1, 0)
    none = grow_spatially(data, labels.copy(), 1, 50.0, 0.7, 3, (True,) * 4)
    assert none == (50.0, 0, 0, np.inf, -np.inf, 0)
    two = grow_spatially(data, labels.copy(), 1, 5.0, 0.6, 2, (True,) * 4)
    assert (two.radius, two.n_added, two.flags) == (2, 10, 4 | 8)


@pytest.mark.parametrize(
    ("x", "radius", "flag"), [(0, 1, 1), (1, 1, 0), (5, 1, 0), (6, 1, 1), (1, 2, 1), (4, 2, 0), (5, 2, 1)]
)
def test_flag_one_near_the_edges(x, radius, flag):
    for axis in (1, 2):
        labels = np.zeros((1, 7, 15), dtype=np.int32)
        labels[0, x, 7] = 1
        data = np.ones(labels.shape)
        edges = (True, True, True, True)
        if axis == 2:
            data, labels = data.swapaxes(1, 2), labels.swapaxes(1, 2)
        assert grow_spatially(data, labels.copy(), 1, 1.0, -1.0, radius, edges).flags == flag


def test_float32_is_summed_in_float64():
    data = np.array([2.0**24, 1, 1], dtype=np.float32).reshape(3, 1, 1)
    labels = np.array([0, 1, 0], dtype=np.int32).reshape(3, 1, 1)
    assert grow_spectrally(data, labels.copy(), 1, 1.0, -1.0, 1, True, True).f_sum == 2.0**24 + 2
    plane, mask = data.reshape(1, 1, 3), labels.reshape(1, 1, 3)
    assert grow_spatially(plane, mask, 1, 1.0, -1.0, 1, (True,) * 4).f_sum == 2.0**24 + 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"own": 0}, "background"),
        ({"own": 2}, "no voxel of label 2"),
        ({"iterations": -1}, "negative"),
        ({"iterations": 3}, "leaves 2 of 3 voxels around the source at the"),
        ({"data": np.zeros((5, 5, 4))}, "one shape"),
    ],
)
def test_growth_refuses(change, message):
    labels = np.zeros((5, 5, 5), dtype=np.int32)
    labels[2, 2, 2] = 1
    call = {"data": np.zeros((5, 5, 5)), "own": 1, "iterations": 1} | change
    for grow, edges in ((grow_spectrally, (False, False)), (grow_spatially, ((False,) * 4,))):
        with pytest.raises(ValueError, match=message):
            grow(call["data"], labels, call["own"], 1.0, 0.1, call["iterations"], *edges)
    assert np.count_nonzero(labels) == 1


@pytest.mark.parametrize("place", range(4))
def test_every_border_of_the_cut_out_is_checked(place):
    labels = np.zeros((5, 5, 5), dtype=np.int32)
    labels[2, 2, 2] = 1
    edges = [True] * 4
    edges[place] = False
    with pytest.raises(ValueError, match=f"{('start', 'end')[place % 2]} of {'yx'[place // 2]}"):
        grow_spatially(np.zeros((5, 5, 5)), labels, 1, 1.0, 0.1, 3, tuple(edges))
    if place < 2:
        with pytest.raises(ValueError, match=f"{('start', 'end')[place]} of z"):
            grow_spectrally(np.zeros((5, 5, 5)), labels, 1, 1.0, 0.1, 3, *edges[:2])
