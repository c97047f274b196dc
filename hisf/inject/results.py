"""Completeness from the outcome of an injection: table, figure, files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hisf.evaluate.statistics import Bin, round_edges, shares
from hisf.inject.experiment import Outcome
from hisf.simulate.truth import truth_table

if TYPE_CHECKING:
    from astropy.table import QTable

# quantity -> label, bin edges in a decade, whether the completeness rises with it
QUANTITIES = {
    "snr": ("integrated S/N", (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0), True),
    "flux": ("flux (Jy Hz)", (1.0, 2.0, 5.0), True),
    "w20": ("w20 (km/s)", (1.0, 2.0, 4.0, 7.0), False),
}


@dataclass(frozen=True)
class Completeness:
    """Completeness against one quantity, in bins with 68.3 % Wilson intervals.

    ``half`` and ``ninety`` are where it reaches 50 % and 90 %, NaN where it does not or does not rise.
    """

    name: str
    label: str
    bins: list[Bin]
    half: float
    ninety: float


def completeness(outcome: Outcome) -> list[Completeness]:
    """Return the completeness against S/N, flux and width."""
    values = {
        "snr": np.array([m.snr for m in outcome.mocks]),
        "flux": np.array([m.galaxy.flux_jy_hz for m in outcome.mocks]),
        "w20": np.array([m.galaxy.w20_kms for m in outcome.mocks]),
    }
    curves = []
    for name, (label, steps, rises) in QUANTITIES.items():
        bins = [b for b in shares(values[name], outcome.found, round_edges(values[name], steps)) if b.n]
        half, ninety = (reaches(bins, level) if rises else math.nan for level in (0.5, 0.9))
        curves.append(Completeness(name, label, bins, half, ninety))
    return curves


def reaches(bins: list[Bin], level: float) -> float:
    """Return where a rising completeness crosses ``level`` for the last time, interpolated in the logarithm, or NaN."""
    centres = np.array([math.log(math.sqrt(b.low * b.high)) for b in bins])
    share = np.array([b.share for b in bins])
    below = np.flatnonzero(share < level)
    if not len(below):
        return math.nan
    k = int(below[-1])
    if k + 1 >= len(bins):
        return math.nan
    part = (level - share[k]) / (share[k + 1] - share[k])
    return float(np.exp(centres[k] + part * (centres[k + 1] - centres[k])))


def errors(b: Bin) -> tuple[float, float]:
    """Return the lower and upper error of a share; rounding must not make them negative."""
    return max(0.0, b.share - b.lower), max(0.0, b.upper - b.share)


def mock_table(outcome: Outcome) -> QTable:
    """Return the truth of all mocks, as `hisf simulate` has it, and what became of them: ``found`` and ``f_sum``."""
    table = truth_table([m.measured for m in outcome.mocks if m.measured], outcome.geometry)
    table["found"] = outcome.found
    table["f_sum"] = outcome.flux
    return table


def as_dict(outcome: Outcome, curves: list[Completeness]) -> dict[str, Any]:
    """Return everything as numbers for JSON."""

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "mocks": len(outcome.mocks),
        "found": int(outcome.found.sum()),
        "runs": outcome.runs,
        "real_sources": outcome.real,
        "undetermined_runs": outcome.undetermined,
        "completeness": {
            c.name: {
                "at_50_percent": plain(c.half),
                "at_90_percent": plain(c.ninety),
                "bins": [
                    {"low": b.low, "high": b.high, "n": b.n, "found": b.n_hit, "share": b.share, "lower": b.lower,
                     "upper": b.upper}
                    for b in c.bins
                ],
            }
            for c in curves
        },
    }  # fmt: skip


def draw(outcome: Outcome, curves: list[Completeness], title: str, path: Path) -> None:
    """Draw the completeness against each quantity, and that against S/N and width together."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    for ax, curve in zip(axes.flat, curves, strict=False):
        centre = [math.sqrt(b.low * b.high) for b in curve.bins]
        share = [b.share for b in curve.bins]
        low, high = zip(*(errors(b) for b in curve.bins), strict=True)
        ax.errorbar(centre, share, (low, high), fmt="o-", color="#20639b", ms=4, capsize=2)
        ax.set(xscale="log", ylim=(-0.03, 1.03), xlabel=curve.label, ylabel="completeness")
        ax.grid(alpha=0.3)
        if not math.isnan(curve.half):
            ax.axvline(curve.half, color="#ed553b", lw=1, ls="--")
            ax.text(curve.half, 0.03, f" 50 % at {curve.half:.3g}", color="#ed553b", fontsize=8)
    ax = axes.flat[-1]
    snr, w20 = np.array([m.snr for m in outcome.mocks]), np.array([m.galaxy.w20_kms for m in outcome.mocks])
    for hit, colour, label in ((False, "#ed553b", "missed"), (True, "#20639b", "found")):
        ax.scatter(snr[outcome.found == hit], w20[outcome.found == hit], s=9, color=colour, alpha=0.7, label=label)
    ax.set(xscale="log", yscale="log", xlabel="integrated S/N", ylabel="w20 (km/s)")
    ax.legend(fontsize=8)
    for axis in [ax.xaxis for ax in axes.flat] + [axes.flat[-1].yaxis]:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=150, format=path.suffix.lstrip(".") if path.suffix != ".part" else "png")
