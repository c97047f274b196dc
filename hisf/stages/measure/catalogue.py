"""The catalogue of a run: what linker and dilation recorded, what was measured, in the units asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from hisf.data.catalogue import Catalogue
from hisf.data.columns import BASIC, FINDERS, MEASURED, Column
from hisf.data.cube import Cube
from hisf.data.header import text
from hisf.data.source import Source, SourceList
from hisf.data.units import UNKNOWN_UNIT
from hisf.data.voxels import Voxels
from hisf.data.wcs import WorldCoordinates
from hisf.settings import Settings
from hisf.stages.measure.contract import Cutout, Measurement
from hisf.stages.measure.names import equatorial_name, other_name, position_name

log = logging.getLogger(__name__)
Values = dict[str, np.ndarray]


def make_catalogue(
    sources: SourceList,
    voxels: Voxels,
    cube: Cube,
    settings: Settings,
    measurements: Sequence[Measurement],
    advance: Callable[[int], None],
    own: Sequence[Column] = (),
) -> Catalogue:
    """Measure all sources.

    Parameters
    ----------
    sources : SourceList
        With their final masks.
    voxels : Voxels
        The cube to measure on; read by the bounding box of each source.
    cube : Cube
        Header, world coordinates, beam and unit.
    settings : Settings
        Those of the section ``parameter``.
    measurements : sequence of Measurement
    advance : callable
        ``advance(1)`` after each source.
    own : sequence of Column
        Those of `hisf.data.columns.OWN` that the catalogue has, behind all others and without parametrisation too.
    """
    values = _recorded(sources)
    columns: list[Column] = list(BASIC)
    if settings["parameter.enable"]:
        rows = [_measure(sources, source, voxels, measurements, advance) for source in sources]
        values |= _stack(measurements, rows)
        known = {c.name for c in (*BASIC, *MEASURED)}
        columns += MEASURED
        columns += [c for m in measurements for c in m.columns if c.name not in known]
    wcs = cube.wcs if settings["parameter.enable"] and settings["parameter.wcs"] else None
    columns = [*_name_world_columns(columns, wcs), *own]
    if wcs:
        values |= _world(values, wcs)
    if settings["parameter.enable"]:
        values["name"] = _names(values, wcs, settings["parameter.prefix"], cube.improved)
    else:
        values["name"] = np.array([str(s.linker_label) for s in sources], object)
    values |= {column.name: _known(sources, column) for column in own}
    data, bunit = cube.scales.unit, text(cube.header, "BUNIT", cube.scales.unit)
    units = {"DATA": data, "BUNIT": bunit, "FLUX": data, "WIDTH": "pix"}
    if settings["parameter.enable"] and settings["parameter.physical"]:
        if cube.scales.per_beam:
            values, physical = _physical(values, cube, columns)
            units |= physical
        else:
            log.warning("parameter.physical has no effect: BUNIT is %s, not Jy/beam.", cube.scales.unit)
    resolved = [c.resolved(units.get(c.unit, c.unit)) for c in columns]
    if cube.improved:  # a unit that nobody knows is none
        resolved = [c.resolved("") if UNKNOWN_UNIT in c.unit else c for c in resolved]
    return Catalogue(tuple(resolved), values)


def _recorded(sources: SourceList) -> Values:
    """Return the columns of the linker and the dilation."""
    boxes = [s.box for s in sources]
    values = {
        "id": np.array([s.label for s in sources], np.int64),
        **{a: np.zeros(len(sources)) for a in "xyz"},
        **{f"{a}_min": np.array([getattr(b, f"{a}0") for b in boxes], np.int64) for a in "xyz"},
        **{f"{a}_max": np.array([getattr(b, f"{a}1") - 1 for b in boxes], np.int64) for a in "xyz"},
    }
    for name in ("n_pix", "f_min", "f_max", "f_sum", "rel", "flag", "fill", "mean", "std", "skew", "kurt"):
        values[name] = np.array([getattr(s, name) for s in sources])
    return values


def _known(sources: SourceList, column: Column) -> np.ndarray:
    """Return one of hisf's own columns."""
    if column is FINDERS:
        return np.array(["+".join(source.finders) for source in sources], object)
    return np.array([source.estimates.get(column.name, np.nan) for source in sources], float)


