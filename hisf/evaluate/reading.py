"""Any catalogue as one table: SDC2 text, VOTable and text of SoFiA and hisf, hisf's tables in FITS and HDF5.

What a file does not say, or says in a unit that cannot be compared, becomes a masked column and a note, never an error;
only positions and frequencies are needed. In SoFiA's layout world coordinates are in SI units (deg, Hz, m/s) whatever
unit is printed with them (spec sofia2 §3.11); widths and fluxes are in the unit that is printed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from hisf.data.sdc2_table import ESTIMATES
from hisf.errors import InputError
from hisf.evaluate.columns import COLUMNS, as_table
from hisf.evaluate.layouts import SDC2, RawTable, read_raw

LIGHT = 299792458.0  # m/s
REST = 1420405751.786  # Hz, the HI line
CONFIDENCES = ("confidence", "rel", "reliability")  # columns that rank detections; the first one present counts
POSITIONS = ("ra", "dec", "central_freq")  # without which nothing can be compared
SPELLINGS = {"HZ": "Hz", "KM/S": "km/s", "M/S": "m/s", "DEGREE": "deg"}


def read_catalogue(path: Path, rest: float = REST) -> QTable:
    """Read a catalogue.

    Parameters
    ----------
    path : Path
    rest : float
        Rest frequency in Hz, for velocity axes.

    Returns
    -------
    `~astropy.table.QTable`
        The columns of `hisf.evaluate.columns.COLUMNS`, masked where not known; ``meta`` has the layout and the notes.
        Widths are rest-frame widths ``c Δν/ν``, fluxes Jy Hz, positions as given (Galactic ones turned into ICRS).

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        It is no catalogue, or has no sky positions or no spectral positions.
    """
    return comparable(path, read_raw(path), rest)


def comparable(path: Path, raw: RawTable, rest: float = REST) -> QTable:
    """Return what was read from ``path`` as `read_catalogue` does, which see."""
    return _from_sdc2(raw) if raw.layout == SDC2 else _standard(path, raw, rest)


def _from_sdc2(raw: RawTable) -> QTable:
    values = {name: column for name, column in raw.columns.items() if column.dtype.kind == "f"}
    notes: list[str] = []
    confidence = _confidence(values, notes)
    if confidence is not None:
        values["confidence"] = confidence
    return as_table(values, raw.n, raw.layout, notes)


def _standard(path: Path, raw: RawTable, rest: float) -> QTable:
    """Turn SoFiA's columns into those in which catalogues are compared."""
    notes: list[str] = []
    numeric = {name: v for name, v in raw.columns.items() if v.dtype.kind == "f"}
    values = {}
    for name in COLUMNS:
        if name in numeric and name not in ("confidence", "w20", "central_freq"):
            values[name] = numeric[name]
    if "id" in values and not np.isfinite(values["id"]).all():
        del values["id"]
    values["ra"], values["dec"] = _positions(path, numeric)
    values["central_freq"] = _frequencies(path, numeric, rest)
    for name, estimate in ESTIMATES.items():  # of an appraisal, which counts more than what SoFiA measures
        if estimate in numeric and np.isfinite(numeric[estimate]).any():
            better = np.isfinite(numeric[estimate]) | (name not in POSITIONS)
            values[name] = np.where(better, numeric[estimate], values.get(name, np.nan))
    freq = values["central_freq"]
    _spectral_quantities(raw, numeric, values, freq, rest, notes)
    if "snr" not in values and {"f_sum", "err_f_sum"} <= set(numeric):
        with np.errstate(invalid="ignore", divide="ignore"):
            snr = np.abs(numeric["f_sum"]) / numeric["err_f_sum"]
        values["snr"] = np.where(np.isfinite(snr), snr, np.nan)
    confidence = _confidence(numeric, notes)
    if confidence is not None:
        values["confidence"] = confidence
    return as_table(values, raw.n, raw.layout, notes)


