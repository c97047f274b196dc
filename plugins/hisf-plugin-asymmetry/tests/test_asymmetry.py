import hisf_plugin_asymmetry as plugin
import numpy as np
import pytest

from hisf.testing import GaussianSource, make_cube, run_pipeline, write_fits

LINE = GaussianSource(0.05, 20, 16, 18, sigma_z=3.0)


def measured(folder, *sources, settings=(), **options):
    path = write_fits(folder / "cube.fits", *make_cube(sources=sources, **options))
    return run_pipeline(path, folder, ["dilation.enable=true", *settings], plugins=[plugin])


def test_edges_lie_between_channels():
    assert plugin.edges(np.array([0.0, 2.0, 2.0, 0.0]), 0.5) == (0.5, 2.5)
    assert plugin.edges(np.array([2.0]), 0.5) == (-0.5, 0.5)
    assert np.isnan(plugin.edges(np.zeros(3), 0.5)).all()


def test_channels_at_the_ends_count_by_their_share():
    assert plugin.integral(np.array([1.0, 2.0, 4.0]), 0.0, 2.0) == (0.5 + 2.0 + 2.0, 2.0)


def test_a_symmetric_line_is_symmetric(tmp_path):
    row = measured(tmp_path, LINE)
    assert row["a_flux"][0] - 1 < 4 * row["err_a_flux"][0] < 0.4
    assert row.names[-7:] == ["a_flux", "err_a_flux", "bf_flux", "bf_z", "bf_w50", "bf_w20", "bf_chi2"]


def test_a_lopsided_line_is_not(tmp_path):
    row = measured(tmp_path, LINE, GaussianSource(0.04, 26, 16, 18, sigma_z=3.0), noise=1e-4)
    strong, weak = measured(tmp_path, LINE, noise=1e-4)["a_flux"][0], row["a_flux"][0]
    assert weak > strong + 0.05


def test_the_busy_function_gives_flux_place_and_width_of_a_gaussian(tmp_path):
    row = measured(tmp_path, LINE, settings=["parameter.physical=true"])
    truth = 3.0 * 2.3548  # the full width at half maximum, in channels
    channel = 1.8e4  # Hz
    assert row["bf_w50"][0] / channel == pytest.approx(truth, rel=0.1)  # the mask cuts the wings
    assert row["bf_w50"][0] == pytest.approx(row["w50"][0], rel=0.15)
    assert row["bf_z"][0] == pytest.approx(20, abs=0.3)
    assert row["bf_flux"][0] == pytest.approx(row["f_sum"][0], rel=0.2)


def test_a_source_of_few_channels_has_no_fit(tmp_path):
    row = measured(tmp_path, LINE, settings=["busy.minChannels=40"])
    assert np.isnan(row["bf_w50"][0]) and row["n_pix"][0] > 0
