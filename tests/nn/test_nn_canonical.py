"""The sampling of the networks: averaging, and the noise of averaged channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.data.box import Box
from hisf.data.voxels import ArrayVoxels
from hisf.nn.canonical import AveragedVoxels, Sampling, average, sampling_of
from hisf.nn.normalise import LIMIT, NoiseUnits, channel_noise
from hisf.testing import as_cube, make_header


def _slow_average(data, factors):
    fz, fy, fx = factors
    nz, ny, nx = (-(-n // f) for n, f in zip(data.shape, factors, strict=True))
    out = np.full((nz, ny, nx), np.nan)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                block = data[z * fz : (z + 1) * fz, y * fy : (y + 1) * fy, x * fx : (x + 1) * fx].astype(float)
                if np.isfinite(block).any():
                    out[z, y, x] = np.nanmean(block)
    return out


@given(st.tuples(*[st.integers(1, 7)] * 3), st.tuples(*[st.integers(1, 4)] * 3), st.integers(0, 99))
def test_average_equals_its_slow_twin(shape, factors, seed):
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(shape).astype(np.float32)
    data[rng.random(shape) < 0.3] = np.nan
    np.testing.assert_allclose(average(data, factors), _slow_average(data, factors), rtol=2e-6, atol=1e-6)


@given(st.tuples(*[st.integers(1, 30)] * 3), st.tuples(*[st.integers(1, 4)] * 3), st.data())
def test_fine_and_coarse_boxes_belong_together(shape, factors, data):
    sampling = Sampling(shape, factors, 2.5)
    low = [data.draw(st.integers(0, n - 1)) for n in sampling.coarse_shape]
    high = [data.draw(st.integers(a + 1, n)) for a, n in zip(low, sampling.coarse_shape, strict=True)]
    box = Box(low[0], high[0], low[1], high[1], low[2], high[2])
    fine = sampling.fine(box)
    assert sampling.coarse(fine) == box
    assert sampling.spread(np.zeros(box.shape), fine.shape).shape == fine.shape


def test_spread_puts_every_average_where_it_came_from():
    sampling = Sampling((5, 4, 4), (2, 2, 2), 2.5)
    coarse = np.arange(3 * 2 * 2).reshape(3, 2, 2)
    fine = sampling.spread(coarse, (5, 4, 4))
    z, y, x = np.indices((5, 4, 4))
    np.testing.assert_array_equal(fine, coarse[z // 2, y // 2, x // 2])


@pytest.mark.parametrize(
    ("pixels_per_beam", "channel_hz", "factors"),
    [
        (2.5, 30e3, (1, 1, 1)),
        (5.0, 30e3, (1, 2, 2)),
        (7.6, 10e3, (3, 3, 3)),
        (3.6, 60e3, (1, 1, 1)),
        (3.8, 30e3, (1, 2, 2)),
    ],
)
def test_factors_follow_beam_and_channel(pixels_per_beam, channel_hz, factors):
    header = make_header((40, 20, 20))
    pixel = 2.8 / 3600
    header.update(CDELT1=-pixel, CDELT2=pixel, BMAJ=pixels_per_beam * pixel, BMIN=pixels_per_beam * pixel)
    header.update(CTYPE3="FREQ", CUNIT3="Hz", CRVAL3=1.105e9, CRPIX3=20.0, CDELT3=channel_hz)
    sampling = sampling_of(as_cube(np.zeros((40, 20, 20), np.float32), header))
    assert sampling.factors == factors
    assert sampling.beam == pytest.approx(pixels_per_beam / factors[1], rel=1e-3)


def test_noise_is_that_of_averaged_channels_however_many_fit_a_slab(monkeypatch):
    rng = np.random.default_rng(1)
    level = np.linspace(1.0, 3.0, 12)
    data = (rng.standard_normal((12, 90, 90)) * level[:, None, None]).astype(np.float32)
    data[:, :30] = np.nan
    sampling = Sampling(data.shape, (2, 3, 3), 2.5)
    noise = channel_noise(AveragedVoxels(ArrayVoxels(data), sampling))
    # the mean of 2 × 9 independent voxels; 600 of them, half negative: 6 per cent
    expected = np.sqrt((level[::2] ** 2 + level[1::2] ** 2) / 2) / np.sqrt(18)
    np.testing.assert_allclose(noise, expected, rtol=0.2)
    monkeypatch.setattr("hisf.nn.normalise.SLAB_VOXELS", 1)
    np.testing.assert_array_equal(channel_noise(AveragedVoxels(ArrayVoxels(data), sampling)), noise)


def test_blank_and_constant_channels_have_no_noise_and_become_zero():
    data = np.random.default_rng(2).standard_normal((3, 20, 20)).astype(np.float32)
    data[0], data[1] = np.nan, 4.0
    noise = channel_noise(ArrayVoxels(data))
    assert np.isnan(noise[:2]).all()
    assert noise[2] == pytest.approx(1.0, abs=0.15)
    scaled = NoiseUnits(noise).apply(data, Box.whole(data.shape))
    assert not scaled[:2].any()
    data[2, 0, 0], data[2, 0, 1] = 1e6, -np.inf
    scaled = NoiseUnits(noise).apply(data, Box.whole(data.shape))
    assert scaled[2, 0, 0] == LIMIT
    assert scaled[2, 0, 1] == -LIMIT
