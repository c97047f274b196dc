"""Figures of a scorecard, ready to print: PNG and PDF, drawn without a display."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hisf.errors import FileAccessError
from hisf.evaluate.scorecard import Scorecard
from hisf.evaluate.statistics import ATTRIBUTES, Bin, Curve, errors_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf")
WIDTH = 3.4  # inches, one column of a journal
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}
COLOURS = {"completeness": "#0072b2", "reliability": "#d55e00"}  # told apart by the colour-blind
LABELS = {"flux": "Integrated flux [Jy Hz]", "snr": "Integrated signal-to-noise ratio"}


def draw_figures(card: Scorecard, folder: Path) -> list[Path]:
    """Write every figure for which there are data.

    Parameters
    ----------
    card : Scorecard
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        ``score_flux``, ``score_snr``, ``score_curve``, ``score_errors``, each as PNG and PDF.

    Raises
    ------
    FileAccessError
        The folder or a file cannot be written.
    """
    drawings: dict[str, Callable[[], Figure]] = {
        f"score_{name}": partial(_draw_shares, card, name)
        for name in LABELS
        if card.completeness.get(name) or card.reliability.get(name)
    }
    if card.curve is not None or card.mask_curve is not None:
        drawings["score_curve"] = partial(_draw_curves, card)
    if card.errors:
        drawings["score_errors"] = partial(_draw_errors, card)
    return write_figures(drawings, folder)


def write_figures(drawings: Mapping[str, Callable[[], Figure]], folder: Path) -> list[Path]:
    """Draw figures in the style of this module and write each as PNG and PDF.

    Parameters
    ----------
    drawings : mapping of str to callable
        By the name of the file without its ending.
    folder : Path
        Made if it is not there.

    Raises
    ------
    FileAccessError
        The folder or a file cannot be written.
    """
    from matplotlib import rc_context

    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in drawings.items():
            with rc_context(STYLE):
                figure = draw()
                for suffix in FORMATS:
                    path = folder / f"{name}.{suffix}"
                    # no dates, so that the same scores give the same bytes
                    stamps: dict[str, Any] = {"CreationDate": None} if suffix == "pdf" else {"Software": None}
                    figure.savefig(path, metadata=stamps)
                    paths.append(path)
    except OSError as error:
        raise FileAccessError(f"{folder}: figures cannot be written: {error.strerror or error}.") from None
    return paths


def _figure(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH * (2 if columns > 1 else 1), height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _draw_shares(card: Scorecard, name: str) -> Figure:
    figure, axes = _figure(2.5)
    ax = axes[0, 0]
    for label, tables in (("completeness", card.completeness), ("reliability", card.reliability)):
        if tables.get(name):
            _plot_bins(ax, tables[name], label)
    ax.set_xscale("log")
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(LABELS[name])
    ax.set_ylabel("Completeness, reliability")
    ax.legend(loc="lower right")
    return figure


def _plot_bins(ax: Axes, bins: list[Bin], label: str) -> None:
    filled = [b for b in bins if b.n]
    if not filled:
        return
    share = np.array([b.share for b in filled])
    centre = np.sqrt([b.low * b.high for b in filled])
    x = np.array([[c - b.low for b, c in zip(filled, centre, strict=True)],
                  [b.high - c for b, c in zip(filled, centre, strict=True)]])  # fmt: skip
    y = np.clip([share - [b.lower for b in filled], [b.upper for b in filled] - share], 0.0, None)
    # apart by 2 %, so that error bars do not hide each other
    shift = 1.02 if label == "reliability" else 0.98
    marker = "s" if label == "reliability" else "o"
    bars = ax.errorbar(
        centre * shift, share, yerr=y, fmt=marker, ms=3.5, color=COLOURS[label], label=label, capsize=1.5
    )
    bars.lines[0].set_zorder(3)
    ax.errorbar(centre, share, xerr=x, fmt="none", ecolor=COLOURS[label], elinewidth=0.6, alpha=0.5)


def _draw_curves(card: Scorecard) -> Figure:
    figure, axes = _figure(2.9)
    ax = axes[0, 0]
    kinds = (("by position", card.curve, "-"), ("by mask overlap", card.mask_curve, "--"))
    for label, points, line in kinds:
        if points is not None:
            _plot_curve(ax, points, f"{label}, AP {points.average_precision:.3f}", line)
    ax.set_xlim(left=0.0)
    ax.set_ylim(0.0, 1.03)
    ax.set_xlabel("Completeness")
    ax.set_ylabel("Reliability")
    ax.legend(loc="lower left")
    return figure


def _plot_curve(ax: Axes, points: Curve, label: str, line: str) -> None:
    marker = "." if len(points.confidence) < 50 else ""
    ax.plot(points.completeness, points.reliability, line + marker, color=COLOURS["completeness"], label=label)


def _draw_errors(card: Scorecard) -> Figure:
    n = len(card.errors)
    columns = min(n, 4)
    rows = -(-n // columns)
    figure, axes = _figure(1.6 * rows, rows, columns)
    for ax, errors in zip(axes.flat, card.errors, strict=False):
        values = errors_of(errors.name, card.catalogue, card.truth, card.match)
        values = values[np.isfinite(values)]
        # the middle 96 %, so that one outlier does not flatten the rest
        low, high = np.percentile(values, (2, 98)) if len(values) > 20 else (values.min(), values.max())
        pad = 0.05 * (high - low) or 1.0
        ax.hist(values, bins=20, range=(low - pad, high + pad), histtype="stepfilled", color=COLOURS["completeness"],
                alpha=0.5)  # fmt: skip
        ax.axvline(errors.median, color="k", lw=1.0)
        for edge in (errors.p16, errors.p84):
            ax.axvline(edge, color="k", lw=0.7, ls=":")
        unit = errors.unit or ("relative" if ATTRIBUTES[errors.name][2] == "relative" else "")
        ax.set_xlabel(f"{errors.name} error [{unit}]")
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    for row in axes:
        row[0].set_ylabel("Matches")
    return figure
