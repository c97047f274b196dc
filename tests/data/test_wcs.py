"""World coordinates against astropy, on awkward headers; names, units and UCDs of the axes."""

import warnings

import numpy as np
import pytest
from astropy.wcs import WCS

from hisf.data.wcs import WorldCoordinates, describe_axis
from hisf.testing import as_cube, make_cube, make_header

SHAPE = (8, 20, 24)
RNG = np.random.default_rng(3)
X, Y, Z = RNG.uniform(0, 23, 30), RNG.uniform(0, 19, 30), RNG.uniform(0, 7, 30)


def worlds(**options):
    return WorldCoordinates(as_cube(*make_cube(SHAPE, sources=(), **options)).header)


def by_astropy(header):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(WCS(header).all_pix2world(X, Y, Z, 0))


CARDS = {
    "plain": {},
    "ncp": {"CTYPE1": "RA---NCP", "CTYPE2": "DEC--NCP", "CRVAL2": 60.0},
    "kilometres": {"CTYPE3": "VRAD", "CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": -4.0},
    "heliocentric": {"CTYPE3": "VELO-HEL", "CUNIT3": "km/s", "CRVAL3": 2000.0, "CDELT3": -4.0},
    "felo": {"CTYPE3": "FELO-HEL", "CUNIT3": "m/s", "CRVAL3": 2.0e6, "CDELT3": 4000.0},
    "megahertz": {"CUNIT3": "MHz", "CRVAL3": 1410.0, "CDELT3": 0.018},
    "no units": {"CUNIT1": None, "CUNIT2": None, "CUNIT3": None},
    "rotated": {"PC1_2": 0.2, "PC2_1": -0.2},
    "negative longitude": {"CRVAL1": -51.0},
}


@pytest.mark.parametrize(
    ("frame", "case"),
    [("equatorial", case) for case in CARDS] + [("galactic", case) for case in CARDS if case != "ncp"],
)
def test_values_are_those_of_astropy(frame, case):
    header = as_cube(*make_cube(SHAPE, sources=(), frame=frame, cards=CARDS[case])).header
    # the same library underneath: equal but for the order of two additions
    assert np.allclose(WorldCoordinates(header).to_world(X, Y, Z), by_astropy(header), rtol=1e-13, atol=0)


def test_north_celestial_pole_projection():
    """The NCP projection by its own formula (AIPS memo 27): x = cos δ sin Δα, y = (cos δ₀ − cos δ cos Δα)/sin δ₀."""
    found = worlds(cards=CARDS["ncp"])
    ra, dec, _ = np.radians(found.to_world(X, Y, Z))
    pole, turn = np.radians(60.0), ra - np.pi
    across = np.degrees(np.cos(dec) * np.sin(turn))
    up = np.degrees((np.cos(pole) - np.cos(dec) * np.cos(turn)) / np.sin(pole))
    pixel = 10.0 / 3600.0
    # rounding of angles of order 1 rad, against pixels of 5e-5 rad
    assert np.allclose(across / -pixel + 12.0, X, atol=1e-9)
    assert np.allclose(up / pixel + 10.0, Y, atol=1e-9)


def test_velocities_in_km_s_come_out_in_m_s():
    """Spec sofia2 §3.11: values are SI though the printed unit is that of the header."""
    found = worlds(cards=CARDS["heliocentric"])
    _, _, velocity = found.to_world(np.zeros(2), np.zeros(2), np.array([0.0, 3.0]))
    assert velocity == pytest.approx([2.0e6, 2.0e6 - 12000.0], rel=1e-14)
    assert (found.axes[2].name, found.axes[2].unit, found.axes[2].ucd) == ("v_app", "km/s", "spect.dopplerVeloc")


def test_frequencies_in_mhz_come_out_in_hz():
    found = worlds(cards=CARDS["megahertz"])
    assert found.to_world([0.0], [0.0], [2.0])[2] == pytest.approx([1.410036e9], rel=1e-14)
    assert found.axes[2].unit == "MHz"


def test_axes_beyond_the_third_are_taken_at_their_first_pixel():
    array, header = make_cube(SHAPE, sources=())
    plain = as_cube(array, header).header
    full = plain.copy()
    full["NAXIS"], full["NAXIS4"] = 4, 1
    full["CTYPE4"], full["CRPIX4"], full["CRVAL4"], full["CDELT4"] = "STOKES", 1.0, 1.0, 1.0
    assert np.array_equal(WorldCoordinates(full).to_world(X, Y, Z), WorldCoordinates(plain).to_world(X, Y, Z))


