"""Clipping and standardisation by channel: golden numbers, blanks, constant channels, independence of the cut."""

import numpy as np
import pytest
from scipy import stats

from hisf.data.box import Box, slabs
from hisf.data.voxels import ArrayVoxels
from hisf.kernels.noise import noise_of_planes
from hisf.nn import normalise
from hisf.nn.normalise import ChannelNormalisation, channel_noise, measure, spectral_excess


def cube(seed=1, shape=(7, 40, 50)):
    rng = np.random.default_rng(seed)
    scale = np.linspace(1e-5, 4e-5, shape[0])[:, None, None]
    return (rng.normal(size=shape) * scale + np.linspace(-1e-5, 1e-5, shape[0])[:, None, None]).astype(np.float32)


def apply(normalisation, data, box=None):
    box = box or Box.whole(data.shape)
    return normalisation.apply(data[box.slices], box)


def test_by_hand():
    plane = np.arange(101.0).reshape(1, 1, 101)
    n = measure(ArrayVoxels(plane), (10.0, 90.0))
    assert (n.lo[0], n.hi[0], n.mean[0]) == pytest.approx((10.0, 90.0, 50.0), rel=1e-14)
    variance = (2 * 11 * 40**2 + 2 * sum(k**2 for k in range(1, 40))) / 101
    assert n.std[0] == pytest.approx(variance**0.5, rel=1e-14)
    out = apply(n, plane)
    assert out.dtype == np.float32
    assert out[0, 0, [0, 10, 50, 75, 100]] == pytest.approx(np.array([-40, -40, 0, 25, 40]) / variance**0.5, rel=1e-6)
    n = measure(ArrayVoxels(plane))
    assert (n.lo[0], n.hi[0]) == pytest.approx((0.1, 99.9))  # linear interpolation


def test_gaussian_noise_stays_within_3_1():
    """The population values of spec forska §2: limits at ±3.090 σ, standard deviation 0.9981 σ, so ±3.096."""
    quantiles = stats.norm.ppf((np.arange(1000_000) + 0.5) / 1000_000)
    sigma = 3e-5
    n = measure(ArrayVoxels((sigma * quantiles).reshape(1, 1000, 1000)))
    assert (n.lo[0] / sigma, n.hi[0] / sigma) == pytest.approx((-3.0902, 3.0902), abs=2e-4)
    assert n.std[0] / sigma == pytest.approx(0.9981, abs=1e-4)
    out = n.apply(np.array([[[-1.0, 0.0, 1.0]]]), Box(0, 1, 0, 1, 0, 3))
    assert out.ravel() == pytest.approx([-3.096, 0.0, 3.096], abs=1e-3)


def test_every_channel_by_itself():
    data = cube()
    data[3, 5, 6] = 1.0  # a bright source is clipped
    out = apply(measure(ArrayVoxels(data)), data)
    assert out.mean((1, 2)) == pytest.approx(np.zeros(7), abs=1e-5)
    assert out.std((1, 2)) == pytest.approx(np.ones(7), abs=1e-5)
    assert out[3, 5, 6] == out[3].max() < 3.6
    only = measure(ArrayVoxels(data[3:4]))
    assert np.array_equal(apply(only, data[3:4])[0], out[3])


def test_scale_and_offset_of_the_data_do_not_matter():
    data = cube().astype(np.float64)
    scaled = 1e4 * data - 3.0
    assert apply(measure(ArrayVoxels(scaled)), scaled) == pytest.approx(
        apply(measure(ArrayVoxels(data)), data), abs=1e-6
    )