def _positions(path: Path, numeric: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    if {"ra", "dec"} <= set(numeric):
        return np.mod(numeric["ra"], 360.0), numeric["dec"]
    if {"l", "b"} <= set(numeric):
        sky = SkyCoord(numeric["l"], numeric["b"], unit="deg", frame="galactic").icrs
        return sky.ra.deg, sky.dec.deg
    raise InputError(f"{path} has no sky positions (columns ra and dec, or l and b); run with parameter.wcs = true.")


def _frequencies(path: Path, numeric: dict[str, np.ndarray], rest: float) -> np.ndarray:
    """Return frequencies (Hz); velocities are radio, optical, or (v_app) relativistic ones, in m/s."""
    for name in ("freq", "central_freq"):
        if name in numeric:
            return numeric[name]
    if "v_rad" in numeric:
        return rest * (1.0 - numeric["v_rad"] / LIGHT)
    if "v_opt" in numeric:
        return rest / (1.0 + numeric["v_opt"] / LIGHT)
    if "v_app" in numeric:
        beta = numeric["v_app"] / LIGHT
        return rest * np.sqrt((1.0 - beta) / (1.0 + beta))
    raise InputError(f"{path} has no spectral position (column freq, v_rad, v_opt or v_app).")


def _spectral_quantities(
    raw: RawTable, numeric: dict[str, np.ndarray], values: dict[str, np.ndarray], freq: np.ndarray, rest: float,
    notes: list[str],
) -> None:  # fmt: skip
    """Add w20 and line_flux_integral, from a frequency or a velocity axis; a note where the unit does not say."""
    per_velocity = _hertz_per_velocity(numeric, freq, rest)
    if "w20" in numeric and "w20" not in values:
        unit = printed_unit(raw.units.get("w20", ""))
        if unit is not None and unit.is_equivalent(units.Hz):
            values["w20"] = numeric["w20"] * unit.to(units.Hz) * LIGHT / freq / 1000.0
        elif unit is not None and unit.is_equivalent(units.m / units.s):
            hertz = numeric["w20"] * unit.to(units.m / units.s) * per_velocity
            values["w20"] = hertz * LIGHT / freq / 1000.0
        else:
            notes.append("Line widths are in channels, not compared; parameter.physical = true writes them as widths.")
    if "f_sum" not in numeric or "line_flux_integral" in values:
        return
    unit = printed_unit(raw.units.get("f_sum", ""))
    if unit is not None and unit.is_equivalent(units.Jy * units.Hz):
        values["line_flux_integral"] = numeric["f_sum"] * unit.to(units.Jy * units.Hz)
    elif unit is not None and unit.is_equivalent(units.Jy * units.m / units.s):
        values["line_flux_integral"] = numeric["f_sum"] * unit.to(units.Jy * units.m / units.s) * per_velocity
    else:
        notes.append(
            f"Fluxes are in {raw.units.get('f_sum') or 'no unit'}, not compared; "
            "parameter.physical = true writes them in Jy Hz or Jy km/s."
        )


def _hertz_per_velocity(numeric: dict[str, np.ndarray], freq: np.ndarray, rest: float) -> np.ndarray:
    """Return |dν/dv| (Hz per m/s) at every source, in the convention of its velocity axis."""
    if "v_opt" in numeric:
        return freq**2 / (LIGHT * rest)
    if "v_app" in numeric:
        beta = numeric["v_app"] / LIGHT
        return freq / (LIGHT * (1.0 - beta**2))
    return np.full(len(freq), rest / LIGHT)


def printed_unit(printed: str) -> units.UnitBase | None:
    """Return the unit that a file prints, in whatever spelling; None where it is not one."""
    factors = [SPELLINGS.get(part.strip().upper(), part.strip()) for part in printed.split("*")]
    try:
        unit = units.Unit(" ".join(factors))
    except (ValueError, TypeError):
        return None
    return unit if unit.bases else None


def _confidence(numeric: dict[str, np.ndarray], notes: list[str]) -> np.ndarray | None:
    """Return the column that ranks detections; SoFiA writes rel = 0 throughout where it was not determined."""
    for name in CONFIDENCES:
        if name in numeric:
            if name == "rel" and not np.any(numeric[name] > 0):
                notes.append("rel is 0 throughout: reliability was not determined, so detections are not ranked.")
                continue
            if not np.isfinite(numeric[name]).any():
                continue
            return numeric[name]
    return None