def test_image_has_no_spectral_coordinate():
    header = make_header(SHAPE, cards=dict.fromkeys(("CTYPE3", "CRPIX3", "CRVAL3", "CDELT3", "CUNIT3", "RESTFRQ")))
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, 24, 20
    longitude, latitude, spectral = WorldCoordinates(header).to_world(X, Y, np.zeros_like(X))
    assert np.isfinite(longitude).all()
    assert np.isfinite(latitude).all()
    assert np.isnan(spectral).all()


def test_no_positions():
    assert [len(axis) for axis in worlds().to_world(*[np.empty(0)] * 3)] == [0, 0, 0]


# spec sofia2 §3.11, axis naming and the default units
@pytest.mark.parametrize(
    ("n", "ctype", "name", "ucd", "unit"),
    [
        (1, "RA---SIN", "ra", "pos.eq.ra", "deg"),
        (2, "DEC--TAN", "dec", "pos.eq.dec", "deg"),
        (1, "GLON-CAR", "l", "pos.galactic.lon", "deg"),
        (2, "GLAT-CAR", "b", "pos.galactic.lat", "deg"),
        (1, "ELON-TAN", "lon", "", "deg"),
        (2, "ELAT-TAN", "lat", "", "deg"),
        (3, "FREQ-LSR", "freq", "em.freq", "Hz"),
        (3, "VRAD", "v_rad", "spect.dopplerVeloc.radio", "m/s"),
        (3, "VOPT-F2W", "v_opt", "spect.dopplerVeloc.opt", "m/s"),
        (3, "VELO-HEL", "v_app", "spect.dopplerVeloc", "m/s"),
        (3, "FELO-HEL", "v_opt", "spect.dopplerVeloc.opt", "m/s"),
        (3, "WAVE", "spec", "", "???"),
        (3, "", "spec", "", "???"),
    ],
)
def test_axes_are_named_by_the_first_four_characters(n, ctype, name, ucd, unit):
    header = make_header(SHAPE, cards={f"CTYPE{n}": ctype, f"CUNIT{n}": None})
    axis = describe_axis(header, n)
    assert (axis.name, axis.ucd, axis.unit) == (name, ucd, unit)
    header[f"CUNIT{n}"] = "km/s"
    assert describe_axis(header, n).unit == "km/s"


def test_unknown_axis_is_noted():
    notes = worlds(cards={"CTYPE3": "WAVE", "CUNIT3": "m", "CRVAL3": 0.21, "CDELT3": 1e-5}).notes
    assert any("CTYPE3" in note and "spec" in note for note in notes)


@pytest.mark.parametrize(
    ("cards", "besselian"),
    [
        ({}, False),
        ({"EQUINOX": 1950.0}, True),
        ({"EQUINOX": None, "EPOCH": 1950.0}, True),
        ({"EQUINOX": 2000.0, "EPOCH": 1950.0}, False),
        ({"EQUINOX": None}, False),
    ],
)
def test_equinox_before_2000_is_besselian(cards, besselian):
    """EPOCH counts where EQUINOX is absent (spec sofia2 §3.11)."""
    assert worlds(cards=cards).besselian is besselian


@pytest.mark.parametrize("missing", ["CTYPE1", "CTYPE2"])
def test_header_without_positions_has_none(missing):
    with pytest.raises(ValueError, match="missing"):
        WorldCoordinates(make_header(SHAPE, cards={missing: None}))


def test_steps_on_the_sky():
    """10″ pixels, x to the west; at the pole of the projection they are exact."""
    steps = worlds().arcsec_per_pixel(12.0, 10.0)
    assert steps == pytest.approx(np.array([[-10.0, 0.0], [0.0, 10.0]]), abs=1e-3)
    turned = worlds(cards={"PC1_1": 0.0, "PC1_2": -1.0, "PC2_1": 1.0, "PC2_2": 0.0})
    assert turned.arcsec_per_pixel(12.0, 10.0) == pytest.approx(np.array([[0.0, 10.0], [10.0, 0.0]]), abs=1e-3)
    across = worlds(cards={"CRVAL1": 0.0, "CRPIX1": 12.9})  # right ascension 0 lies in the step
    assert across.arcsec_per_pixel(12.0, 10.0)[0, 0] == pytest.approx(-10.0, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "known"),
    [({}, True), ({"frame": "galactic"}, True), ({"cards": {"CTYPE1": "X", "CTYPE2": "Y"}}, False)],
)
def test_what_is_celestial(options, known):
    assert worlds(**options).celestial is known
