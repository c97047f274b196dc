import numpy as np
import pytest
from hisf_plugin_wavelet import Wavelet, scales, subbands

from hisf.api import ArrayVoxels, Box, Tile, Workspace
from hisf.settings import PARAMETERS, load_settings
from hisf.testing import GaussianSource, as_cube, check_finder, make_cube


def found(sources, *arguments):
    """The mask of a cube of noise of 1 mJy/beam and sources."""
    array, header = make_cube((48, 48, 48), sources=sources)
    finder = Wavelet(load_settings(arguments, (*PARAMETERS, *Wavelet.parameters)), as_cube(array, header))
    finder.look(ArrayVoxels(array), Workspace(1 << 30), lambda n: None)
    box = Box.whole(array.shape)
    return finder.find(Tile(box, box, array))


def test_it_keeps_the_promises_of_a_finder():
    cube = make_cube((20, 18, 16), sources=[GaussianSource(0.05, 10, 9, 8)])
    check_finder(Wavelet, ["starlet.scalesXY=1", "starlet.scalesZ=2"], cube=cube)


def test_scales_add_up_to_the_data():
    data = np.random.default_rng(1).normal(size=(9, 10, 11))
    np.testing.assert_allclose(sum(scales(data, 3, (1, 2))), data, atol=1e-12)  # rounding of a few sums


def test_subbands_add_up_to_the_data_but_for_what_is_smooth():
    assert np.allclose(sum(found for _, found in subbands(np.full((9, 10, 11), 3.0), 2, 3)), 0)
    assert len(list(subbands(np.zeros((9, 10, 11)), 2, 3))) == 3 * 4 - 1


@pytest.mark.parametrize("peak", [0.02, -0.02])
def test_it_finds_sources_of_either_sign(peak):
    assert found([GaussianSource(peak, 24, 24, 24)])[24, 24, 24]


def test_it_finds_a_line_that_no_voxel_shows():
    weak = GaussianSource(3e-3, 24, 24, 24, sigma_z=5.0)  # 3 sigma at its peak
    assert found([weak])[24, 24, 24]
    assert not found([weak], "starlet.scalesXY=0", "starlet.scalesZ=1")[24, 24, 24]


def test_noise_alone_gives_next_to_nothing():
    assert found([]).mean() < 1e-3
