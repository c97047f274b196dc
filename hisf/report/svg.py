"""Drawing in SVG: elements, scales with ticks, the outline of a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element; everything that is not markup is escaped.

    ``class_`` is the attribute class, and an underscore in a name a hyphen. None leaves an attribute out, numbers are
    rounded to a hundredth.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _text(value))
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(part) for part in content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inner)


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def outline_segments(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return the edges of a mask, as long as they are straight: x0, y0, x1, y1.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
        Pixel (x, y) is the square from (x, y) to (x + 1, y + 1).
    """
    padded = np.pad(mask, 1)
    flat = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
    upright = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    return [(start, y, end, y) for y, start, end in flat] + [(x, start, x, end) for x, start, end in upright]


def outline_path(mask: np.ndarray) -> str:
    """Return `outline_segments` as path data."""
    return "".join(
        f"M{x0} {y0}" + (f"h{x1 - x0}" if y0 == y1 else f"v{y1 - y0}") for x0, y0, x1, y1 in outline_segments(mask)
    )


def _runs(edges: np.ndarray) -> list[tuple[int, int, int]]:
    """Return row, start and end of all runs of True along the second axis."""
    step = np.diff(np.pad(edges.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, start = np.nonzero(step == 1)
    return list(zip(row.tolist(), start.tolist(), np.nonzero(step == -1)[1].tolist(), strict=True))


def ticks(low: float, high: float, most: int = 5) -> np.ndarray:
    """Return at most ``most`` round values between two others; none where these are equal or not finite."""
    span = high - low
    if not (np.isfinite(span) and span > 0):
        return np.empty(0)
    power = 10.0 ** np.floor(np.log10(span / most))
    step = next(s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if span / (s * power) <= most)
    found = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    return np.round(found, int(max(0, 2 - np.floor(np.log10(step)))))


@dataclass(frozen=True)
class Panel:
    """A rectangle with two linear scales.

    Attributes
    ----------
    left, top, width, height : float
        In units of the drawing.
    x, y : tuple of float
        Values at the left and right, bottom and top edge.
    """

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a value is drawn."""
        across, up = (x - self.x[0]) / (self.x[1] - self.x[0]), (y - self.y[0]) / (self.y[1] - self.y[0])
        return float(self.left + across * self.width), float(self.top + (1.0 - up) * self.height)

    def path(self, xs: Iterable[float], ys: Iterable[float]) -> str:
        """Return path data through points."""
        points = (self.at(x, y) for x, y in zip(xs, ys, strict=True))
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)

    def steps(self, edges: np.ndarray, values: np.ndarray) -> str:
        """Return path data of a histogram: ``edges`` of shape (n + 1,), ``values`` of shape (n,)."""
        return self.path(np.repeat(edges, 2)[1:-1], np.repeat(values, 2))

    def matrix(self) -> str:
        """Return the transform from values to the drawing."""
        x, y = self.at(0.0, 0.0)
        across, up = self.width / (self.x[1] - self.x[0]), self.height / (self.y[1] - self.y[0])
        return f"matrix({across:.5g} 0 0 {-up:.5g} {x:.2f} {y:.2f})"

    def frame(self, x_label: str, y_label: str, x_ticks: dict[float, str], y_ticks: dict[float, str]) -> Markup:
        """Return the frame with its labels; ``ticks`` are the places, in values of the scales, and their texts."""
        bottom, right = self.top + self.height, self.left + self.width
        parts = [tag("rect", x=self.left, y=self.top, width=self.width, height=self.height, class_="frame")]
        marks = []
        for value, label in x_ticks.items():
            x, _ = self.at(value, self.y[0])
            marks.append(f"M{x:.1f} {bottom:.1f}v4")
            parts.append(tag("text", label, x=x, y=bottom + 14.0, class_="mid"))
        for value, label in y_ticks.items():
            _, y = self.at(self.x[0], value)
            marks.append(f"M{self.left:.1f} {y:.1f}h-4")
            parts.append(tag("text", label, x=self.left - 6.0, y=y + 3.5, class_="end"))
        parts.append(tag("path", d="".join(marks), class_="frame"))
        middle = self.top + self.height / 2
        parts.append(tag("text", x_label, x=(self.left + right) / 2, y=bottom + 28.0, class_="mid"))
        turn = f"translate(11 {middle:.1f}) rotate(-90)"
        parts.append(tag("text", y_label, transform=turn, class_="mid"))
        return Markup("").join(parts)


def number_ticks(low: float, high: float, most: int = 5) -> dict[float, str]:
    """Return round values between two others, with their texts."""
    # + 0.0: not −0
    return {
        float(value) + 0.0: f"{value + 0.0:g}".replace("-", "−")
        for value in ticks(min(low, high), max(low, high), most)
    }
