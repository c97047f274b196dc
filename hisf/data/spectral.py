"""The spectral axis of a cube: channels, frequencies, velocities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from hisf.data.header import number, text
from hisf.errors import InputError

LIGHT_KMS = 299792.458
REST_HZ = 1420405751.786  # of the HI line
UNITS = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "m/s": 1.0, "m s-1": 1.0, "km/s": 1e3, "km s-1": 1e3}
# first four letters of CTYPE3 -> definition; VELO is the relativistic velocity (Greisen et al. 2006, Eqs. 1, 3, 5)
KINDS = {"FREQ": "frequency", "VRAD": "radio", "VOPT": "optical", "FELO": "optical", "VELO": "apparent"}


@dataclass(frozen=True)
class SpectralAxis:
    """An axis linear in frequency or in a velocity.

    Attributes
    ----------
    kind : str
        ``frequency``, ``radio``, ``optical`` or ``apparent``.
    start : float
        Value at channel 0, Hz or m/s.
    step : float
        Per channel, of either sign, Hz or m/s.
    rest_hz : float
        Rest frequency of the line.
    """

    kind: str
    start: float
    step: float
    rest_hz: float = REST_HZ

    def frequency(self, z: np.ndarray | float) -> np.ndarray:
        """Return the frequency, Hz, at zero-based channels ``z`` (any shape)."""
        value = self.start + self.step * np.asarray(z, float)
        if self.kind == "frequency":
            return value
        beta = value / (1e3 * LIGHT_KMS)
        if self.kind == "radio":
            return self.rest_hz * (1.0 - beta)
        if self.kind == "optical":
            return self.rest_hz / (1.0 + beta)
        return self.rest_hz * np.sqrt((1.0 - beta) / (1.0 + beta))

    def channel(self, frequency_hz: np.ndarray | float) -> np.ndarray:
        """Return the zero-based channel, a float, at a frequency in Hz (any shape)."""
        ratio = np.asarray(frequency_hz, float) / self.rest_hz
        if self.kind == "frequency":
            value = ratio * self.rest_hz
        elif self.kind == "radio":
            value = 1e3 * LIGHT_KMS * (1.0 - ratio)
        elif self.kind == "optical":
            value = 1e3 * LIGHT_KMS * (1.0 / ratio - 1.0)
        else:
            value = 1e3 * LIGHT_KMS * (1.0 - ratio**2) / (1.0 + ratio**2)
        return (value - self.start) / self.step

    def width_hz(self, frequency_hz: float) -> float:
        """Return the width of a channel at a frequency, Hz, positive."""
        z = float(self.channel(frequency_hz))
        return abs(float(self.frequency(z + 0.5) - self.frequency(z - 0.5)))

    def channels_per_kms(self, frequency_hz: float) -> float:
        """Return dz/dv at a frequency, v in km/s in the frame of the source, receding positive.

        ``v = c (1 − ν/ν_c)``, the convention of the SDC2 widths (w20 = c Δν/ν_c).
        """
        z, half = float(self.channel(frequency_hz)), 0.5
        slope_hz = float(self.frequency(z + half) - self.frequency(z - half))
        return -frequency_hz / LIGHT_KMS / slope_hz


def read_axis(header: fits.Header, name: str) -> SpectralAxis:
    """Return the spectral axis of a header (axis 3).

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
    name : str
        Of the file, for messages.

    Raises
    ------
    InputError
        CTYPE3, CRVAL3, CDELT3 or CUNIT3 is missing or not usable.
    """
    ctype = text(header, "CTYPE3")
    kind = KINDS.get(ctype[:4].upper())
    if kind is None:
        raise InputError(f"{name}: CTYPE3 = {ctype or 'blank'} is none of {', '.join(KINDS)}.")
    unit = text(header, "CUNIT3")
    if unit.lower() not in UNITS:
        raise InputError(f"{name}: CUNIT3 = {unit} is none of Hz, kHz, MHz, GHz, m/s, km/s.")
    scale = UNITS[unit.lower()]
    value, step = number(header, "CRVAL3"), number(header, "CDELT3", number(header, "CD3_3"))
    if value is None or not step:
        raise InputError(f"{name}: CRVAL3 or CDELT3 is missing; without them channels have no frequency.")
    reference = number(header, "CRPIX3", 1.0)
    assert reference is not None
    rest = number(header, "RESTFRQ", number(header, "RESTFREQ", REST_HZ))
    if rest is None or abs(rest / REST_HZ - 1.0) > 1e-3:  # not that of HI: a slip, spec forska §1.2
        rest = REST_HZ
    return SpectralAxis(kind, (value - (reference - 1.0) * step) * scale, step * scale, rest)
