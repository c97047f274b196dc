"""Source names from positions (spec sofia2 §3.11)."""

from __future__ import annotations

import math

import numpy as np

WALLABY = "WALLABY"


def equatorial_name(prefix: str, ra: float, dec: float, besselian: bool) -> str:
    """Return a name such as ``SoFiA J115948.42-300036.8``.

    Hours, degrees and minutes are rounded down, seconds rounded by the print format, so that 60.00 can appear as in
    SoFiA. With the prefix ``WALLABY`` seconds are integers, truncated.

    Parameters
    ----------
    prefix : str
    ra, dec : float
        Degrees.
    besselian : bool
        Whether positions refer to an equinox before 2000 (B in the name instead of J).
    """
    if not (np.isfinite(ra) and np.isfinite(dec)):
        return f"{prefix} unknown"
    hours, degrees = ra / 15.0, abs(dec)
    h = math.floor(hours)  # of a negative right ascension too, as SoFiA prints it
    m = int(60.0 * (hours - h))
    s = 3600.0 * (hours - h - m / 60.0)
    d, am = int(degrees), int(60.0 * (degrees - int(degrees)))
    arcsec = 3600.0 * (degrees - d - am / 60.0)
    sign = "-" if dec < 0 else "+"
    epoch = "B" if besselian else "J"
    if prefix == WALLABY:
        return f"{prefix} {epoch}{h:02d}{m:02d}{int(s):02d}{sign}{d:02d}{am:02d}{int(arcsec):02d}"
    return f"{prefix} {epoch}{h:02d}{m:02d}{s:05.2f}{sign}{d:02d}{am:02d}{arcsec:04.1f}"


def position_name(prefix: str, longitude: float, latitude: float, galactic: bool) -> str:
    """Return a name with the sign of the latitude, such as ``SoFiA G179.9517-30.0102``; without G if not Galactic."""
    return f"{prefix} {'G' if galactic else ''}{longitude:08.4f}{latitude:+08.4f}"


def other_name(prefix: str, longitude: float, latitude: float) -> str:
    """Return a name for other coordinates, such as ``SoFiA 179.9517+30.0102``; the sign is that of the longitude."""
    return f"{prefix} {longitude:08.4f}{'-' if longitude < 0 else '+'}{latitude:07.4f}"
