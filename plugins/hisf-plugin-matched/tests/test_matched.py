import numpy as np
import pytest
from hisf_plugin_matched import Matched

from hisf.testing import GaussianSource, check_finder, make_cube


@pytest.mark.parametrize("width", [1, 4, 9])
def test_it_keeps_the_promises_of_a_finder(width):
    check_finder(Matched, [f"matched.width={width}"])


def test_it_finds_a_line_that_no_single_channel_shows():
    weak = GaussianSource(3.5e-3, 25, 16, 18, sigma_z=4.0)  # 3.5 sigma at its peak
    cube = make_cube(sources=[weak])
    assert check_finder(Matched, ["matched.width=9"], cube=cube)[25, 16, 18]
    assert not check_finder(Matched, ["matched.width=1"], cube=cube)[25, 16, 18]


def test_it_finds_absorption_too():
    assert check_finder(Matched, cube=make_cube(sources=[GaussianSource(-0.02, 25, 16, 18)]))[25, 16, 18]


def test_noise_alone_gives_next_to_nothing():
    assert np.mean(check_finder(Matched, cube=make_cube(sources=[]))) < 1e-3
