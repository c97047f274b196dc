"""Cut-outs: places, sums, what lies outside the cube."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.data.voxels import ArrayVoxels
from hisf.nn.canonical import Sampling
from hisf.nn.cutouts import CUT, cut, further_factors, place


@given(st.tuples(*[st.floats(-50, 250)] * 3), st.tuples(*[st.integers(1, 60)] * 3))
def test_places_go_in_and_out(centre, extent):
    sampling = Sampling((200, 60, 60), (1, 1, 1), 2.5)
    cutout = cut(ArrayVoxels(np.zeros((200, 60, 60), np.float32)), sampling, np.ones(200), centre, extent)
    inner = cutout.inside(np.array(centre))
    np.testing.assert_allclose(cutout.outside(inner), centre, atol=1e-9)
    assert (np.abs(inner) <= 1.5).all()  # the source is in the middle


@pytest.mark.parametrize(
    ("extent", "factors"), [((10, 5, 5), (1, 1, 1)), ((150, 14, 15), (2, 2, 2)), ((90, 3, 40), (1, 3, 3))]
)
def test_a_source_is_where_it_is_said_to_be_and_keeps_its_flux(extent, factors):
    assert further_factors(extent) == factors
    data = np.zeros((400, 120, 120), np.float32)
    where = np.array([203.0, 57.0, 66.0])
    data[203, 57, 66] = 500.0
    noise = np.full(400, 2.0)
    cutout = cut(ArrayVoxels(data), Sampling(data.shape, (1, 1, 1), 2.5), noise, tuple(where), extent)
    assert cutout.factors == factors
    assert float(cutout.data[0].sum()) * cutout.noise * np.prod(factors) == pytest.approx(500.0, rel=1e-5)
    peak = np.array(np.unravel_index(cutout.data[0].argmax(), CUT))
    np.testing.assert_allclose(peak - (np.array(CUT) - 1) / 2, cutout.inside(where), atol=0.5)
    np.testing.assert_allclose(np.exp(cutout.numbers[2:]), factors[:2], rtol=1e-6)


def test_weights_are_those_of_the_channels_and_nothing_outside():
    data = np.random.default_rng(1).standard_normal((150, 30, 30)).astype(np.float32)
    data[75, 15, 5] = np.nan
    noise = np.ones(150)
    noise[80:90] = 2.0
    noise[100] = np.nan
    cutout = cut(ArrayVoxels(data), Sampling(data.shape, (1, 1, 1), 2.5), noise, (70.0, 15.0, 4.0), (30, 5, 5))
    z0, y0, x0 = cutout.corner
    assert (z0, y0, x0) == (6, 5, -6)
    weight = cutout.data[1]
    assert not weight[:, :, :6].any()
    assert weight[80 - z0, 3, 10] == pytest.approx(0.5)
    assert weight[60 - z0, 3, 10] == pytest.approx(1.0)
    assert not weight[100 - z0].any()
    assert weight[75 - z0, 15 - y0, 5 - x0] == 0
    assert cutout.data[0, 75 - z0, 15 - y0, 5 - x0] == 0
    assert cutout.data[0, 84 - z0, 3, 10] == pytest.approx(data[84, 3 + y0, 10 + x0] / 2, rel=1e-6)


def test_place_is_the_centroid_of_what_is_positive():
    z, y, x = np.array([0, 2, 2]), np.array([1, 1, 3]), np.array([5, 5, 5])
    assert place(z, y, x, np.array([1.0, 3.0, -9.0])) == ((1.5, 1.0, 5.0), (3, 3, 1))
    assert place(z, y, x, np.array([-1.0, np.nan, -9.0]))[0] == pytest.approx((4 / 3, 5 / 3, 5.0))
