"""Mock galaxies and noise for training."""

import math

import numpy as np
import pytest

from hisf.train.appraiser import batch_of
from hisf.train.candidates import Candidates, turned
from hisf.train.crops import BINS, CROP, EDGE, POSITIVE_SNR, Crops
from hisf.train.mocks import LEAST_SNR, make_mocks
from hisf.train.noise import make_volume


def test_mocks_are_what_they_say(mocks):
    assert len(mocks) == 40
    for mock in mocks:
        cutout = mock.cutout.astype(np.float64)
        assert cutout.sum() == pytest.approx(mock.flux, rel=0.01)  # half precision
        area = math.pi / (4 * math.log(2)) * mock.beam**2
        assert math.sqrt((cutout**2).sum() / area) == pytest.approx(mock.snr, rel=0.02)
        assert mock.snr >= LEAST_SNR
        centroid = [(cutout * c).sum() / cutout.sum() for c in np.indices(cutout.shape)]
        off = np.abs(np.array(centroid) - mock.centre)
        assert off[0] < 0.25 * mock.width + 1  # lopsided discs
        assert max(off[1:]) < 0.5 * (mock.size + 1) * mock.beam


def test_mocks_are_a_function_of_the_seed(mocks):
    again = make_mocks(None, 3, 7)
    for a, b in zip(again, mocks, strict=False):
        np.testing.assert_array_equal(a.cutout, b.cutout)
    assert not np.array_equal(make_mocks(None, 1, 8)[0].cutout, mocks[0].cutout)


def _gradient(cutout, z):
    """Return the unit vector (x, y) from the upper half of the channels to the lower, the receding one."""
    zz, yy, xx = np.indices(cutout.shape)
    low, high = cutout * (zz < z), cutout * (zz >= z)
    move = [(low * c).sum() / low.sum() - (high * c).sum() / high.sum() for c in (xx, yy)]
    return np.array(move) / np.hypot(*move)


def test_turned_mocks_recede_where_they_say(mocks):
    rng = np.random.default_rng(1)
    agreement = []
    for mock in mocks:
        if mock.inclination_deg > 40 and mock.size > 0.5:
            cutout, centre, direction = turned(mock, rng)
            assert cutout.sum() == pytest.approx(mock.flux, rel=0.01)
            assert np.hypot(*direction) == pytest.approx(1.0)
            agreement.append(_gradient(cutout, centre[0]) @ direction)
    assert len(agreement) > 8
    assert np.median(agreement) > 0.97
    assert np.mean(np.array(agreement) > 0.8) > 0.8  # warped and lopsided ones may differ


def test_turning_a_detection_turns_its_truth():
    """A point off the middle, before and after: place and receding side go with the voxels."""
    data = np.zeros((1, 128, 20, 20), np.float16)
    data[0, 70, 4, 13] = 7.0
    middle = (np.array([128, 20, 20]) - 1) / 2
    values = np.zeros((1, 7), np.float32)
    values[0, :3] = np.array([70, 4, 13]) - middle
    weight = np.linspace(0.5, 1.0, 128, dtype=np.float16)[None]
    receding = np.array([[0.6, -0.8]], np.float32)
    one = Candidates(data, weight, np.zeros((1, 4), np.float32), np.ones(1, np.float32), values, receding, np.ones(1))
    seen = set()
    for seed in range(160):
        batch = batch_of(one, np.array([0]), np.random.default_rng(seed))
        place = np.array(np.unravel_index(int(batch.data[0, 0].argmax()), (128, 20, 20))) - middle
        said = batch.values[0, :3].numpy() * np.array([4.0, 1.0, 1.0])
        np.testing.assert_allclose(place, said, atol=1e-5)
        # the receding side, seen from the middle, keeps its angle to the point; reversed channels exchange the sides
        before = np.array([values[0, 2], values[0, 1]]) @ receding[0] * np.sign(values[0, 0])
        after = np.array([place[2], place[1]]) @ batch.receding[0].numpy() * np.sign(place[0])
        assert after == pytest.approx(before, abs=1e-4)
        grows = float(batch.data[0, 1, -1, 0, 0] - batch.data[0, 1, 0, 0, 0]) > 0
        assert grows == (place[0] > 0)
        seen.add(tuple(np.round(place, 1)))
    assert len(seen) == 16  # every turn occurs
    assert batch_of(one, np.array([0]), None).data[0, 0, 70, 4, 13] == 7.0


def test_noise_has_unit_level_in_every_channel(volume):
    level = volume.data.astype(np.float64).std((1, 2))
    # residuals of continuum sources add a little here and there
    assert np.percentile(level, [5, 95]) == pytest.approx([1.0, 1.0], abs=0.1)
    assert volume.beam == pytest.approx(7.0 / 2.8, rel=0.6)
    again = make_volume(None, (160, 64, 64), 3, 0)
    np.testing.assert_array_equal(again.data, volume.data)
    other = make_volume(None, (160, 64, 64), 3, 1)
    assert abs(np.corrcoef(other.data[5].ravel(), volume.data[5].ravel())[0, 1]) < 0.1


def test_crops_are_functions_of_the_step_and_follow_the_rules(mocks, volume):
    crops = Crops([volume.data], mocks, 5)
    a, b = crops.batch(3, 4), Crops([volume.data], mocks, 5).batch(3, 4)
    for name in ("data", "target", "valid"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert not np.array_equal(a.data, crops.batch(4, 4).data)
    assert a.data.shape == (4, 1, *CROP)
    assert set(np.unique(a.target)) == {0.0, 1.0}
    assert not (a.target[a.valid == 0]).any()


@pytest.mark.parametrize(("snr", "found", "ignored"), [(POSITIVE_SNR * 2, True, False), (1.3, False, True)])
def test_faint_mocks_are_neither_target_nor_background(mocks, snr, found, ignored, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("hisf.train.crops.NEGATIVE", 0.0)
    monkeypatch.setattr("hisf.train.crops.SCALING", (1.0, 1.0))
    mock = replace(mocks[0], snr=snr)
    crops = Crops([np.zeros((160, 64, 64), np.float16)], [mock], 2)
    batch = crops.batch(0, 6)
    own = batch.data > EDGE * mock.cutout.astype(np.float32).max()
    assert own.any()
    assert bool((batch.target[own] == 1).all()) is found
    assert bool((batch.valid[own] == 0).all()) is ignored
    assert not batch.target[~own & (batch.data == 0)].any()


def test_bins_begin_where_mocks_do():
    assert BINS[0] < LEAST_SNR < BINS[1]


def test_what_is_known_of_a_volume_is_kept(volume):
    truths = np.zeros(volume.data.shape, np.int8)
    truths[40:60, 10:20, 10:20], truths[90:99] = 1, -1
    crops = Crops([volume.data], [], 1, [truths])
    assert not crops.flip
    batch = crops.batch(0, 8)
    assert batch.target.sum() > 0
    assert (batch.valid == 0).any()
    # noise without mocks: the crops are pieces of the volume, its sign kept
    assert np.isin(batch.data[0, 0, 60], volume.data.astype(np.float32)).all()
