"""Figures of a record: the trade-off curve, and those of Håkansson et al. (2023), Figs. 6 to 8, on the same axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.evaluate.figures import COLOURS, WIDTH, write_figures
from hisf.evaluate.statistics import ATTRIBUTES
from hisf.tune.analysis import (
    BAND,
    area,
    band,
    best_rankings,
    compared,
    completeness_by_flux,
    fluxes,
    hull,
    maximum_reliability,
    plane,
)
from hisf.tune.record import Record, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("size", "flux", "w20", "position angle", "inclination")  # errors against reliability
RELIABILITY, COMPLETENESS, FLUX = "Reliability", "Completeness", "Line flux integral [Jy Hz]"
GREY = "0.6"


def draw_record(record: Record, base: Path, best: Trial | None) -> list[Path]:
    """Write every figure for which there are data.

    Parameters
    ----------
    record : Record
    base : Path
        Folder and base name of the figures.
    best : Trial or None
        Marked in the trade-off curve.

    Raises
    ------
    FileAccessError
        A file cannot be written.
    """
    trials = compared(record)
    if not trials:
        return []
    flux = fluxes(record)
    drawings: dict[str, Callable[[], Figure]] = {
        "tradeoff": partial(_draw_tradeoff, trials, best),
        "ranking": partial(_draw_ranking, trials),
    }
    if any(bin_.n for bin_ in completeness_by_flux(trials[0], flux)):
        drawings["flux"] = partial(_draw_flux, trials, flux)
    if np.isfinite(maximum_reliability(trials, len(flux))).any():
        drawings["sources"] = partial(_draw_sources, trials, flux)
    return write_figures({f"{base.name}_{name}": draw for name, draw in drawings.items()}, base.parent)


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _draw_tradeoff(trials: list[Trial], best: Trial | None) -> Figure:
    figure, axes = _figure(WIDTH, 2.9)
    ax, sets = axes[0, 0], hull(trials)
    r, c = plane(trials)
    ax.plot(c, r, ".", color=GREY, ms=3, label="trials")
    precision = f"best sets, Σ ΔC·R = {area(sets):.3f}"
    ax.plot(*plane(sets)[::-1], "o-", color=COLOURS["completeness"], ms=3, label=precision)
    own = next((trial for trial in trials if trial.number == 0), None)
    for trial, marker, label in ((own, "s", "par file"), (best, "*", "best trial")):
        if trial is not None:
            score = "" if trial.average_precision is None else f", AP {trial.average_precision:.3f}"
            style = {"color": COLOURS["reliability"], "ms": 8 if marker == "*" else 4, "ls": ""}
            ax.plot(trial.completeness, trial.reliability, marker=marker, label=label + score, **style)
    ax.set_xlabel(COMPLETENESS)
    ax.set_ylabel(RELIABILITY)
    ax.set_xlim(left=0.0)
    ax.set_ylim(0.0, 1.03)
    ax.legend(loc="lower left")
    return figure


def _draw_ranking(trials: list[Trial]) -> Figure:
    """Draw completeness, and the errors of attributes, against reliability, coloured by the best ranking (Fig. 6)."""
    from matplotlib.colors import LogNorm

    r, c = plane(trials)
    ranks = best_rankings(r, c)
    panels = [(COMPLETENESS, c)]
    for name in SHOWN:
        values = np.array([trial.errors.get(name, np.nan) for trial in trials], float)
        if np.isfinite(values).any():
            unit = ATTRIBUTES[name][1]
            panels.append((f"Median |Δ {name}| " + (f"[{unit}]" if unit else f"/ {name}"), values))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = _figure(WIDTH * columns * 0.75, 2.4 * rows, rows, columns)
    order = np.argsort(-ranks, kind="stable")  # the best on top
    norm = LogNorm(1, max(2, int(ranks.max())))
    for ax, (label, values) in zip(axes.flat, panels, strict=False):
        points = ax.scatter(r[order], values[order], c=ranks[order], s=7, norm=norm, cmap="viridis_r")
        ax.set_xlabel(RELIABILITY)
        ax.set_ylabel(label)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    figure.colorbar(points, ax=axes, label="Best ranking")
    return figure


def _draw_flux(trials: list[Trial], flux: np.ndarray) -> Figure:
    """Draw the completeness of the best sets by flux, coloured by their reliability (Fig. 7)."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure, axes = _figure(WIDTH, 2.6)
    ax, sets = axes[0, 0], hull(trials)
    r, _ = plane(sets)
    norm = Normalize(r.min(), r.max() if r.max() > r.min() else r.min() + 1e-3)
    for trial, reliability in zip(sets, r, strict=True):
        bins = [b for b in completeness_by_flux(trial, flux) if b.n]
        centre = np.sqrt([b.low * b.high for b in bins])
        ax.plot(centre, [b.share for b in bins], color=colormaps["viridis"](norm(reliability)), lw=0.9)
    _flux_axis(ax)
    ax.set_ylabel(COMPLETENESS)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=ax, label=RELIABILITY)
    return figure


def _draw_sources(trials: list[Trial], flux: np.ndarray) -> Figure:
    """Draw the maximum reliability of every source against its flux, with its scatter (Fig. 8)."""
    figure, axes = _figure(WIDTH, 2.6)
    ax, largest = axes[0, 0], maximum_reliability(trials, len(flux))
    ax.plot(flux, largest, ".", color=COLOURS["completeness"], ms=3, alpha=0.6, label="sources of the truth")
    x, low, middle, high = np.transpose(band(flux, largest))
    ax.fill_between(x, low, high, color=COLOURS["reliability"], alpha=0.25, lw=0)
    ax.plot(x, middle, color=COLOURS["reliability"], label=f"median, {BAND[0]:g} % to {BAND[2]:g} %")
    _flux_axis(ax)
    ax.set_ylabel("Maximum reliability")
    ax.legend(loc="lower right")
    return figure


def _flux_axis(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel(FLUX)
    ax.set_ylim(-0.03, 1.03)
