"""The celestial system of a cube, for the files that name it."""

from __future__ import annotations

from hisf.data.cube import Cube
from hisf.data.header import number, text


def celestial_frame(cube: Cube) -> tuple[str, float | None]:
    """Return the system of the catalogue's positions.

    Returns
    -------
    system : str
        ``galactic``, ``icrs``, ``fk5`` or ``fk4``; empty where positions are neither equatorial nor galactic. RADESYS
        says it, or else the equinox.
    equinox : float or None
        Year; None where the system has none.
    """
    wcs = cube.wcs
    if wcs is None:
        return "", None
    if wcs.axes[0].name == "l":
        return "galactic", None
    if not wcs.equatorial:
        return "", None
    equinox = number(cube.header, "EQUINOX", number(cube.header, "EPOCH"))
    frame = text(cube.header, "RADESYS", "ICRS" if equinox is None else "FK4" if wcs.besselian else "FK5").upper()
    if frame == "ICRS":
        return "icrs", None
    return ("fk4", equinox or 1950.0) if frame.startswith("FK4") else ("fk5", equinox or 2000.0)
