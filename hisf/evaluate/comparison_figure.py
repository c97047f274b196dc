"""One figure of a comparison: the sky, flux against width, fluxes of the same sources, signal-to-noise ratios."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hisf.evaluate.columns import numbers
from hisf.evaluate.comparison import Comparison
from hisf.evaluate.figures import STYLE, WIDTH
from hisf.evaluate.outputs import Output, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# marker, colour (told apart by the colour-blind), size; of sources in both, only in A, only in B
LOOKS = (("o", "#8c8c8c", 1.0), ("^", "#0072b2", 1.2), ("s", "#d55e00", 1.0))
FLUXES = ("f_sum", "line_flux_integral", "hi_flux")  # the first column that both have
LINE_WIDTHS = ("w50", "w20", "hi_w20")
WORDS = {"f_sum": "Integrated flux", "line_flux_integral": "Integrated flux", "hi_flux": "Integrated flux",
         "w50": "Line width", "w20": "Line width", "hi_w20": "Line width"}  # fmt: skip
SHOWN = {"Hz": ("kHz", 1e-3), "m/s": ("km/s", 1e-3)}  # units that make long numbers
LOW, HIGH = 15.87, 84.13  # percentiles of one standard deviation
BINS = 16


class _Class(NamedTuple):
    """Sources of one class: the catalogue that their values are taken from, and their rows."""

    label: str
    output: Output
    rows: np.ndarray
    look: tuple[str, str, float]


def draw_comparison(result: Comparison, path: Path, kind: str) -> None:
    """Draw the panels for which there are data.

    Sources in both catalogues have the values of A.

    Parameters
    ----------
    result : Comparison
    path : Path
    kind : str
        ``png``, ``pdf`` or ``svg``.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    a, b = short_names(result.a, result.b)
    classes = [
        _Class(f"in both ({len(result.rows_a)})", result.a, result.rows_a, LOOKS[0]),
        _Class(f"only {a} ({len(result.only_a)})", result.a, result.only_a, LOOKS[1]),
        _Class(f"only {b} ({len(result.only_b)})", result.b, result.only_b, LOOKS[2]),
    ]
    panels = _panels(result, classes, (a, b))
    with rc_context(STYLE | {"svg.hashsalt": "hisf"}):
        columns = min(2, max(1, len(panels)))
        rows = max(1, -(-len(panels) // columns))
        figure = Figure(figsize=(WIDTH * columns, 0.3 + 2.9 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, panel in zip(axes, panels, strict=False):
            panel(ax)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        handles = [
            figure.axes[0].plot([], [], marker, color=colour, ms=5 * size, label=c.label, **_fill(colour, marker))[0]
            for c in classes
            for marker, colour, size in [c.look]
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=8)
        # no dates, so that the same catalogues give the same bytes
        stamps: dict[str, Any] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
        figure.savefig(path, format=kind, metadata=stamps[kind])


def _panels(result: Comparison, classes: list[_Class], names: tuple[str, str]) -> list[Callable[[Axes], None]]:
    """Return what draws each panel."""
    panels: list[Callable[[Axes], None]] = [lambda ax: _draw_sky(ax, classes)]
    flux, width = (_common(result, candidates) for candidates in (FLUXES, LINE_WIDTHS))
    if flux and width:
        panels.append(lambda ax: _draw_plane(ax, classes, flux, width))
    if flux and len(result.rows_a):
        panels.append(lambda ax: _draw_ratio(ax, result, flux, names))
    if all(c.output.table is not None for c in classes) or flux:
        panels.append(lambda ax: _draw_histogram(ax, classes, flux))
    return panels


def _common(result: Comparison, names: tuple[str, ...]) -> str:
    """Return the first of the columns that both catalogues have in the same unit; empty where there is none."""
    compared = [column.name for column in result.columns]
    a, b = result.a.raw.columns, result.b.raw.columns
    return next((name for name in names if name in compared and name in a and name in b), "")


def _fill(colour: str, marker: str) -> dict[str, Any]:
    """Return the face of a marker: that of sources in both is open, so that it hides nothing."""
    return {"ls": "none", "mec": colour, "mew": 0.8, "mfc": "none" if marker == "o" else colour}


def _scatter(ax: Axes, classes: list[_Class], points: list[tuple[np.ndarray, np.ndarray]]) -> None:
    size = float(np.clip(40.0 / np.sqrt(sum(len(c.rows) for c in classes) or 1), 1.5, 4.5))
    for c, (x, y) in zip(classes, points, strict=True):
        marker, colour, scale = c.look
        ax.plot(x, y, marker, color=colour, ms=size * scale, **_fill(colour, marker))


def _draw_sky(ax: Axes, classes: list[_Class]) -> None:
    """Draw positions on the sky, east to the left; in pixels where there are no world coordinates."""
    tables = [c.output.table for c in classes]
    if any(table is None for table in tables):
        _scatter(ax, classes, [(_column(c, "x"), _column(c, "y")) for c in classes])
        ax.set_xlabel("x [pix]")
        ax.set_ylabel("y [pix]")
        ax.set_aspect("equal", adjustable="datalim")
        return
    ra, dec = ([numbers(t, name)[c.rows] for t, c in zip(tables, classes, strict=True)] for name in ("ra", "dec"))
    every = np.radians(np.concatenate(ra))
    centre = np.degrees(np.arctan2(np.nansum(np.sin(every)), np.nansum(np.cos(every)))) % 360.0 if len(every) else 0.0
    ra = [centre + (values - centre + 180.0) % 360.0 - 180.0 for values in ra]  # not torn apart at 0 h
    _scatter(ax, classes, list(zip(ra, dec, strict=True)))
    ax.set_xlabel("Right ascension [deg]")
    ax.set_ylabel("Declination [deg]")
    middle = np.radians(np.nanmean(np.concatenate(dec))) if len(every) else 0.0
    ax.set_aspect(1.0 / max(np.cos(middle), 0.05), adjustable="datalim")
    ax.invert_xaxis()
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_formatter().set_useOffset(False)  # type: ignore[attr-defined]
    ax.locator_params(axis="x", nbins=5)


def _draw_plane(ax: Axes, classes: list[_Class], flux: str, width: str) -> None:
    _scatter(ax, classes, [(_column(c, width), _column(c, flux)) for c in classes])
    _logarithmic(ax, "x")
    _logarithmic(ax, "y")
    ax.set_xlabel(_name(classes[0].output, width))
    ax.set_ylabel(_name(classes[0].output, flux))


def _draw_ratio(ax: Axes, result: Comparison, flux: str, names: tuple[str, str]) -> None:
    """Draw the ratio of the fluxes of sources in both, its median and the middle two thirds."""
    a, b = (_Class("", o, r, LOOKS[0]) for o, r in ((result.a, result.rows_a), (result.b, result.rows_b)))
    x, y = _column(a, flux), _column(b, flux)
    good = (x > 0) & (y > 0)
    x, ratio = x[good], y[good] / x[good]
    marker, colour, _ = LOOKS[0]
    ax.axhline(1.0, color="k", lw=0.7, ls=":")
    if len(ratio):
        low, median, high = np.percentile(ratio, (LOW, 50.0, HIGH))
        ax.axhspan(low, high, color=colour, alpha=0.15, lw=0)
        ax.axhline(median, color=colour, lw=1.2)
        ax.plot(x, ratio, marker, ms=3.5, **_fill("#4d4d4d", marker))
        text = f"median {median:.3g}, 68 % within {low:.3g} – {high:.3g}"
        ax.text(0.97, 0.96, text, transform=ax.transAxes, ha="right", va="top", fontsize=7)
        ax.set_ylim(0.0, max(1.35 * ratio.max(), 1.6))
    _logarithmic(ax, "x")
    ax.set_xlabel(_name(result.a, flux, f" of {names[0]}"))
    ax.set_ylabel(f"{flux}, {names[1]} / {names[0]}")


def _draw_histogram(ax: Axes, classes: list[_Class], flux: str) -> None:
    """Draw how many sources of each class there are, against signal-to-noise ratio, failing that flux."""
    from matplotlib.ticker import MaxNLocator

    values = [numbers(c.output.table, "snr")[c.rows] if c.output.table is not None else np.empty(0) for c in classes]
    label = "Integrated signal-to-noise ratio"
    if flux and not all(len(v) == len(c.rows) and np.isfinite(v).all() for v, c in zip(values, classes, strict=True)):
        values, label = [_column(c, flux) for c in classes], _name(classes[0].output, flux)
    values = [v[np.isfinite(v) & (v > 0)] for v in values]
    every = np.concatenate(values)
    if len(every):
        low, high = every.min(), every.max()
        edges = np.geomspace(low * 0.98, max(high, low * 1.1) * 1.02, BINS + 1)
        ax.hist(values, bins=edges.tolist(), stacked=True, color=[c.look[1] for c in classes], ec="white", lw=0.4)
    _logarithmic(ax, "x")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(label)
    ax.set_ylabel("Sources")


def _column(c: _Class, name: str) -> np.ndarray:
    values = c.output.raw.columns.get(name)
    if values is None:
        return np.full(len(c.rows), np.nan)
    return values[c.rows] * SHOWN.get(c.output.raw.units.get(name, ""), ("", 1.0))[1]


def _name(output: Output, column: str, whose: str = "") -> str:
    """Return the label of an axis: words, column, unit."""
    unit = output.raw.units.get(column, "")
    unit = SHOWN.get(unit, (unit,))[0].replace("*", " ").replace(" / ", "/")
    words = f"{WORDS[column]} {column}{whose}"
    return f"{words} [{unit}]" if unit else words


def _logarithmic(ax: Axes, axis: str) -> None:
    """Make an axis logarithmic, with plain numbers at 1, 2, 5, 10, …, and at more steps where it is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not np.isfinite(ax.dataLim.minposx if axis == "x" else ax.dataLim.minposy):
        return  # nothing positive to show
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    low, high = ax.get_xlim() if axis == "x" else ax.get_ylim()
    steps = (1.0, 2.0, 5.0) if high > 8.0 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    shown = ax.xaxis if axis == "x" else ax.yaxis
    shown.set_major_locator(LogLocator(subs=steps))
    shown.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    shown.set_minor_formatter(NullFormatter())
