"""Noise and systematics: level, correlation, seeds."""

from pathlib import Path

import numpy as np
import pytest

from hisf.errors import FileAccessError, InputError
from hisf.simulate import (
    Beam,
    ContinuumResiduals,
    Geometry,
    Noise,
    Ripple,
    from_options,
    read_pairs,
    rfi_ratio,
    sdc2_level,
)
from hisf.simulate.noise import RADIAN


@pytest.fixture(scope="module")
def geometry() -> Geometry:
    return from_options((24, 400, 420), 2.8, Beam(9.0, 7.0, 30.0))


def planes(layer: object, geometry: Geometry, channels: range | None = None) -> np.ndarray:
    made = np.zeros((len(channels or range(geometry.shape[0])), *geometry.shape[1:]), np.float32)
    for plane, z in zip(made, channels or range(geometry.shape[0]), strict=True):
        layer.add(plane, z)  # type: ignore[attr-defined]
    return made


def autocorrelation(cube: np.ndarray, dy: int, dx: int) -> float:
    a = cube[:, dy:, dx:]
    b = cube[:, : cube.shape[1] - dy, : cube.shape[2] - dx]
    return float((a * b).mean(dtype=float) / (cube**2).mean(dtype=float))


def test_level_of_every_channel_is_as_asked(geometry: Geometry) -> None:
    level = np.linspace(1e-5, 5e-5, 24)
    found = planes(Noise(geometry, level, 3), geometry).std(axis=(1, 2))
    assert found / level == pytest.approx(1.0, abs=0.02)


def test_neighbours_correlate_as_the_beam_says(geometry: Geometry) -> None:
    cube = planes(Noise(geometry, np.ones(24), 3), geometry)
    inverse = np.linalg.inv(geometry.beam_covariance)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 3), (3, 2), (20, 20)):
        offset = np.array([dx, dy], float)
        expected = np.exp(-0.25 * offset @ inverse @ offset)
        assert autocorrelation(cube, dy, dx) == pytest.approx(expected, abs=0.01), (dy, dx)


def test_channels_are_independent(geometry: Geometry) -> None:
    cube = planes(Noise(geometry, np.ones(24), 3), geometry)
    assert abs((cube[1:] * cube[:-1]).mean()) < 0.005


def test_opposite_edges_are_independent(geometry: Geometry) -> None:
    cube = planes(Noise(geometry, np.ones(24), 3), geometry)
    assert abs((cube[:, 0] * cube[:, -1]).mean()) < 0.05
    assert abs((cube[:, :, 0] * cube[:, :, -1]).mean()) < 0.05


def test_power_spectrum_is_the_one_of_the_file(geometry: Geometry) -> None:
    table = np.array([[0.0, 0.2], [5000.0, 1.0], [15000.0, 0.5], [30000.0, 0.0]])
    cube = planes(Noise(geometry, np.ones(24), 1, table), geometry)
    window = np.hanning(400)[:, None] * np.hanning(420)
    power = (np.abs(np.fft.fft2(cube * window)) ** 2).mean(axis=0)
    baseline = np.hypot(np.fft.fftfreq(400, 2.8 / RADIAN)[:, None], np.fft.fftfreq(420, 2.8 / RADIAN))
    expected = np.interp(baseline, *table.T, right=0.0)
    scale = power.sum() / expected.sum()
    for low in range(1000, 24000, 2000):
        ring = (baseline >= low) & (baseline < low + 2000)
        assert power[ring].mean() / expected[ring].mean() == pytest.approx(scale, rel=0.02)


def test_planes_do_not_depend_on_their_order(geometry: Geometry) -> None:
    layers = (
        Noise(geometry, np.ones(24), 3), ContinuumResiduals(geometry, 20, 3), Ripple(geometry, 1e-5, 1e5, 3),
    )  # fmt: skip
    for layer in layers:
        assert np.array_equal(planes(layer, geometry)[7], planes(layer, geometry, range(7, 8))[0])


