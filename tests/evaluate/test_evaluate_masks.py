"""Masks are matched by intersection over union, slab by slab as in one piece."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from hisf.data.box import slabs
from hisf.errors import FileAccessError, InputError
from hisf.evaluate.masks import match_masks, open_mask


class Labels:
    """Labels in memory, as a cube hands them out."""

    def __init__(self, array):
        self.array, self.shape, self.name = array, array.shape, "array"

    def read_labels(self, box):
        return self.array[box.slices]


def dense(predicted, true, least):
    """Every pair of masks, voxel by voxel."""
    out = []
    for a in np.unique(predicted[predicted > 0]):
        best = (0.0, 0)
        for b in np.unique(true[true > 0]):
            both = np.sum((predicted == a) & (true == b))
            overlap = both / np.sum((predicted == a) | (true == b))
            if overlap > best[0]:
                best = (overlap, b)
        out.append((a, best[1] if best[0] >= least else 0, best[0]))
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1, 50, 10**6]))
def test_equals_dense_counting(seed, n, slab):
    rng = np.random.default_rng(seed)
    true = np.zeros((6, 5, 7), np.int32)
    predicted = np.zeros_like(true)
    for cube in (true, predicted):
        for label in rng.permutation(n) * 1000 + 1:
            z, y, x = (rng.integers(0, size) for size in cube.shape)
            cube[z : z + rng.integers(1, 4), y : y + rng.integers(1, 4), x : x + rng.integers(1, 5)] = label
    predicted[0, 0, 0] = -3  # no label
    least = float(rng.choice([0.1, 0.35, 0.5]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hisf.evaluate.masks.SLAB", slab)
        match = match_masks(Labels(predicted), Labels(true), least)
    expected = dense(predicted, true, least)
    found = list(zip(match.labels, match.true_labels, match.overlaps, strict=True))
    assert [f[0] for f in found] == [e[0] for e in expected]
    assert [f[2] for f in found] == pytest.approx([e[2] for e in expected], abs=1e-15)
    assert [f[1] for f in found] == [e[1] for e in expected]
    assert match.n_truth == len(np.unique(true[true > 0]))
    assert match.n_match == sum(e[1] > 0 for e in expected)
    assert match.n_found == len({e[1] for e in expected} - {0})


def test_the_limit_itself_is_a_match_and_two_halves_share_a_source():
    true = np.zeros((1, 1, 20), np.int32)
    true[..., :20] = 5
    predicted = np.zeros_like(true)
    predicted[..., :7], predicted[..., 10:17], predicted[..., 18:] = 1, 2, 3
    match = match_masks(Labels(predicted), Labels(true))
    assert match.overlaps.tolist() == [0.35, 0.35, 0.1]
    assert match.true_labels.tolist() == [5, 5, 0]
    assert (match.reliability, match.completeness) == (2 / 3, 1.0)


def test_empty_masks():
    empty = Labels(np.zeros((2, 2, 2), np.int32))
    match = match_masks(empty, empty)
    assert (match.n_match, match.n_truth) == (0, 0)
    assert np.isnan(match.reliability)
    assert np.isnan(match.completeness)


def test_files_are_read_and_checked(tmp_path):
    labels = np.zeros((3, 4, 5), np.int32)
    labels[1, 1:3] = 2
    mask, wide, floats = (tmp_path / name for name in ("mask.fits", "wide.fits", "floats.fits"))
    fits.writeto(mask, labels)
    fits.writeto(wide, np.zeros((3, 4, 6), np.int32))
    fits.writeto(floats, labels.astype(np.float32))
    assert match_masks(open_mask(mask), open_mask(mask)).overlaps.tolist() == [1.0]
    with pytest.raises(InputError, match=r"5 × 4 × 3 voxels.* 6 × 4 × 3"):
        match_masks(open_mask(mask), open_mask(wide))
    with pytest.raises(InputError, match="does not hold integers"):
        open_mask(floats)
    with pytest.raises(FileAccessError, match="no such file"):
        open_mask(tmp_path / "none.fits")


def test_hdf5_masks_are_read(tmp_path):
    import h5py

    labels = np.zeros((3, 4, 5), np.int32)
    labels[1] = 2
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["0/DATA"] = labels
    assert match_masks(open_mask(tmp_path / "mask.h5"), open_mask(tmp_path / "mask.h5")).n_match == 1


def test_only_a_slab_is_read_at_a_time(monkeypatch):
    monkeypatch.setattr("hisf.evaluate.masks.SLAB", 40)
    read = []

    class Watched(Labels):
        def read_labels(self, box):
            read.append(box)
            return super().read_labels(box)

    array = np.ones((10, 4, 5), np.int32)
    match_masks(Watched(array), Labels(array))
    assert read == list(slabs(array.shape, 2))
