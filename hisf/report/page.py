"""The report of a run: one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hisf import __version__
from hisf.data.columns import BASIC, MEASURED, OWN
from hisf.data.source import Flag
from hisf.evaluate.layouts import RawTable
from hisf.report.finished import FinishedRun, products_of
from hisf.report.overview import sky_overview, spectral_overview
from hisf.report.panels import FLUX, VELOCITY, source_panels
from hisf.report.picture import hex_colours
from hisf.stages.products.stamp import reproducible
from hisf.stages.products.writing import report_path, write_file

PAGE = Path(__file__).with_name("page")
HELP = {column.name: column.help for column in (*BASIC, *MEASURED, *OWN)}
WORLD = ("ra", "dec", "l", "b", "freq", "v_rad", "v_opt", "v_app", "hi_ra", "hi_dec", "hi_freq")
# columns that are shown at first; places in pixels where there are no others
MAIN = ("id", "name", "ra", "dec", "l", "b", "freq", "v_rad", "v_opt", "v_app", "f_sum", "w50", "n_pix", "rel",
        "confidence", "flag", "finders")  # fmt: skip
PIXELS = ("x", "y", "z")
READABLE = {"Hz": ("kHz", 1e-3), "m/s": ("km/s", 1e-3)}  # units that make long numbers
FLAGS = {Flag.SPATIAL_EDGE: "spatial edge", Flag.SPECTRAL_EDGE: "spectral edge", Flag.BLANK: "blank voxels",
         Flag.NEIGHBOUR: "neighbour"}  # fmt: skip
FACTS = ("n_pix", "rms", "hi_flux", "hi_size", "hi_incl", "hi_pa", "hi_w20", "finders")
MANY = 100  # sources; the images of more are averaged to fewer pixels, so that 500 sources stay below 20 MB
PIXELS_OF_FEW, PIXELS_OF_MANY = 192, 80  # along a side
GRADIENT = 12  # stops of the gradient of a colour bar


class Cell(NamedTuple):
    """One value of the table: as it is shown, and in full for sorting; the latter empty where both are the same."""

    text: str
    value: str


class Head(NamedTuple):
    """One column of the table."""

    name: str
    unit: str
    help: str
    numeric: bool
    main: bool


class Fact(NamedTuple):
    """One line of what is said of a source."""

    name: str
    text: str


def write_report(run: FinishedRun) -> Path:
    """Write ``NAME_report.html`` beside the products of a run; return its path.

    Raises
    ------
    FileAccessError
        It cannot be written, or the cube or mask of the run is not there.
    InputError
        The files are of different runs.
    """
    text = as_page(run)
    return write_file(report_path(run.base), lambda beside: beside.write_text(text, encoding="utf-8"))


def as_page(run: FinishedRun) -> str:
    """Return the report as HTML; what stands in names, headers and settings is escaped."""
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    table, record = run.table, run.record
    return environment.get_template("report.html").render(
        name=run.base.name,
        version=__version__,
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}",
        style=Markup(style),
        script=Markup(script),
        gradients={name: hex_colours(name, GRADIENT) for name in (FLUX, VELOCITY)},
        summary=_summary(run),
        warnings=record["warnings"],
        error=record.get("error", ""),
        sky=sky_overview(table) if table.n else "",
        spectral=spectral_overview(table) if table.n else "",
        heads=_heads(table),
        rows=_rows(table),
        sources=_sources(run),
        settings=_settings(record),
        timings=[] if reproducible() else _timings(record),
        products=sorted(products_of(record)),
    )


def _digest(text: str) -> str:
    """Return what a Content-Security-Policy calls this text by, so that no other script or style is accepted."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _summary(run: FinishedRun) -> list[Fact]:
    record = run.record
    nz, ny, nx = record["cube"]["shape"]
    plugins, rms = record.get("plugins", {}), record["cube"].get("rms")
    # steps before the search may have divided the data by their noise
    unit = "" if plugins.get("precondition") else run.table.units.get("rms", "")
    finders = " + ".join(plugins.get("finders", {})) or "none"
    facts = [
        Fact("Sources", str(record["sources"])),
        Fact("Finder", finders),
        Fact("Cube", run.settings["input.data"].replace("\\", "/").rpartition("/")[2]),
        Fact("Size", f"{nx} × {ny} × {nz} (x, y, z)"),
        Fact("Noise of the searched cube", f"{rms:.4g} {unit}".strip() if rms is not None else "not known"),
        Fact("Voxels detected", str(record.get("voxels_detected", 0))),
        Fact("Sources linked", str(record.get("sources_linked", 0))),
        Fact("Appraised by", ", ".join(plugins.get("appraise", {}))),
        Fact("Date", f"{record.get('date', '').replace('T', ' ')} UTC"),
        Fact("Version", f"hisf {record['hisf']}"),
    ]
    if not reproducible():
        facts.append(Fact("Time", f"{sum(timing['seconds'] for timing in record['timings']):.2f} s"))
    return [fact for fact in facts if fact.text]


