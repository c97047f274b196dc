"""Beam, data unit and channel width: what turns sums of voxels into fluxes and pixels into widths."""

from __future__ import annotations

import math
from dataclasses import dataclass

from astropy.io import fits

from hisf.data.header import number, text

UNKNOWN_UNIT = "???"  # as SoFiA prints it
PER_BEAM = ("jy/beam", "jy*beam-1", "beam-1*jy")


@dataclass(frozen=True)
class Scales:
    """Physical scales of a cube.

    Attributes
    ----------
    unit : str
        Data unit as the catalogue prints it; ``???`` without BUNIT. Spellings of Jy/beam are unified (spec §3.11).
    beam_area : float
        Beam solid angle in pixels, from CDELT2; 1 where the beam is not known.
    beam_known : bool
    reliability_area : float
        The same from CDELT1, as the reliability cut takes it (spec sofia2 §3.9); 1 where unknown.
    channel : float
        |CDELT3| in the unit of CUNIT3; 1 where unknown.
    notes : tuple of str
        What is missing or doubtful in the header, and what is assumed instead.
    """

    unit: str
    beam_area: float
    beam_known: bool
    reliability_area: float
    channel: float
    notes: tuple[str, ...]

    @property
    def per_beam(self) -> bool:
        """Whether the data are in Jy/beam, so that physical units can be had."""
        return self.unit == "Jy/beam"


def read_scales(header: fits.Header) -> Scales:
    """Read the physical scales from a header."""
    notes = []
    unit = "*".join(text(header, "BUNIT").split())
    if unit.lower() in PER_BEAM:
        unit = "Jy/beam"
    bmaj, bmin = number(header, "BMAJ"), number(header, "BMIN")
    known = bool(bmaj and bmin)
    if not known:
        notes.append("BMAJ or BMIN is missing: fluxes are not divided by the beam area.")
    elif bmaj is not None and bmin is not None and (bmaj < 0 or bmin < 0):
        notes.append(f"BMAJ = {bmaj:g} and BMIN = {bmin:g} are not a beam: fluxes divided by its area mean nothing.")
    channel = number(header, "CDELT3")
    if not channel:
        notes.append("CDELT3 is missing: channels count as 1 wide.")
    return Scales(
        unit or UNKNOWN_UNIT,
        _area(bmaj, bmin, number(header, "CDELT2")),
        known and bool(number(header, "CDELT2")),
        _area(bmaj, bmin, number(header, "CDELT1")),
        abs(channel) if channel else 1.0,
        tuple(notes),
    )


def _area(bmaj: float | None, bmin: float | None, pixel: float | None) -> float:
    """π·BMAJ·BMIN/(4 ln 2·CDELT²), 1 where a keyword is missing or 0, or where that is no number."""
    if not bmaj or not bmin or not pixel or not pixel * pixel:
        return 1.0
    area = math.pi * bmaj * bmin / (4.0 * math.log(2.0) * pixel * pixel)
    return area if area and math.isfinite(area) else 1.0
