"""The dilation of SoFiA 1 against a brute-force twin, and on the worked example of spec sofia1 §4."""

import numpy as np
import pytest
from test_dilate import worked_example

from hisf.data.box import Box
from hisf.data.mask_store import MaskStore
from hisf.data.source import Flag
from hisf.data.voxels import ArrayVoxels
from hisf.errors import InputError
from hisf.execution.workspace import Workspace
from hisf.kernels.dilate_relative import grow_relatively
from hisf.settings import load_settings
from hisf.stages.dilate.relative_growth import RelativeGrowth
from hisf.stages.link.ellipsoid import EllipsoidLinker
from hisf.testing import as_cube, make_header


def grow(data, mask, threshold, xy, z, streamed=False):
    """Link a mask and dilate; return the lists before and after."""
    cube = as_cube(data, make_header(data.shape))
    settings = load_settings([
        "linker.minSizeXY=1", "linker.minSizeZ=1", "linker.keepNegative=true",
        f"dilation.threshold={threshold}", f"dilation.iterationsXY={xy}", f"dilation.iterationsZ={z}",
    ])  # fmt: skip
    store = MaskStore(data.shape)
    store.add(np.flatnonzero(mask))
    voxels = cube if streamed else ArrayVoxels(data)
    blanks = bool(np.isnan(data).any())
    before = EllipsoidLinker(settings, cube).link(store, voxels, 1.0, blanks, Workspace(1 << 30), lambda n: None)
    done = []
    after = RelativeGrowth(settings, cube).dilate(before, voxels, done.append)
    assert sum(done) == len(before) == len(after)
    return before, after


def twin(data, labels, own, threshold, reach, element):
    """Spec forska §9, one step at a time: a mask grown by every offset of ``element(k)``."""
    seed = np.argwhere(labels == own)
    free = np.isfinite(data) & (labels == 0)
    masks = []
    for k in range(reach + 1):
        grown = labels == own
        for offset in element(k):
            places = seed + offset
            places = places[((places >= 0) & (places < data.shape)).all(1)]
            grown[tuple(places.T)] = True
        masks.append(grown & (free | (labels == own)))
    flux = [data[m & np.isfinite(data)].sum() for m in masks]
    keep = reach
    for k in range(reach + 1) if threshold >= 0 else ():
        if not flux[k] > 0 or (k > 0 and (flux[k] - flux[k - 1]) / flux[k] < threshold):
            keep = max(0, k - 1)
            break
    labels[masks[keep]] = own


def line(k):
    return [(dz, 0, 0) for dz in range(-k, k + 1)]


def disc(k):
    return [(0, dy, dx) for dy in range(-k, k + 1) for dx in range(-k, k + 1) if dx * dx + dy * dy <= k * k]


@pytest.mark.parametrize("seed", range(12))
def test_against_a_twin(seed):
    """Crowded sources of either sign, blank voxels, edges of the cube; one source after the other."""
    rng = np.random.default_rng(seed)
    shape = (14, 15, 16)
    mask = rng.random(shape) < 0.02
    data = rng.standard_normal(shape) + 0.6
    data[rng.random(shape) < 0.03] = np.nan
    threshold, xy, z = rng.choice([-1.0, 0.0, 0.02, 0.2]), rng.integers(0, 4), rng.integers(0, 6)
    before, after = grow(data, mask, threshold, xy, z, streamed=bool(seed % 2))
    labels = before.paint(Box.whole(shape))
    for source in before:
        twin(data, labels, source.label, threshold, z, line)
        twin(data, labels, source.label, threshold, xy, disc)
    assert np.array_equal(after.paint(Box.whole(shape)), labels)
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(new.voxels, np.flatnonzero(labels == new.label))
        assert np.array_equal(new.core, old.voxels)
        assert new.n_pix == len(new.voxels)
        assert (new.f_sum, new.linked, new.fill) == (old.f_sum, old.linked, old.fill)
        where = np.argwhere(labels == new.label)
        assert [(a.start, a.stop) for a in new.box.slices] == list(zip(where.min(0), where.max(0) + 1, strict=True))


@pytest.mark.parametrize(("threshold", "n_pix", "channels"), [(0.02, 30, (1, 6)), (0.1, 20, (2, 5))])
def test_worked_example(threshold, n_pix, channels):
    """Seen in SoFiA 1: 2 channels and radius 1, or 1 channel and radius 1 (spec sofia1 §4)."""
    data, mask = worked_example()
    (before,), (after,) = grow(data, mask, threshold, 2, 4)
    assert (after.n_pix, after.box.z0, after.box.z1 - 1) == (n_pix, *channels)
    assert after.box.shape[1:] == (3, 3)
    assert after.core.tolist() == before.voxels.tolist()


def spectrum_of(*values):
    """A cube that is one spectrum, its source the channel in the middle."""
    data = np.array(values, float)[:, None, None]
    labels = np.zeros(data.shape, np.int32)
    labels[len(values) // 2] = 1
    return data, labels


@pytest.mark.parametrize(
    ("values", "reached"),
    [
        ((1, 4, 10, 4, 1), 2),
        ((0, 4, 10, 4, 0), 1),  # no gain
        ((1, -9, 10, -9, 40), 0),  # F_1 is negative: what lies behind does not count
        ((9, 9, -1, 9, 9), 0),  # F_0 is negative
        ((9, 9, 0, 9, 9), 0),  # and zero is not positive
        ((9, np.nan, 10, np.nan, 9), 0),  # blank voxels bring nothing
    ],
)
def test_where_growth_ends(values, reached):
    data, labels = spectrum_of(*values)
    steps, n_added, flags = grow_relatively(data, labels, 1, 0.02, 2, True, (True,) * 6)
    assert steps == reached
    assert labels.sum() == 1 + n_added == 1 + 2 * reached
    assert flags == 0


def test_growth_goes_on_behind_what_cannot_join():
    data, labels = spectrum_of(5, np.nan, 10, 6, 3)
    labels[3] = 7
    steps, n_added, flags = grow_relatively(data, labels, 1, -1.0, 2, True, (True,) * 6)
    assert (steps, n_added) == (2, 2)
    assert labels.ravel().tolist() == [1, 0, 1, 7, 1]
    assert flags == Flag.BLANK | Flag.NEIGHBOUR


def test_flags_at_the_edges():
    data = np.full((5, 7, 7), 1.0)
    data[2, 3, 3] = 9.0
    mask = np.zeros(data.shape, bool)
    mask[2, 3, 3] = True
    (before,), (after,) = grow(data, mask, -1, 3, 2)
    assert (before.flag, after.flag) == (0, Flag.SPATIAL_EDGE | Flag.SPECTRAL_EDGE)


def test_too_many_iterations():
    data, mask = worked_example()
    with pytest.raises(InputError, match=r"dilation\.iterationsZ = 9 is too large"):
        grow(data, mask, 0.02, 2, 9)


def test_a_cut_out_that_is_too_small():
    data, labels = spectrum_of(1, 1, 1)
    with pytest.raises(ValueError, match="leaves 1 of 2 voxels"):
        grow_relatively(data, labels, 1, 0.02, 2, True, (False,) * 6)
