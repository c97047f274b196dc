"""The grid of a cube: sizes, sky, spectral axis and beam, from options or from the header of another cube."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from hisf.data.box import Shape
from hisf.data.header import axis_sizes, card, number, spectral_axis_third
from hisf.data.spectral import REST_HZ, SpectralAxis, read_axis
from hisf.data.wcs import WorldCoordinates
from hisf.errors import InputError

ARCSEC = 1.0 / 3600.0  # deg
FWHM_TO_SIGMA = 1.0 / math.sqrt(8.0 * math.log(2.0))
# cards of another cube that say nothing about its grid
DROPPED = {"SIMPLE", "BITPIX", "EXTEND", "BSCALE", "BZERO", "BLANK", "BUNIT", "ORIGIN", "DATE", "DATAMIN", "DATAMAX"}
DROPPED |= {"HISTORY", "COMMENT", "CHECKSUM", "DATASUM", ""}


@dataclass(frozen=True)
class Beam:
    """A Gaussian beam: full widths at half maximum in arcsec, position angle of the major axis in deg, N through E."""

    major_arcsec: float
    minor_arcsec: float
    pa_deg: float = 0.0

    def covariance(self) -> np.ndarray:
        """Return its covariance on the sky, shape (2, 2), order (east, north), arcsec²."""
        pa = math.radians(self.pa_deg)
        along, across = np.array([math.sin(pa), math.cos(pa)]), np.array([math.cos(pa), -math.sin(pa)])
        major, minor = self.major_arcsec * FWHM_TO_SIGMA, self.minor_arcsec * FWHM_TO_SIGMA
        return major**2 * np.outer(along, along) + minor**2 * np.outer(across, across)


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid on which galaxies and noise are made.

    Attributes
    ----------
    header : `~astropy.io.fits.Header`
        World coordinates and beam of a cube of three axes, or of four with the last of length 1; no BITPIX.
    shape : tuple of int
        (z, y, x).
    beam : Beam
    spectral : SpectralAxis
    """

    header: fits.Header = field(repr=False)
    shape: Shape
    beam: Beam
    spectral: SpectralAxis

    @cached_property
    def _sky(self) -> WCS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wcs = WCS(self.header).celestial
            wcs.wcs.set()
            return wcs

    def to_sky(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return right ascension and declination, deg, of zero-based pixels (any shape), in the cube's own frame."""
        ra, dec = self._sky.wcs_pix2world(np.atleast_1d(x), np.atleast_1d(y), 0)
        return ra % 360.0, dec

    def to_pixel(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return zero-based pixels x, y; NaN for positions that the projection does not reach."""
        x, y = self._sky.wcs_world2pix(np.atleast_1d(ra_deg), np.atleast_1d(dec_deg), 0)
        return x, y

    def jacobian(self, ra_deg: float, dec_deg: float) -> np.ndarray:
        """Return pixels per arcsec at a position: rows x, y; columns east, north.

        Where north is depends on the place: meridians converge.
        """
        step = 10.0 * ARCSEC
        east = step / max(math.cos(math.radians(dec_deg)), 1e-6)
        ra = np.array([ra_deg - east, ra_deg + east, ra_deg, ra_deg])
        dec = np.array([dec_deg, dec_deg, dec_deg - step, dec_deg + step])
        x, y = self.to_pixel(ra, dec)
        return np.array([[x[1] - x[0], x[3] - x[2]], [y[1] - y[0], y[3] - y[2]]]) / (2.0 * step / ARCSEC)

    @cached_property
    def centre_jacobian(self) -> np.ndarray:
        """Pixels per arcsec at the centre of the field; the beam has its shape on the pixels from here."""
        ra, dec = self.to_sky(np.array([(self.shape[2] - 1) / 2]), np.array([(self.shape[1] - 1) / 2]))
        return self.jacobian(float(ra[0]), float(dec[0]))

    @property
    def beam_covariance(self) -> np.ndarray:
        """Covariance of the beam, shape (2, 2), order (x, y), pixels²."""
        return self.centre_jacobian @ self.beam.covariance() @ self.centre_jacobian.T

    @property
    def beam_area(self) -> float:
        """Solid angle of the beam in pixels, from BMAJ, BMIN and CDELT as `hisf.data.units` has it."""
        solid = math.pi * self.beam.major_arcsec * self.beam.minor_arcsec / (4.0 * math.log(2.0))
        return solid / self.pixel_area_arcsec2

    @property
    def pixel_area_arcsec2(self) -> float:
        """Solid angle of a pixel at the centre of the field."""
        return 1.0 / abs(float(np.linalg.det(self.centre_jacobian)))

    @property
    def area_deg2(self) -> float:
        """Solid angle of the field, deg²."""
        return self.shape[1] * self.shape[2] * self.pixel_area_arcsec2 * ARCSEC**2

    @cached_property
    def frequencies(self) -> np.ndarray:
        """Frequency of every channel, Hz, shape (z,)."""
        return self.spectral.frequency(np.arange(self.shape[0]))


def from_options(
    shape: Shape = (1000, 480, 480),
    pixel_arcsec: float = 2.8,
    beam: Beam | None = None,
    start: float = 1090e6,
    step: float = 30e3,
    velocity: str = "",
    centre_deg: tuple[float, float] = (180.0, -30.0),
) -> Geometry:
    """Return a grid in SIN projection; the defaults are pixel, beam and channels of SDC2 (Hartley et al. 2023).

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    pixel_arcsec : float
    beam : Beam, optional
        7″, round, where missing.
    start, step : float
        Of the spectral axis, channel 0: Hz, or m/s on a velocity axis; ``step`` of either sign.
    velocity : str
        ``radio`` or ``optical`` makes a velocity axis (VRAD or VOPT); empty: frequency.
    centre_deg : tuple of float
        Right ascension and declination of the reference pixel n // 2.

    Raises
    ------
    InputError
        A size is not positive, or the axis leaves the frequencies of the line.
    """
    beam = beam or Beam(7.0, 7.0)
    if min(shape) < 1 or pixel_arcsec <= 0 or beam.minor_arcsec <= 0 or beam.major_arcsec < beam.minor_arcsec:
        raise InputError("Sizes of cube, pixel and beam must be positive, with the beam's major axis first.")
    if not step:
        raise InputError("The channel width is 0; give Hz, or m/s on a velocity axis.")
    ctype, unit = {"": ("FREQ", "Hz"), "radio": ("VRAD", "m/s"), "optical": ("VOPT", "m/s")}[velocity]
    header = fits.Header()
    header["NAXIS"] = 3
    for n, size in enumerate(reversed(shape), 1):
        header[f"NAXIS{n}"] = size
    pixel = pixel_arcsec * ARCSEC
    axes = (
        ("RA---SIN", shape[2] // 2 + 1.0, centre_deg[0], -pixel, "deg"),
        ("DEC--SIN", shape[1] // 2 + 1.0, centre_deg[1], pixel, "deg"),
        (ctype, 1.0, start, step, unit),
    )
    for n, values in enumerate(axes, 1):
        for key, value in zip(("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT"), values, strict=True):
            header[f"{key}{n}"] = value
    header["RESTFRQ"], header["SPECSYS"] = REST_HZ, "BARYCENT"
    header["RADESYS"], header["EQUINOX"] = "FK5", 2000.0
    return from_header(header, "options", beam)


def from_header(header: fits.Header, name: str, beam: Beam | None = None) -> Geometry:
    """Return the grid of a cube, with all its axes.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Of a cube with axes RA, Dec, and frequency or velocity, and perhaps a fourth of length 1. Not modified.
    name : str
        Of the file, for messages.
    beam : Beam, optional
        Takes the place of BMAJ, BMIN, BPA.

    Raises
    ------
    InputError
        The header has no usable sky, spectral axis or beam.
    """
    header, _ = spectral_axis_third(header, name)
    sizes = axis_sizes(header, name)
    if len(sizes) < 3:
        raise InputError(f"{name} has {len(sizes)} axes; a cube with a spectral axis is needed.")
    try:
        world = WorldCoordinates(header)
    except ValueError as error:
        raise InputError(f"{name} has no usable world coordinates ({error}).") from None
    if not world.equatorial:
        raise InputError(
            f"{name}: axes 1 and 2 are {world.axes[0].name} and {world.axes[1].name}; RA and Dec are needed."
        )
    spectral = read_axis(header, name)
    shape = (sizes[2], sizes[1], sizes[0])
    ends = spectral.frequency(np.array([-0.5, shape[0] - 0.5]))
    if not (np.isfinite(ends).all() and ends.min() > 0):
        raise InputError(f"{name}: the spectral axis leaves the frequencies that are possible.")
    if beam is None:
        major, minor = number(header, "BMAJ"), number(header, "BMIN")
        if not major or not minor or major < 0 or minor < 0:
            raise InputError(f"{name}: BMAJ or BMIN is missing; give the beam with --beam.")
        beam = Beam(major / ARCSEC, minor / ARCSEC, number(header, "BPA", 0.0) or 0.0)
    grid = fits.Header()
    for key in header:
        value = card(header, key)
        if key not in DROPPED and value is not None:
            grid[key] = value
    grid["BMAJ"], grid["BMIN"], grid["BPA"] = beam.major_arcsec * ARCSEC, beam.minor_arcsec * ARCSEC, beam.pa_deg
    grid["BUNIT"] = "Jy/beam"
    return Geometry(grid, shape, beam, spectral)
