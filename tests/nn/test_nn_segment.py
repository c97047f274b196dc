"""Scores of tiles: the same to the last bit however the cube is cut."""

import numpy as np
import pytest
import torch

from hisf.data.box import Box
from hisf.nn import segment
from hisf.nn.canonical import Sampling
from hisf.nn.normalise import NoiseUnits
from hisf.nn.slim import SlimUNet

SHAPE = (100, 26, 25)


@pytest.fixture
def segmenter(monkeypatch):
    monkeypatch.setattr(segment, "PATCH", (64, 16, 16))
    monkeypatch.setattr(segment, "MARGIN", (32, 8, 8))
    torch.manual_seed(3)
    network = SlimUNet()

    def make(factors=(1, 1, 1), precision=torch.float32):
        return segment.Segmenter(network, Sampling(SHAPE, factors, 2.5), torch.device("cpu"), precision)

    return make


def _tiles(shape, size):
    for z in range(0, shape[0], size[0]):
        for y in range(0, shape[1], size[1]):
            for x in range(0, shape[2], size[2]):
                yield Box(z, z + size[0], y, y + size[1], x, x + size[2]).grow((0, 0, 0), shape)


@pytest.mark.parametrize(("factors", "precision"), [((1, 1, 1), torch.float32), ((2, 2, 2), torch.bfloat16)])
def test_scores_do_not_depend_on_tiles(segmenter, factors, precision):
    data = np.random.default_rng(4).standard_normal(SHAPE).astype(np.float32)
    data[10:90, 5:20, 10:20] += 3.0
    data[40:60, 20:, :9] = np.nan
    runner = segmenter(factors, precision)
    units = NoiseUnits(np.linspace(0.8, 1.3, runner.sampling.coarse_shape[0]))
    whole = Box.whole(SHAPE)
    expected = runner.scores(whole, whole, data, units)
    assert expected.std() > 1e-3
    assert expected.min() >= 0
    assert expected.max() <= 1
    assert not expected[np.isnan(data)].any()
    dz, dy, dx = runner.grid
    for size in (
        (dz, dy, dx),
        (2 * dz, dy, 3 * dx),
        (dz, SHAPE[1], SHAPE[2]),
        (SHAPE[0], dy, 2 * dx),
        (3 * dz, 2 * dy, dx),
    ):
        found = np.full(SHAPE, np.nan, np.float32)
        for core in _tiles(SHAPE, size):
            box = core.grow(runner.halo, SHAPE)
            found[core.slices] = runner.scores(core, box, data[box.slices], units)
        np.testing.assert_array_equal(found, expected)


def test_a_score_depends_on_what_the_patch_sees_and_on_nothing_else(segmenter):
    data = np.random.default_rng(5).standard_normal(SHAPE).astype(np.float32)
    runner = segmenter()
    units = NoiseUnits(np.ones(SHAPE[0]))
    core = Box(0, 64, 0, 16, 0, 16)
    whole = Box.whole(SHAPE)
    before = runner.scores(core, whole, data, units)
    data[97:], data[:, 25:], data[:, :, 24:] = 50.0, 50.0, 50.0  # beyond patch and margin
    np.testing.assert_array_equal(runner.scores(core, whole, data, units), before)
    data[80, 20, 20] = 50.0  # in the margin
    assert np.abs(runner.scores(core, whole, data, units) - before).max() > 0


def test_patches_of_blanks_are_skipped(segmenter, monkeypatch):
    runner = segmenter()
    monkeypatch.setattr(SlimUNet, "forward", lambda *_: pytest.fail("the network was called"))
    whole = Box.whole(SHAPE)
    assert not runner.scores(whole, whole, np.full(SHAPE, np.nan, np.float32), NoiseUnits(np.ones(SHAPE[0]))).any()