def test_seeds_make_noise(geometry: Geometry) -> None:
    one, again, other = (planes(Noise(geometry, np.ones(24), s), geometry, range(2)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert abs((one * other).mean()) < 0.02


def test_noise_of_sdc2_is_that_of_its_description() -> None:
    for start, expected in ((950e6, 26.6e-6), (1050e6, 28.3e-6), (1150e6, 30.1e-6)):
        assert sdc2_level(from_options((2, 8, 8), start=start))[0] == pytest.approx(expected, rel=0.003)


def test_rfi_raises_the_noise_and_takes_short_baselines(geometry: Geometry, tmp_path: Path) -> None:
    path = tmp_path / "rfi.txt"
    path.write_text("# MHz ratio\n1000 0.5\n1090.3 0.9\n1090.31 1.6\n1200 1.6\n")
    ratio = rfi_ratio(path, geometry.frequencies)
    assert ratio[0] == 1.0
    assert ratio[-1] == pytest.approx(1.6)
    table = np.array([[0.0, 1.0], [30000.0, 1.0]])
    cube = planes(Noise(geometry, ratio, 1, table, ratio), geometry)
    assert cube.std(axis=(1, 2)) / ratio == pytest.approx(1.0, abs=0.02)
    baseline = np.hypot(np.fft.fftfreq(400, 2.8 / RADIAN)[:, None], np.fft.fftfreq(420, 2.8 / RADIAN))
    short = baseline < 71.0 * 10 ** (0.6 ** (1 / 3)) * 0.8
    power = np.abs(np.fft.fft2(cube)) ** 2
    share = [power[z][short].mean() / power[z].mean() for z in (0, -1)]
    assert share[1] / share[0] == pytest.approx(1.0 - 0.5 / 0.9, abs=0.2)  # few cells, hence the tolerance


def test_primary_beam_raises_the_noise_outwards(geometry: Geometry) -> None:
    cube = planes(Noise(geometry, np.ones(24), 1, primary_beam_arcsec=1000.0), geometry)
    centre, edge = cube[:, 180:220, 190:230].std(), cube[:, 180:220, :10].std()
    distance = (209.5 - 4.5) * 2.8
    assert centre == pytest.approx(1.0, abs=0.04)
    assert edge == pytest.approx(np.exp(4 * np.log(2) * distance**2 / 1000.0**2), rel=0.05)


def test_continuum_residuals_are_a_thousandth_of_their_sources() -> None:
    geometry = from_options((200, 300, 300), step=1e6, start=950e6)
    residuals = ContinuumResiduals(geometry, 60, 2)
    assert (np.diff(residuals.flux_jy) <= 0).all()
    cube = planes(residuals, geometry)
    x, y = (np.rint(a).astype(int) for a in geometry.to_pixel(residuals.ra, residuals.dec))
    ratios = [
        cube[:, b, a].std() / f for a, b, f in zip(x, y, residuals.flux_jy, strict=True) if 0 < a < 299 and 0 < b < 299
    ]
    assert np.median(ratios) == pytest.approx(1e-3, rel=0.25)
    brightest = cube[:, y[0], x[0]]
    assert np.corrcoef(brightest[1:], brightest[:-1])[0, 1] > 0.9  # over 1 MHz; correlated over 10


def test_ripple_has_its_rms_and_period() -> None:
    geometry = from_options((100, 200, 200), start=1.0e9, step=1e6)
    cube = planes(Ripple(geometry, 2e-5, 20e6, 4), geometry)
    assert np.sqrt((cube**2).mean()) == pytest.approx(2e-5, rel=0.5)  # a random field of some patches
    assert np.allclose(cube[20:], cube[:-20], atol=1e-9)


def test_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    with pytest.raises(FileAccessError, match=r"table\.txt"):
        read_pairs(path, "things")
    for text in ("1 2\n1 3\n", "1\n2\n", "a b\n", ""):
        path.write_text(text)
        with pytest.raises(InputError, match="table of things"):
            read_pairs(path, "things")
