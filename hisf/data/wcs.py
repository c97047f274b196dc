"""World coordinates of a cube: axis names, units, UCDs and the pixel → world transformation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits

from hisf.data.header import axis_sizes, number, text

# first four characters of CTYPE -> catalogue column and its UCD (spec sofia2 §3.11)
AXES = {
    "RA--": ("ra", "pos.eq.ra"),
    "DEC-": ("dec", "pos.eq.dec"),
    "GLON": ("l", "pos.galactic.lon"),
    "GLAT": ("b", "pos.galactic.lat"),
    "FREQ": ("freq", "em.freq"),
    "VRAD": ("v_rad", "spect.dopplerVeloc.radio"),
    "VOPT": ("v_opt", "spect.dopplerVeloc.opt"),
    "VELO": ("v_app", "spect.dopplerVeloc"),
    "FELO": ("v_opt", "spect.dopplerVeloc.opt"),
}
UNKNOWN = (("lon", ""), ("lat", ""), ("spec", ""))


@dataclass(frozen=True)
class Axis:
    """One world axis as the catalogue names it: column, UCD, unit as printed."""

    name: str
    ucd: str
    unit: str


def describe_axis(header: fits.Header, n: int) -> Axis:
    """Return name, UCD and unit of FITS axis ``n`` (1, 2 or 3), from CTYPEn and CUNITn (spec sofia2 §3.11).

    A missing CUNIT counts as deg (axes 1, 2), Hz (frequency) or m/s (velocity); ``???`` where CTYPE is unknown.
    """
    ctype = text(header, f"CTYPE{n}")
    name, ucd = AXES.get(ctype[:4].upper(), UNKNOWN[n - 1])
    if n < 3:
        default = "deg"
    elif name == "freq":
        default = "Hz"
    else:
        default = "m/s" if name != "spec" else "???"
    return Axis(name, ucd, text(header, f"CUNIT{n}", default))


class WorldCoordinates:
    """The world coordinates of a cube or image.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        With all its axes; those beyond the third are taken at their first pixel.

    Attributes
    ----------
    axes : tuple of Axis
        Longitude, latitude and spectral axis.
    notes : tuple of str
        What had to be repaired or guessed.

    Raises
    ------
    ValueError
        The header has no world coordinates, or none that wcslib accepts.
    """

    def __init__(self, header: fits.Header) -> None:
        from astropy.wcs import WCS, FITSFixedWarning

        if not (text(header, "CTYPE1") and text(header, "CTYPE2")):
            raise ValueError("CTYPE1 or CTYPE2 is missing")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self._wcs = WCS(header)
                self._wcs.wcs.set()
            except Exception as error:  # noqa: BLE001 - wcslib raises a dozen unrelated classes
                raise ValueError(str(error).strip().splitlines()[0]) from None
        self.axes = tuple(describe_axis(header, n) for n in (1, 2, 3))
        repaired = [str(w.message).strip() for w in caught if issubclass(w.category, FITSFixedWarning)]
        guessed = [
            f"CTYPE{n} = {text(header, f'CTYPE{n}', 'blank')} is not a known axis; its column is called {axis.name}."
            for n, axis in enumerate(self.axes, 1)
            if axis.name == UNKNOWN[n - 1][0] and (n < 3 or len(axis_sizes(header, "header")) > 2)
        ]
        self.notes = (*repaired, *guessed)
        epoch = number(header, "EQUINOX")
        if epoch is None:
            epoch = number(header, "EPOCH")
        self.besselian = epoch is not None and epoch < 2000.0

    @property
    def equatorial(self) -> bool:
        """Whether positions are right ascension and declination."""
        return self.axes[0].name == "ra" and self.axes[1].name == "dec"

    @property
    def celestial(self) -> bool:
        """Whether axes 1 and 2 are longitude and latitude of a known system, so that lengths on the sky are known."""
        return self.equatorial or (self.axes[0].name == "l" and self.axes[1].name == "b")

    @property
    def sky(self) -> Any:
        """Axes 1 and 2 alone, an `~astropy.wcs.WCS`."""
        return self._wcs.sub([1, 2])

    def arcsec_per_pixel(self, x: float, y: float) -> np.ndarray:
        """Return how a step of one pixel moves on the sky at a zero-based position.

        Returns
        -------
        ndarray, shape (2, 2), arcsec
            Rows towards the east and the north of the cube's own system, columns along x and y; NaN outside the
            projection.
        """
        half = 0.5
        xs, ys = np.array([x - half, x + half, x, x]), np.array([y, y, y - half, y + half])
        longitude, latitude, _ = self.to_world(xs, ys, np.zeros(4))
        east = (np.diff(longitude)[::2] + 180.0) % 360.0 - 180.0
        east *= np.cos(np.radians((latitude[::2] + latitude[1::2]) / 2.0))
        return 3600.0 * np.array([east, np.diff(latitude)[::2]])

    def to_pixel(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Transform positions, in deg, to zero-based pixel positions x and y; NaN outside the projection."""
        world = np.column_stack([np.asarray(longitude, float), np.asarray(latitude, float)])
        pixel = self.sky.wcs_world2pix(world, 0)
        return pixel[:, 0], pixel[:, 1]

    def to_world(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Transform zero-based pixel positions to world coordinates.

        Parameters
        ----------
        x, y, z : ndarray, shape (n,)

        Returns
        -------
        longitude, latitude : ndarray, deg
        spectral : ndarray, SI unit (Hz or m/s), whatever CUNIT3 says; NaN without a third axis
            As wcslib returns them (spec sofia2 §3.11); NaN where the position is outside the projection.
        """
        n = self._wcs.naxis
        pixel = np.ones((len(np.atleast_1d(x)), n))
        for column, values in zip(range(n), (x, y, z), strict=False):
            pixel[:, column] = np.asarray(values, float) + 1.0
        if not len(pixel):
            return (np.empty(0),) * 3
        world = self._wcs.wcs_pix2world(pixel, 1)
        spectral = world[:, 2] if n > 2 else np.full(len(world), np.nan)
        return world[:, 0], world[:, 1], spectral