def _measure(
    sources: SourceList,
    source: Source,
    voxels: Voxels,
    measurements: Sequence[Measurement],
    advance: Callable[[int], None],
) -> dict[str, float]:
    """Run all measurements on one source."""
    labels = sources.paint(source.box)
    data = np.array(voxels.read(source.box), np.float64)
    negative = source.f_sum < 0
    if negative:
        np.negative(data, out=data)
    cutout = Cutout(source, source.box, data, labels == source.label, labels == 0, negative)
    for array in (cutout.data, cutout.member, cutout.free):
        array.flags.writeable = False
    found: dict[str, float] = {}
    for measurement in measurements:
        found |= measurement.measure(cutout, MappingProxyType(found))
    if negative:
        found["f_sum"], found["f_min"], found["f_max"] = -found["f_sum"], -found["f_max"], -found["f_min"]
    advance(1)
    return found


def _stack(measurements: Sequence[Measurement], rows: list[dict[str, float]]) -> Values:
    """Turn one dictionary per source into one array per column."""
    return {c.name: np.array([row[c.name] for row in rows]) for m in measurements for c in m.columns}


def _name_world_columns(columns: list[Column], wcs: WorldCoordinates | None) -> list[Column]:
    """Give the columns of world coordinates the names of the axes, or leave them out where there are none."""
    named = []
    for column in columns:
        if not column.unit.startswith("AXIS"):
            named.append(column)
        elif wcs:
            axis = wcs.axes[int(column.unit[-1]) - 1]
            suffix = "_peak" if column.name.endswith("_peak") else ""
            named.append(replace(column, name=axis.name + suffix, unit=axis.unit, ucd=axis.ucd))
    return named


def _world(values: Values, wcs: WorldCoordinates) -> Values:
    """Return the world coordinates of centroids and peaks, SI units (spec sofia2 §3.11)."""
    found: Values = {}
    for suffix in ("", "_peak"):
        world = wcs.to_world(*(values[f"{a}{suffix}"] for a in "xyz"))
        found |= {axis.name + suffix: w for axis, w in zip(wcs.axes, world, strict=True)}
    return found


def _names(values: Values, wcs: WorldCoordinates | None, prefix: str, improved: bool) -> np.ndarray:
    """Return the names of the sources."""
    if wcs is None:
        names = [f"{prefix}-{label:04d}" for label in values["id"]]
    else:
        positions = zip(values[wcs.axes[0].name], values[wcs.axes[1].name], strict=True)
        if wcs.equatorial:
            names = [equatorial_name(prefix, lon, lat, wcs.besselian) for lon, lat in positions]
        elif improved:
            names = [position_name(prefix, lon, lat, wcs.axes[0].name == "l") for lon, lat in positions]
        else:
            names = [other_name(prefix, lon, lat) for lon, lat in positions]
    return np.array(names, object)


def _physical(values: Values, cube: Cube, columns: Sequence[Column]) -> tuple[Values, dict[str, str]]:
    """Convert fluxes, widths and position errors to physical units (spec sofia2 §3.11)."""
    scales = cube.scales
    area, channel = scales.beam_area, scales.channel
    root = np.sqrt(area) if area >= 0 else np.nan  # of a negative beam, which SoFiA takes as it stands
    per_unit = {"FLUX": channel / area, "WIDTH": channel}
    factors = {c.name: per_unit[c.unit] for c in columns if c.unit in per_unit} | {"err_f_sum": channel / root}
    factors |= dict.fromkeys(("err_x", "err_y", "err_z"), root)
    converted = {name: v * factors[name] if name in factors else v for name, v in values.items()}
    width = cube.spectral_unit
    flux = f"Jy*{width}" if scales.beam_known else f"{scales.unit}*{width}"
    return converted, {"FLUX": flux, "WIDTH": width}
