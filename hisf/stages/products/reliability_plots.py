"""Plots of what the reliability did (spec sofia2 §3.9)."""

from __future__ import annotations

from itertools import combinations
from math import ceil, erf, sqrt
from pathlib import Path

import numpy as np

from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.eps import Curve, Panel, write_panels
from hisf.stages.reliability.contract import Evidence

NEGATIVE, UNRELIABLE, RELIABLE = (0.96, 0.65, 0.65), (0.65, 0.74, 0.96), (0.0, 0.0, 0.0)  # red, green, blue
KERNEL, LIMIT = (0.5, 0.5, 0.5), (0.3, 0.3, 0.3)
DASHED, DOTTED = (4.0, 2.0), (1.0, 2.0)
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
        panels = draw_panels(result.evidence, result.settings["reliability.threshold"])
        write_panels(panels, ceil(sqrt(len(panels))), path)


class SkellamPlot(_Plot):
    """Cumulative distribution of the Skellam variable at the negative detections, divided by its scatter.

    It follows the normal distribution where positive and negative detections have the same density.
    """

    name = "Skellam plot"
    suffix = "_skellam.eps"

    def write(self, result: Result, path: Path) -> None:
        """Draw the distribution."""
        assert result.evidence is not None
        write_panels([draw_skellam(result.evidence.skellam)], 1, path)


def draw_panels(evidence: Evidence, threshold: float) -> list[Panel]:
    """Return one panel for every pair of parameters."""
    return [_draw_pair(evidence, i, j, threshold) for i, j in combinations(range(len(evidence.parameters)), 2)]


def _draw_pair(evidence: Evidence, i: int, j: int, threshold: float) -> Panel:
    x, y = evidence.parameters[i], evidence.parameters[j]
    positive, negative = evidence.positive, evidence.negative
    judged = positive["rel"] >= threshold
    panel = Panel(LABELS[x], LABELS[y])
    for found, chosen, colour, mark in (
        (negative, np.ones(len(negative[x]), bool), NEGATIVE, "dot"),
        (positive, ~judged, UNRELIABLE, "dot"),
        (positive, judged & positive["kept"], RELIABLE, "dot"),
        (positive, judged & ~positive["kept"], RELIABLE, "ring"),
    ):
        panel.curves.append(Curve(found[x][chosen], found[y][chosen], colour, mark=mark))
    panel.fit()
    centre = np.array([negative[x].mean(), negative[y].mean()])
    for size in (1, 2, 3):
        outline = ellipse(centre, evidence.kernel[np.ix_((i, j), (i, j))], size)
        panel.curves.append(Curve(outline[0], outline[1], KERNEL))
    if (x, y) in (("sum", "mean"), ("mean", "sum")):
        panel.curves += _limits(panel, evidence.smallest, x == "sum")
    return panel


def ellipse(centre: np.ndarray, covariance: np.ndarray, size: float) -> np.ndarray:
    """Return the outline of a covariance at ``size`` standard deviations, shape (2, 101): x and y."""
    variances, axes = np.linalg.eigh(covariance)
    angle = np.linspace(0, 2 * np.pi, 101)
    circle = np.array([np.cos(angle), np.sin(angle)])
    return centre[:, None] + size * (axes * np.sqrt(np.maximum(variances, 0))) @ circle


def _limits(panel: Panel, smallest: float, sum_along_x: bool) -> list[Curve]:
    """Return where n is 10 to 10,000 and where sum/√n has its limit; in logarithms, mean = sum − log n."""
    total = np.array(panel.xlim if sum_along_x else panel.ylim)
    lines = [(total - np.log10(n), DOTTED) for n in SIZES]
    if smallest > 0:
        lines.append((2 * np.log10(smallest) - total, DASHED))
    return [Curve(total, mean, LIMIT, dash) if sum_along_x else Curve(mean, total, LIMIT, dash) for mean, dash in lines]


def draw_skellam(skellam: np.ndarray) -> Panel:
    """Return the cumulative distribution of the Skellam variable, against the normal one."""
    panel = Panel("(P - N) / sqrt(P + N), in units of its scatter", "cumulative fraction")
    scaled = cumulative(skellam)
    steps = np.repeat(np.arange(len(scaled) + 1) / max(len(scaled), 1), 2)[1:-1]
    normal = np.linspace(-4, 4, 161)
    below = np.array([0.5 * (1 + erf(x / sqrt(2))) for x in normal])
    panel.curves = [
        Curve(np.repeat(scaled, 2), steps, RELIABLE, label="negative"),
        Curve(normal, below, NEGATIVE, label="normal"),
    ]
    panel.fit()
    panel.ylim = (0.0, 1.0)
    return panel


def cumulative(skellam: np.ndarray) -> np.ndarray:
    """Return the finite values of the Skellam variable in ascending order, divided by their standard deviation."""
    values = np.sort(skellam[np.isfinite(skellam)])
    scatter = values.std() if len(values) else 0.0
    return values / scatter if scatter > 0 else values