def test_blank_voxels_and_channels_without_contrast():
    data = cube()
    data[0] = np.nan
    data[1] = 0.1
    data[2, :7], data[2, 8, 8] = np.nan, np.inf
    data[4, 0, 0] = np.nan
    n = measure(ArrayVoxels(data))
    assert n.flagged.tolist() == [True, True, False, False, False, False, False]
    assert np.isnan([n.lo[0], n.hi[0], n.mean[0], n.std[0]]).all()
    assert (n.std[1], n.mean[1]) == (0.0, pytest.approx(0.1))
    out = apply(n, data)
    assert np.all(out[:2] == 0)
    assert np.all(out[2, :7] == 0)
    assert np.isfinite(out).all()
    finite = data[2][np.isfinite(data[2])].astype(float)
    assert n.lo[2] == pytest.approx(np.quantile(finite, 0.001), rel=1e-12)
    assert out[2, 8, 8] == out[2].max()  # an infinity is clipped like any bright voxel
    rest = np.isfinite(data[4])
    assert out[4][rest].std() == pytest.approx(1.0, abs=1e-5)
    assert out[4, 0, 0] == 0.0


def test_the_rounded_mean_of_a_constant_channel_is_no_contrast():
    data = np.full((1, 30, 1), 0.1)
    assert data.std() > 0
    n = measure(ArrayVoxels(data))
    assert n.flagged.tolist() == [True]
    assert np.all(apply(n, data) == 0)


@pytest.mark.parametrize("depth", [1, 2, 3, 100])
def test_the_result_does_not_depend_on_slabs_or_boxes(depth, monkeypatch):
    data = cube()
    data[2, 3] = np.nan
    whole = apply(measure(ArrayVoxels(data)), data)
    read = []

    class Watched(ArrayVoxels):
        def read(self, box):
            read.append(box)
            return super().read(box)

    monkeypatch.setattr(normalise, "SLAB_VOXELS", depth * 40 * 50 + 7)
    advanced = []
    n = measure(Watched(data), advance=advanced.append)
    assert read == list(slabs(data.shape, depth))
    assert sum(advanced) == data.size
    for box in (Box(0, 7, 0, 40, 0, 50), Box(2, 5, 3, 4, 10, 50), Box(6, 7, 39, 40, 0, 1), Box(3, 3, 0, 2, 0, 2)):
        assert np.array_equal(apply(n, data, box), whole[box.slices])


def test_the_data_are_not_modified():
    data = cube()
    before = data.copy()
    n = measure(ArrayVoxels(data))
    apply(n, data)
    assert np.array_equal(data, before)
    assert apply(n, data.astype(">f4")) == pytest.approx(apply(n, data))


def test_wrong_arguments():
    n = ChannelNormalisation(*(np.ones(4) * k for k in (0, 1, 0, 1)))
    with pytest.raises(ValueError, match="the box"):
        n.apply(np.zeros((1, 2, 3)), Box(0, 1, 0, 2, 0, 2))
    with pytest.raises(ValueError, match="Channels 3 to 4 are not all of the 4"):
        n.apply(np.zeros((2, 1, 1)), Box(3, 5, 0, 1, 0, 1))
    with pytest.raises(ValueError, match="percentiles"):
        measure(ArrayVoxels(np.zeros((1, 2, 2))), (50.0, 50.0))


def _excess(data):
    return spectral_excess(ArrayVoxels(data), noise_of_planes(data, "mad", "negative"))


def _correlated(share, seed=3):
    """Noise of which neighbouring channels have ``share`` of the weight of a channel."""
    white = np.random.default_rng(seed).standard_normal((82, 60, 60)).astype(np.float32)
    return white[1:-1] + share * (white[:-2] + white[2:])


def test_correlated_channels_have_more_noise_together():
    """Of Hanning smoothing (¼ ½ ¼): a sum over many channels has the variance 1 against 3/8 for a channel."""
    smooth = _excess(_correlated(0.5))
    # exactly, for groups of 8 averages: variance of the group's mean, from the weights of the white channels
    weights = np.convolve(np.ones(8), [0.25, 0.5, 0.25])
    expected = np.sqrt((weights**2).sum() / 8 / 0.375)
    assert smooth == pytest.approx(expected, rel=0.03)
    assert _excess(_correlated(0.0)) == 1.0
    noise = channel_noise(ArrayVoxels(_correlated(0.5)))
    np.testing.assert_allclose(noise, np.sqrt(1.5) * smooth, rtol=0.08)


def test_a_cube_of_few_channels_has_no_excess():
    assert _excess(_correlated(0.5)[:7]) == 1.0
