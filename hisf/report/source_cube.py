"""One source and its surroundings, and what is drawn of it: maps, spectrum, position-velocity slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from hisf.data.box import Box
from hisf.data.header import number, text
from hisf.data.spectral import LIGHT_KMS, SpectralAxis, read_axis
from hisf.data.units import Scales, read_scales
from hisf.data.wcs import WorldCoordinates, describe_axis
from hisf.errors import InputError
from hisf.stages.measure.width import edges_at
from hisf.stages.products.moments import add_up
from hisf.stages.products.pv import interpolate, slice_positions
from hisf.stages.products.spectra import channel_sums

SHOWN = {"Hz": ("kHz", 1e-3), "m/s": ("km/s", 1e-3)}  # units that make long numbers
TO_MAD = 0.6744897501960817  # median absolute deviation of a normal distribution in standard deviations
LEVELS = {"w20": 0.2, "w50": 0.5}


class Spectrum(NamedTuple):
    """Spectra of a source, one value per channel of its box.

    Attributes
    ----------
    channel : ndarray, shape (z,)
        The spectral coordinate, in `unit`.
    name, unit : str
        Of the coordinate: MHz, km/s, or channels where there are no world coordinates.
    masked, aperture : ndarray, shape (z,)
        Sum over the mask in every channel; sum over all pixels that the mask covers in any channel.
    flux_unit : str
        Jy where the data are in Jy/beam and the beam is known, otherwise that of the data.
    widths : dict of str to (start, end, level)
        Where the masked spectrum crosses 20 % and 50 % of its peak: channels of the box counted from 0, flux.
    """

    channel: np.ndarray
    name: str
    unit: str
    masked: np.ndarray
    aperture: np.ndarray
    flux_unit: str
    widths: dict[str, tuple[float, float, float]]


class Slice(NamedTuple):
    """A position-velocity slice through the centroid.

    Attributes
    ----------
    data : ndarray, shape (z, n)
        NaN outside the box.
    mask : ndarray of bool, shape (z, n)
    pixel : float
        Distance of two samples, arcsec; NaN without celestial coordinates.
    """

    data: np.ndarray
    mask: np.ndarray
    pixel: float


@dataclass(frozen=True, eq=False)
class SourceCube:
    """A source cut out of the cube.

    Attributes
    ----------
    label : int
        Its id in the catalogue.
    name : str
    box : Box
        The bounding box and its margin, in coordinates of the searched region.
    header : `~astropy.io.fits.Header`
        Of the box.
    data : ndarray, shape ``box.shape`` (z, y, x)
        What the source was measured on, NaN where blank.
    member : ndarray of bool, shape ``box.shape``
        The source's own voxels.
    x, y, z : float
        Centroid in pixels of the box, counted from 0.
    angle : float
        Of the slit: deg from +y, counter-clockwise.
    angle_name : str
        The column that it is taken from; empty if none was measured.
    threshold : float
        Voxels above it make moment 1, in data units: ``output.thresholdMom12`` times the local noise.
    """

    label: int
    name: str
    box: Box
    header: fits.Header
    data: np.ndarray
    member: np.ndarray
    x: float
    y: float
    z: float
    angle: float
    angle_name: str
    threshold: float

    @cached_property
    def scales(self) -> Scales:
        """Beam, unit and channel width."""
        return read_scales(self.header)

    @cached_property
    def wcs(self) -> WorldCoordinates | None:
        """Celestial and spectral coordinates of the box; None without celestial ones."""
        try:
            wcs = WorldCoordinates(self.header)
        except ValueError:
            return None
        return wcs if wcs.celestial else None

    @cached_property
    def axis(self) -> SpectralAxis | None:
        """The spectral axis of the box; None where channels have no frequency."""
        try:
            return read_axis(self.header, self.name)
        except InputError:
            return None

    @cached_property
    def outline(self) -> np.ndarray:
        """The mask on the sky: bool, shape (y, x)."""
        return np.any(self.member, axis=0)

    @cached_property
    def channels(self) -> slice:
        """The channels of the box in which the mask has a voxel, the first to the last."""
        z = np.flatnonzero(self.member.any(axis=(1, 2)))
        return slice(int(z[0]), int(z[-1]) + 1)

    @property
    def velocity_unit(self) -> str:
        """km/s, or channels where they have no frequency."""
        return "km/s" if self.axis else "channels"

    @cached_property
    def velocity(self) -> np.ndarray:
        """Velocity of every channel relative to the centroid, receding positive: shape (z,), `velocity_unit`.

        ``v = c (1 − ν/ν_c)``, in the frame of the source; channels from the centroid where they have no frequency.
        """
        z = np.arange(self.box.shape[0], dtype=float)
        if not self.axis:
            return z - self.z
        return LIGHT_KMS * (1.0 - self.axis.frequency(z) / self.axis.frequency(self.z))

    @property
    def moment0_unit(self) -> str:
        """Unit of `moment0`, for example ``Jy/beam kHz``."""
        unit, data = describe_axis(self.header, 3).unit, self.scales.unit
        return f"{data} {SHOWN.get(unit, (unit,))[0]}" if self.axis else data

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the voxels around the mask, from their median absolute deviation, in data units."""
        around = self.data[~self.member & np.isfinite(self.data)]
        return float(np.median(np.abs(around - np.median(around))) / TO_MAD) if around.size else float("nan")

    @property
    def moment0_noise(self) -> float:
        """Noise of the masked `moment0`, where the mask has the median number of channels."""
        depth = self.member.sum(axis=0)[self.outline]
        return self.noise * float(np.sqrt(np.median(depth))) * self._width

    @property
    def _width(self) -> float:
        """What moment 0 is multiplied by: the channel width in its unit; 1 without a spectral axis."""
        unit = describe_axis(self.header, 3).unit
        return self.scales.channel * SHOWN.get(unit, ("", 1.0))[1] if self.axis else 1.0

    def moment0(self, masked: bool) -> np.ndarray:
        """Return the flux times the channel width: float, shape (y, x), `moment0_unit`.

        Parameters
        ----------
        masked : bool
            Of the voxels of the mask, NaN outside its outline; otherwise of all voxels in the channels of the source,
            NaN where all of them are blank.
        """
        used = np.isfinite(self.data[self.channels])
        if masked:
            used &= self.member[self.channels]
        total = np.where(used, self.data[self.channels], 0.0).sum(axis=0, dtype=float) * self._width
        return np.where(used.any(axis=0), total, np.nan)

    @cached_property
    def moment1(self) -> np.ndarray:
        """Mean `velocity` of the voxels of the mask above the threshold, weighted by flux: float32, shape (y, x).

        NaN where no voxel is above it.
        """
        channels = [(z, self.data[z], self.member[z]) for z in range(self.box.shape[0])]
        return add_up(lambda: channels, self.box.shape[1:], self.velocity, 1.0, self.threshold).moment1

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectra of the mask and of its outline on the sky, with the widths of the former."""
        flux, unit = 1.0, self.scales.unit
        if self.scales.per_beam and self.scales.beam_known:
            flux, unit = 1.0 / self.scales.beam_area, "Jy"
        masked, aperture = (channel_sums(self.data, inside)[0] * flux for inside in (self.member, self.outline))
        sign = -1.0 if masked.sum() < 0 else 1.0
        own, low = sign * masked[self.channels], self.channels.start
        widths = {}
        for name, level in LEVELS.items():
            start, end = edges_at(own, level * own.max())
            widths[name] = (start + low, end + low, sign * level * float(own.max()))
        return Spectrum(*self._coordinate, masked, aperture, unit, widths)

    @property
    def _coordinate(self) -> tuple[np.ndarray, str, str]:
        """The spectral coordinate of the channels, its name and its unit, as they are drawn."""
        z = np.arange(self.box.shape[0], dtype=float)
        if not self.axis:
            return z + self.box.z0, "Channel", ""
        value = self.axis.start + self.axis.step * z
        if self.axis.kind == "frequency":
            return value / 1e6, "Frequency", "MHz"
        return value / 1e3, f"{self.axis.kind.capitalize()} velocity", "km/s"

    @cached_property
    def slice(self) -> Slice:
        """The position-velocity slice along `angle`, as long as the longer side of the box."""
        half = max(self.box.shape[1:]) // 2
        x, y = slice_positions(self.x, self.y, self.angle, half)
        mask = np.nan_to_num(interpolate(self.member.astype(float), x, y))
        pixel = float("nan")
        if self.wcs:
            step = np.array([-np.sin(np.radians(self.angle)), np.cos(np.radians(self.angle))])
            pixel = float(np.hypot(*(self.arcsec_per_pixel @ step)))
        return Slice(interpolate(self.data, x, y), mask >= 0.5, pixel)

    @cached_property
    def arcsec_per_pixel(self) -> np.ndarray:
        """Towards east and north (rows) for a step along x and y (columns); NaN without celestial coordinates."""
        return self.wcs.arcsec_per_pixel(self.x, self.y) if self.wcs else np.full((2, 2), np.nan)

    def beam(self, n: int = 48) -> np.ndarray | None:
        """Return the beam at half maximum, its outline around (0, 0): x, y in pixels, shape (n, 2); None if unknown."""
        major, minor = number(self.header, "BMAJ"), number(self.header, "BMIN")
        if not (major and minor and major > 0 and minor > 0 and np.isfinite(self.arcsec_per_pixel).all()):
            return None
        angle = np.radians(number(self.header, "BPA") or 0.0)  # from north through east
        t = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
        along, across = 1800.0 * major * np.cos(t), 1800.0 * minor * np.sin(t)
        east = along * np.sin(angle) + across * np.cos(angle)
        north = along * np.cos(angle) - across * np.sin(angle)
        return np.linalg.solve(self.arcsec_per_pixel, np.array([east, north])).T

    @property
    def directions(self) -> tuple[str, str]:
        """What the two directions of the compass are called: E and N, or +l and +b."""
        return ("E", "N") if text(self.header, "CTYPE1")[:2].upper() == "RA" else ("+l", "+b")


def readable_flux(values: np.ndarray, unit: str) -> tuple[float, str]:
    """Return a factor and the unit that it leads to, mJy or µJy and the like, which make short numbers of fluxes.

    Parameters
    ----------
    values : ndarray
        The largest of them counts.
    unit : str
        One that does not begin with Jy stays.
    """
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    if unit.startswith("Jy") and 0.0 < largest < 0.5:
        return (1e3, f"m{unit}") if largest > 5e-4 else (1e6, f"µ{unit}")
    return 1.0, unit
