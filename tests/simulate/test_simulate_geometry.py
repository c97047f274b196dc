"""Grids from options and headers: sky, spectral axes, beams."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from hisf.data.header import read_header
from hisf.data.spectral import LIGHT_KMS, REST_HZ, SpectralAxis
from hisf.errors import InputError
from hisf.simulate import Beam, DiscModel, Galaxy, from_header, from_options, render
from hisf.testing.cubes import make_header

OBSERVED = ["ESO121-G6_ATCA", "NGC2903_WSRT", "NGC6946_WSRT", "WALLABY_Eridanus_9_ASKAP", "NGC4036_WSRT_noisepatch"]


@pytest.mark.parametrize("kind", ["frequency", "radio", "optical", "apparent"])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_channels_and_frequencies_are_inverse(kind: str, sign: float) -> None:
    axis = SpectralAxis(kind, *((1.4e9, sign * 2e4) if kind == "frequency" else (2e6, sign * 4e3)))
    z = np.linspace(-5.0, 200.0, 7)
    assert axis.channel(axis.frequency(z)) == pytest.approx(z, abs=1e-6)


def test_velocity_definitions_are_those_of_astropy() -> None:
    for kind, convert in (
        ("radio", u.doppler_radio),
        ("optical", u.doppler_optical),
        ("apparent", u.doppler_relativistic),
    ):
        expected = (9000.0 * u.km / u.s).to_value(u.Hz, equivalencies=convert(REST_HZ * u.Hz))
        assert float(SpectralAxis(kind, 9e6, 1e3).frequency(0)) == pytest.approx(expected, rel=1e-12)


def test_receding_gas_is_at_lower_frequency() -> None:
    assert SpectralAxis("frequency", 1.4e9, 2e4).channels_per_kms(1.4e9) == pytest.approx(-1.4e9 / LIGHT_KMS / 2e4)
    assert SpectralAxis("frequency", 1.4e9, -2e4).channels_per_kms(1.4e9) > 0
    assert SpectralAxis("radio", 0.0, 4e3).channels_per_kms(REST_HZ) == pytest.approx(0.25, rel=1e-4)
    assert SpectralAxis("optical", 3e6, -4e3).channels_per_kms(1.405e9) < 0


def test_defaults_are_those_of_sdc2() -> None:
    geometry = from_options()
    assert geometry.beam_area == pytest.approx(7.0818, rel=1e-4)
    assert geometry.spectral.width_hz(1.1e9) == pytest.approx(30e3)
    assert geometry.area_deg2 == pytest.approx((480 * 2.8 / 3600) ** 2, rel=1e-4)


def test_sky_is_that_of_the_header() -> None:
    geometry = from_options((10, 200, 300), 6.0, Beam(30.0, 20.0, 30.0))
    ra, dec = WCS(geometry.header).celestial.wcs_pix2world([[12.0, 180.0]], 0)[0]
    x, y = geometry.to_pixel(np.array([ra]), np.array([dec]))
    assert (x[0], y[0]) == pytest.approx((12.0, 180.0))
    assert geometry.jacobian(180.0, -30.0) == pytest.approx(np.diag([-1.0, 1.0]) / 6.0, abs=1e-6)


def test_north_is_not_up_far_from_the_centre() -> None:
    geometry = from_options((10, 2000, 2000), 10.0, Beam(30.0, 30.0), centre_deg=(180.0, -60.0))
    ra, dec = geometry.to_sky(np.array([0.0]), np.array([1000.0]))
    x_north, y_north = geometry.jacobian(ra[0], dec[0])[:, 1]
    angle = np.degrees(np.arctan2(x_north, y_north))
    assert abs(angle) == pytest.approx(abs((ra[0] - 180.0) * np.sin(np.radians(-60.0))), rel=0.05)


def test_elongated_beam_lies_at_its_position_angle() -> None:
    geometry = from_options((5, 64, 64), 2.0, Beam(30.0, 15.0, 30.0))
    values, vectors = np.linalg.eigh(geometry.beam_covariance)
    x, y = vectors[:, 1] * np.sign(vectors[1, 1])
    assert np.degrees(np.arctan2(-x, y)) == pytest.approx(30.0, abs=0.1)  # x runs to the west
    assert np.sqrt(values[1] / values[0]) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("ctype", ["FREQ", "VRAD", "VOPT", "VELO-HEL", "FELO-HEL"])
def test_every_spectral_axis_holds_a_galaxy_with_its_flux_and_width(ctype: str) -> None:
    header = make_header((200, 64, 64), ctype3=ctype)
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"], header["NAXIS3"] = 3, 64, 64, 200
    geometry = from_header(header, "made")
    frequency = float(geometry.frequencies[100])
    galaxy = Galaxy(1, 180.0, -30.0, 100.0, 5e5, frequency, 30.0, 60.0, 200.0)
    box, cutout = render(galaxy, geometry, DiscModel())
    edges = geometry.spectral.frequency(np.arange(box.z0, box.z1 + 1) - 0.5)
    flux = (cutout.sum(axis=(1, 2)) * np.abs(np.diff(edges))).sum() / geometry.beam_area
    assert flux == pytest.approx(5e5, rel=0.01)
    centre = np.average(np.arange(box.z0, box.z1), weights=cutout.sum(axis=(1, 2)))
    assert centre == pytest.approx(100.0, abs=0.5)


@pytest.mark.shared
@pytest.mark.parametrize("name", OBSERVED)
def test_observed_headers_become_grids(shared, name: str) -> None:
    path = shared / "data" / "cubes" / f"{name}.fits"
    header, _ = read_header(path)
    geometry = from_header(header, name)
    assert geometry.shape == (header["NAXIS3"], header["NAXIS2"], header["NAXIS1"])
    assert geometry.header["NAXIS"] == header["NAXIS"]
    for key in ("CRVAL1", "CRPIX2", "CTYPE3", "CRVAL3", "CDELT3", "BMAJ"):
        assert geometry.header[key] == header[key]
    assert geometry.frequencies.min() > 1.2e9


@pytest.mark.parametrize(
    ("cards", "word"),
    [
        ({"BMAJ": None}, "--beam"),
        ({"CTYPE3": "STOKES"}, "CTYPE3"),
        ({"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"}, "RA and Dec"),
        ({"CDELT3": None}, "CDELT3"),
        ({"CUNIT3": "furlong"}, "world coordinates"),
    ],
)
def test_unusable_headers_are_refused_in_a_sentence(cards: dict, word: str) -> None:
    header = fits.Header({"NAXIS": 3, "NAXIS1": 8, "NAXIS2": 8, "NAXIS3": 8})
    header.update(make_header((8, 8, 8)))
    for key, value in cards.items():
        if value is None:
            del header[key]
        else:
            header[key] = value
    with pytest.raises(InputError, match=word):
        from_header(header, "odd.fits")