def _heads(table: RawTable) -> list[Head]:
    heads = []
    for name, values in table.columns.items():
        main = name in MAIN or (name in PIXELS and not {"ra", "l"} & set(table.columns))
        main &= not (name == "rel" and not np.any(values > 0))  # 0: not determined
        heads.append(Head(name, table.units.get(name, ""), HELP.get(name, ""), values.dtype.kind == "f", bool(main)))
    return heads


def _rows(table: RawTable) -> Iterator[tuple[int, list[Cell]]]:
    """Yield the id and the cells of every source."""
    for row in range(table.n):
        yield int(table.columns["id"][row]), [_cell(name, values[row]) for name, values in table.columns.items()]


def _cell(name: str, value: Any) -> Cell:
    if isinstance(value, str):
        return Cell(value, "")
    if float(value).is_integer() and abs(value) < 1e15:
        return Cell(str(int(value)), "")
    if not np.isfinite(value):
        return Cell("–", str(float(value)))
    return Cell(_short(name, float(value)), repr(float(value)))


def _short(name: str, value: float) -> str:
    """Return a value to read: world coordinates to ten digits, others to five."""
    return f"{value:.10g}" if name.removesuffix("_peak") in WORLD else f"{value:.5g}"


def _sources(run: FinishedRun) -> Iterator[dict[str, Any]]:
    """Yield what is shown of every source; memory: one of them."""
    most = PIXELS_OF_FEW if run.table.n <= MANY else PIXELS_OF_MANY
    for row, source in enumerate(run.sources()):
        flag = int(_value(run.table, "flag", row, 0.0))
        yield {
            "id": source.label,
            "name": source.name,
            "facts": list(_facts(run.table, row)),
            "chances": [
                (name, value)
                for name in ("confidence", "rel")
                if np.isfinite(value := _value(run.table, name, row, np.nan)) and value > 0
            ],
            "flags": [word for bit, word in FLAGS.items() if flag & bit],
            "panels": source_panels(source, most),
        }


def _value(table: RawTable, name: str, row: int, missing: float) -> float:
    return float(table.columns[name][row]) if name in table.columns else missing


def _facts(table: RawTable, row: int) -> Iterator[Fact]:
    columns = table.columns
    if "ra" in columns and "dec" in columns:
        yield Fact("RA, Dec", _sexagesimal(columns["ra"][row], columns["dec"][row]))
    elif "l" in columns and "b" in columns:
        yield Fact("l, b", f"{columns['l'][row]:.5f}°, {columns['b'][row]:.5f}°")
    yield Fact("x, y, z", ", ".join(f"{columns[axis][row]:.2f}" for axis in "xyz"))
    for name in ("freq", "v_rad", "v_opt", "v_app", "f_sum", "w50", "w20", *FACTS):
        if name not in columns:
            continue
        value, error = columns[name][row], _value(table, f"err_{name}", row, np.nan)
        if isinstance(value, str):
            yield Fact(name, value)
        elif np.isfinite(value):
            unit = table.units.get(name, "")
            unit, factor = ("MHz", 1e-6) if name == "freq" and unit == "Hz" else READABLE.get(unit, (unit, 1.0))
            shown = float(value) * factor
            said = f"{shown:.8g}" if name in WORLD else _with_error(shown, error * factor)
            yield Fact(name, f"{said} {unit}".strip())


def _with_error(value: float, error: float) -> str:
    """Return a value and its uncertainty, to two digits of the latter; a value without one to five digits."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.5g}"
    places = int(1 - np.floor(np.log10(error)))
    return f"{round(value, places):.{max(0, places)}f} ± {round(error, places):.{max(0, places)}f}"


def _sexagesimal(ra: float, dec: float) -> str:
    if not np.isfinite(ra + dec):
        return "–"
    from astropy.coordinates import Angle

    hours = Angle(ra % 360.0, "deg").to_string(unit="hourangle", sep=":", precision=2, pad=True)
    return f"{hours}, {Angle(dec, 'deg').to_string(sep=':', precision=1, pad=True, alwayssign=True)}"


def _settings(record: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return name, value and origin of the settings that were given, and of those that were not."""
    listed = [(name, str(s["value"]), str(s["origin"])) for name, s in record["settings"].items()]
    return {
        "given": [setting for setting in listed if setting[2] != "default"],
        "default": [setting for setting in listed if setting[2] == "default"],
    }


def _timings(record: dict[str, Any]) -> list[tuple[str, float, str]]:
    """Return stage, seconds and what was done of every stage."""
    return [(t["stage"], float(t["seconds"]), f"{t['done']} {t['unit']}{'s' * (t['done'] != 1)}")
            for t in record["timings"]]  # fmt: skip
