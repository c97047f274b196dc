"""Panels of curves and points as Encapsulated PostScript.

A run draws a few of them by default, and a plotting library would be a quarter of its processor time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, log10
from pathlib import Path

import numpy as np

from hisf.stages.products.stamp import CREATOR

WIDTH, HEIGHT = 230.0, 230.0  # points, of a panel with its labels
LEFT, BOTTOM, RIGHT, TOP = 46.0, 38.0, 10.0, 10.0  # of them, around the frame
FONT, TICK, RADIUS = 9.0, 4.0, 1.5  # points: size of letters, length of ticks, radius of dots
TICKS = 6  # at most, along an axis
PROLOGUE = f"""\
/m {{ moveto }} bind def /l {{ lineto }} bind def /c {{ setrgbcolor }} bind def
/dot {{ newpath {RADIUS} 0 360 arc fill }} bind def /ring {{ newpath {RADIUS} 0 360 arc stroke }} bind def
/centred {{ dup stringwidth pop 2 div neg 0 rmoveto show }} bind def
/right {{ dup stringwidth pop neg 0 rmoveto show }} bind def
/Helvetica findfont {FONT} scalefont setfont 1 setlinejoin
"""


@dataclass(frozen=True, eq=False)
class Curve:
    """Points, joined by a line or marked by dots.

    Attributes
    ----------
    x, y : array of float
        In the units of the panel; what is not finite is left out.
    colour : tuple of float
        Red, green and blue, 0 to 1.
    dash : tuple of float
        Lengths of dashes and gaps in points; none for a full line.
    mark : str
        ``dot``, ``ring``, or none for a line.
    label : str
        For the legend.
    """

    x: np.ndarray
    y: np.ndarray
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    dash: tuple[float, ...] = ()
    mark: str = ""
    label: str = ""


@dataclass(eq=False)
class Panel:
    """A frame with two linear axes and what is drawn in it.

    Attributes
    ----------
    xlabel, ylabel : str
    curves : list of Curve
        In the order in which they are drawn.
    xlim, ylim : tuple of float
        Least and greatest value along an axis.
    """

    xlabel: str
    ylabel: str
    curves: list[Curve] = field(default_factory=list)
    xlim: tuple[float, float] = (0.0, 1.0)
    ylim: tuple[float, float] = (0.0, 1.0)

    def fit(self) -> None:
        """Let the axes hold every point that has been added so far, with a margin."""
        self.xlim = _limits([curve.x for curve in self.curves])
        self.ylim = _limits([curve.y for curve in self.curves])


def write_panels(panels: list[Panel], columns: int, path: Path) -> None:
    """Write panels, row by row, as one EPS file."""
    rows = ceil(len(panels) / columns)
    width, height = WIDTH * columns, HEIGHT * rows
    lines = [
        "%!PS-Adobe-3.0 EPSF-3.0",
        f"%%BoundingBox: 0 0 {ceil(width)} {ceil(height)}",
        f"%%Creator: {CREATOR}",
        "%%EndComments",
        PROLOGUE.rstrip(),
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        x, y = WIDTH * column + LEFT, HEIGHT * (rows - 1 - row) + BOTTOM
        lines += [f"gsave {x:g} {y:g} translate", *_draw(panel), "grestore"]
    path.write_text("\n".join([*lines, "showpage", ""]), "ascii")


def ticks(least: float, greatest: float) -> list[float]:
    """Return round values between two limits, a step of 1, 2 or 5 times a power of ten apart, at most `TICKS`."""
    rough = (greatest - least) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [n * step for n in range(ceil(least / step - 1e-9), floor(greatest / step + 1e-9) + 1)]


def _limits(values: list[np.ndarray]) -> tuple[float, float]:
    """Return limits around all finite values."""
    every = np.concatenate(values) if values else np.empty(0)
    every = every[np.isfinite(every)]
    if not len(every):
        return 0.0, 1.0
    least, greatest = float(every.min()), float(every.max())
    margin = 0.05 * (greatest - least) or 0.05 * abs(least) or 1.0
    return least - margin, greatest + margin


def _draw(panel: Panel) -> Iterable[str]:
    """Yield the commands that draw a panel whose frame has its corner at the origin."""
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP
    (x0, x1), (y0, y1) = panel.xlim, panel.ylim
    yield f"gsave 0 0 {width:g} {height:g} rectclip"
    for curve in panel.curves:
        x, y = (curve.x - x0) / (x1 - x0) * width, (curve.y - y0) / (y1 - y0) * height
        inside = np.isfinite(x) & np.isfinite(y) & (np.abs(x) < 1e5) & (np.abs(y) < 1e5)
        places = [f"{a:.2f} {b:.2f}" for a, b in zip(x[inside], y[inside], strict=True)]
        if not places:
            continue
        yield f"{_style(curve)} 0.8 setlinewidth"
        if curve.mark:
            yield from (f"{place} {curve.mark}" for place in places)
        else:
            yield f"newpath {places[0]} m"
            yield from (f"{place} l" for place in places[1:])
            yield "stroke"
    yield f"grestore 0 0 0 c 0.6 setlinewidth 0 0 {width:g} {height:g} rectstroke"
    for value in ticks(x0, x1):
        at = (value - x0) / (x1 - x0) * width
        yield f"newpath {at:.2f} 0 m 0 {TICK} rlineto stroke {at:.2f} {-FONT - 3:g} m ({value:.6g}) centred"
    for value in ticks(y0, y1):
        at = (value - y0) / (y1 - y0) * height
        yield f"newpath 0 {at:.2f} m {TICK} 0 rlineto stroke -4 {at - FONT / 3:.2f} m ({value:.6g}) right"
    yield f"{width / 2:g} {-2 * FONT - 8:g} m ({_escaped(panel.xlabel)}) centred"
    yield f"gsave -36 {height / 2:g} translate 90 rotate 0 0 m ({_escaped(panel.ylabel)}) centred grestore"
    for line, curve in enumerate(curve for curve in panel.curves if curve.label):
        level = height - 12 - 12 * line
        yield f"gsave {_style(curve)} 1 setlinewidth newpath 8 {level + FONT / 3:g} m 18 0 rlineto stroke grestore"
        yield f"30 {level:g} m ({_escaped(curve.label)}) show"


def _style(curve: Curve) -> str:
    dash = " ".join(f"{length:g}" for length in curve.dash)
    return f"{' '.join(f'{part:.3g}' for part in curve.colour)} c [{dash}] 0 setdash"


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "()\\" else letter for letter in text)
