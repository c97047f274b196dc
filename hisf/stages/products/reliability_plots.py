"""Plots of what the reliability did (spec sofia2 §3.9)."""

from __future__ import annotations

from itertools import combinations
from math import ceil, erf, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.stamp import CREATOR
from hisf.stages.reliability.contract import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 3.2  # inches
NEGATIVE, UNRELIABLE, RELIABLE = "#f4a6a6", "#a6bdf4", "black"  # EPS knows no transparency
LABELS = {
    "peak": "log(peak / rms)",
    "sum": "log(sum / rms)",
    "mean": "log(mean / rms)",
    "chan": "channels",
    "pix": "log(voxels)",
    "fill": "log(filling factor)",
    "std": "standard deviation / rms",
    "skew": "skewness",
    "kurt": "excess kurtosis",
}
SIZES = (10, 100, 1000, 10_000)  # voxels, of the lines in the panel of sum and mean


class _Plot(Product):
    """Encapsulated PostScript."""

    imports = ("matplotlib.figure", "matplotlib.backends.backend_ps")

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether the reliability is determined and ``reliability.plot`` is set."""
        return settings["reliability.enable"] and settings["reliability.plot"]

    def applies(self, result: Result) -> bool:
        """Return whether the estimator says what it judged by."""
        return result.evidence is not None


class ReliabilityPlot(_Plot):
    """Detections in the space of parameters, one panel per pair of parameters.

    Pale red are negative, pale blue positive and unreliable, black reliable sources; reliable ones below the limit on
    the signal-to-noise ratio, which are not kept, are open. Ellipses show the kernel at 1, 2 and 3 standard deviations
    around the mean of the negative detections. Where sum and mean meet, lines show the limit (dashed) and sizes
    (dotted).
    """

    name = "reliability plot"
    suffix = "_rel.eps"

    def write(self, result: Result, path: Path) -> None:
        """Draw the panels."""
        assert result.evidence is not None
        save(draw_panels(result.evidence, result.settings["reliability.threshold"]), path)


class SkellamPlot(_Plot):
    """Cumulative distribution of the Skellam variable at the negative detections, divided by its scatter.

    It follows the normal distribution where positive and negative detections have the same density.
    """

    name = "Skellam plot"
    suffix = "_skellam.eps"

    def write(self, result: Result, path: Path) -> None:
        """Draw the distribution."""
        assert result.evidence is not None
        save(draw_skellam(result.evidence.skellam), path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as EPS, whatever the ending of the path."""
    from matplotlib.backends.backend_ps import FigureCanvasPS

    FigureCanvasPS(figure)
    with path.open("wb") as file:  # to a path, its temporary name would become the title
        figure.savefig(file, format="eps", metadata={"Creator": CREATOR})


def draw_panels(evidence: Evidence, threshold: float) -> Figure:
    """Return a figure with one panel for every pair of parameters."""
    from matplotlib.figure import Figure

    pairs = list(combinations(range(len(evidence.parameters)), 2))
    columns = ceil(sqrt(len(pairs)))
    rows = ceil(len(pairs) / columns)
    figure = Figure(figsize=(PANEL * columns, PANEL * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (i, j) in zip(axes, pairs, strict=False):
        _draw_pair(panel, evidence, i, j, threshold)
    for panel in axes[len(pairs) :]:
        panel.set_axis_off()
    return figure


def _draw_pair(panel: Axes, evidence: Evidence, i: int, j: int, threshold: float) -> None:
    x, y = evidence.parameters[i], evidence.parameters[j]
    positive, negative = evidence.positive, evidence.negative
    judged = positive["rel"] >= threshold
    for found, chosen, colour, open_ in (
        (negative, np.ones(len(negative[x]), bool), NEGATIVE, False),
        (positive, ~judged, UNRELIABLE, False),
        (positive, judged & positive["kept"], RELIABLE, False),
        (positive, judged & ~positive["kept"], RELIABLE, True),
    ):
        fill = "none" if open_ else colour
        panel.plot(found[x][chosen], found[y][chosen], "o", ms=3, mec=colour, mfc=fill, mew=0.5)
    panel.set(xlim=panel.get_xlim(), ylim=panel.get_ylim())  # those of the points, whatever else is drawn
    centre = np.array([negative[x].mean(), negative[y].mean()])
    for size in (1, 2, 3):
        panel.plot(*ellipse(centre, evidence.kernel[np.ix_((i, j), (i, j))], size), "-", color="0.5", lw=0.8)
    if (x, y) in (("sum", "mean"), ("mean", "sum")):
        _draw_limits(panel, evidence.smallest, x == "sum")
    panel.set(xlabel=LABELS[x], ylabel=LABELS[y])


def ellipse(centre: np.ndarray, covariance: np.ndarray, size: float) -> np.ndarray:
    """Return the outline of a covariance at ``size`` standard deviations, shape (2, 101): x and y."""
    variances, axes = np.linalg.eigh(covariance)
    angle = np.linspace(0, 2 * np.pi, 101)
    circle = np.array([np.cos(angle), np.sin(angle)])
    return centre[:, None] + size * (axes * np.sqrt(np.maximum(variances, 0))) @ circle


def _draw_limits(panel: Axes, smallest: float, sum_along_x: bool) -> None:
    """Draw where sum/√n has its limit and where n is 10 to 10,000; sum and mean are logarithms, mean = sum − log n."""
    total = np.array(panel.get_xlim() if sum_along_x else panel.get_ylim())
    lines = [(total - np.log10(n), ":") for n in SIZES]
    if smallest > 0:
        lines.append((2 * np.log10(smallest) - total, "--"))
    for mean, style in lines:
        panel.plot(*((total, mean) if sum_along_x else (mean, total)), style, color="0.3", lw=0.8)


def draw_skellam(skellam: np.ndarray) -> Figure:
    """Return a figure of the cumulative distribution of the Skellam variable, against the normal one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * PANEL, 1.2 * PANEL), layout="constrained")
    panel = figure.subplots()
    scaled = cumulative(skellam)
    panel.step(scaled, np.arange(1, len(scaled) + 1) / len(scaled), where="post", color="black", lw=1, label="negative")
    normal = np.linspace(-4, 4, 161)
    panel.plot(normal, [0.5 * (1 + erf(x / sqrt(2))) for x in normal], color=NEGATIVE, lw=1, label="normal")
    panel.set(xlabel="(P - N) / sqrt(P + N), in units of its scatter", ylabel="cumulative fraction", ylim=(0, 1))
    panel.legend(frameon=False, loc="upper left")
    return figure


def cumulative(skellam: np.ndarray) -> np.ndarray:
    """Return the finite values of the Skellam variable in ascending order, divided by their standard deviation."""
    values = np.sort(skellam[np.isfinite(skellam)])
    scatter = values.std() if len(values) else 0.0
    return values / scatter if scatter > 0 else values
