"""Headers put right: what SoFiA takes as it stands, corrected where that gives wrong values (spec clients §4)."""

from __future__ import annotations

import math

from astropy.io import fits

from hisf.data.header import number, text

# spelling in lower case without blanks -> unit of the FITS standard
SPELLINGS = {
    "jy/beam": "Jy/beam",
    "jy*beam-1": "Jy/beam",
    "jybeam-1": "Jy/beam",
    "beam-1jy": "Jy/beam",
    "beam-1*jy": "Jy/beam",
    "mjy/beam": "mJy/beam",
    "jy": "Jy",
    "k": "K",
    "kelvin": "K",
    "deg": "deg",
    "degree": "deg",
    "degrees": "deg",
    "rad": "rad",
    "radian": "rad",
    "arcmin": "arcmin",
    "arcsec": "arcsec",
    "hz": "Hz",
    "khz": "kHz",
    "mhz": "MHz",
    "ghz": "GHz",
    "m/s": "m/s",
    "ms-1": "m/s",
    "km/s": "km/s",
    "kms-1": "km/s",
}
# unit of an axis -> that of the values that the catalogue has, and how many of it the former is
CATALOGUE_UNITS = {
    "kHz": ("Hz", 1e3),
    "MHz": ("Hz", 1e6),
    "GHz": ("Hz", 1e9),
    "km/s": ("m/s", 1e3),
    "rad": ("deg", 180.0 / math.pi),
    "arcmin": ("deg", 1.0 / 60.0),
    "arcsec": ("deg", 1.0 / 3600.0),
}


def repair_header(header: fits.Header) -> tuple[fits.Header, tuple[str, ...]]:
    """Return a header from which values and units come out right, and a sentence for everything that was changed.

    Units are spelled as in the FITS standard, axes are in Hz, m/s and deg, longitudes run from 0 to 360, and a beam
    that is none is taken out. Memory: a copy of the header.
    """
    header = header.copy()
    return header, (*_spell_units(header), *_convert_axes(header), *_wrap_longitudes(header), *_drop_beam(header))


def _spell_units(header: fits.Header) -> list[str]:
    notes = []
    for key in ("BUNIT", "CUNIT1", "CUNIT2", "CUNIT3"):
        found = text(header, key)
        standard = SPELLINGS.get("".join(found.split()).lower(), found)
        if standard != found:
            header[key] = standard
            notes.append(f"{key} = {found} is spelled {standard}.")
    return notes


def _convert_axes(header: fits.Header) -> list[str]:
    notes = []
    for n in (1, 2, 3):
        found = text(header, f"CUNIT{n}")
        if found not in CATALOGUE_UNITS:
            continue
        unit, factor = CATALOGUE_UNITS[found]
        for key in (f"CRVAL{n}", f"CDELT{n}", *(f"CD{n}_{m}" for m in (1, 2, 3, 4))):
            value = number(header, key)
            if value is not None:
                header[key] = value * factor
        header[f"CUNIT{n}"] = unit
        notes.append(f"Axis {n} is converted from {found} to {unit}.")
    return notes


def _wrap_longitudes(header: fits.Header) -> list[str]:
    notes = []
    for n in (1, 2):
        value = number(header, f"CRVAL{n}")
        longitude = text(header, f"CTYPE{n}").upper()[:4] in ("RA--", "GLON", "ELON", "SLON")
        if longitude and value is not None and not 0.0 <= value < 360.0 and math.isfinite(value):
            header[f"CRVAL{n}"] = value % 360.0
            notes.append(f"CRVAL{n} = {value:g} is counted from 0 to 360: {value % 360.0:g}.")
    return notes


def _drop_beam(header: fits.Header) -> list[str]:
    found = {key: number(header, key) for key in ("BMAJ", "BMIN")}
    wrong = [f"{key} = {value:g}" for key, value in found.items() if value is not None and not _is_width(value)]
    if not wrong:
        return []
    for key in ("BMAJ", "BMIN", "BPA"):
        header.remove(key, ignore_missing=True)
    return [f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} no beam, and is left out."]


def _is_width(value: float) -> bool:
    return math.isfinite(value) and value > 0
