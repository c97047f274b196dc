"""All sources of a run at a glance: where they are on the sky, and along the spectral axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from hisf.evaluate.layouts import RawTable
from hisf.report.svg import Panel, number_ticks, tag

SIZE = (460.0, 330.0)
AREA = (56.0, 12.0, 390.0, 272.0)
SKY = (("ra", "dec", "E", "N"), ("l", "b", "+l", "+b"))
SPECTRAL = {"freq": ("Frequency", {"Hz": ("MHz", 1e-6)}), "v_rad": ("Radio velocity", {}),
            "v_opt": ("Optical velocity", {}), "v_app": ("Velocity", {})}  # fmt: skip
VELOCITY = {"m/s": ("km/s", 1e-3)}
LEAST, MOST = 8, 40  # bins of the histogram


@dataclass(frozen=True)
class Spread:
    """Positions of the sources as they are drawn.

    Attributes
    ----------
    x, y : ndarray, shape (n,)
    x_label, y_label : str
    mirrored : bool
        Whether x grows to the left.
    """

    x: np.ndarray
    y: np.ndarray
    x_label: str
    y_label: str
    mirrored: bool


def sky_overview(table: RawTable) -> Markup:
    """Return the positions of all sources, each a link to it."""
    spread = _on_sky(table)
    centre = [(np.nanmin(values) + np.nanmax(values)) / 2 for values in (spread.x, spread.y)]
    reach = [0.54 * max(np.ptp(values[np.isfinite(values)]), 1e-9) for values in (spread.x, spread.y)]
    scale = max(reach[0] / AREA[2], reach[1] / AREA[3])  # of both axes
    half = (scale * AREA[2], scale * AREA[3]) if scale > 1e-9 else (1.0, AREA[3] / AREA[2])
    x = (centre[0] - half[0], centre[0] + half[0])
    panel = Panel(*AREA, x[::-1] if spread.mirrored else x, (centre[1] - half[1], centre[1] + half[1]))
    ticks = (number_ticks(*panel.x, 7), number_ticks(*panel.y))
    parts = [panel.frame(spread.x_label, spread.y_label, *ticks)]
    parts += [_point(table, row, *panel.at(a, b)) for row, (a, b) in enumerate(zip(spread.x, spread.y, strict=True))
              if np.isfinite(a + b)]  # fmt: skip
    return _drawing("Positions of the sources", parts)


def _on_sky(table: RawTable) -> Spread:
    """Return offsets from the middle of the sources, orthographic; pixels without celestial coordinates."""
    for longitude, latitude, east, north in SKY:
        if longitude in table.columns and latitude in table.columns:
            lon, lat = (np.radians(table.columns[name]) for name in (longitude, latitude))
            middle = np.array([np.nanmean(np.cos(lat) * np.cos(lon)), np.nanmean(np.cos(lat) * np.sin(lon)),
                               np.nanmean(np.sin(lat))])  # fmt: skip
            lon0, lat0 = np.arctan2(middle[1], middle[0]), np.arctan2(middle[2], np.hypot(middle[0], middle[1]))
            x = np.degrees(np.cos(lat) * np.sin(lon - lon0))
            y = np.degrees(np.sin(lat) * np.cos(lat0) - np.cos(lat) * np.sin(lat0) * np.cos(lon - lon0))
            unit, factor = ("deg", 1.0) if max(np.ptp(x), np.ptp(y)) > 2.0 else ("arcmin", 60.0)
            place = f"{longitude} {np.degrees(lon0) % 360:.4f}°, {latitude} {np.degrees(lat0):.4f}°".replace("-", "−")
            label = f"Offset to {east} [{unit}] from {place}"
            return Spread(x * factor, y * factor, label, f"Offset to {north} [{unit}]", True)
    return Spread(table.columns["x"], table.columns["y"], "x [pix]", "y [pix]", False)


def spectral_overview(table: RawTable) -> Markup:
    """Return how many sources there are along the spectral axis, and a mark for each, which is a link to it."""
    values, label = _along(table)
    known = values[np.isfinite(values)]
    if not known.size:
        return Markup("")
    bins = int(np.clip(2 * np.sqrt(known.size), LEAST, MOST))
    span = np.ptp(known) or abs(known[0]) * 1e-3 or 1.0
    counts, edges = np.histogram(known, bins, (known.min() - 0.02 * span, known.max() + 0.02 * span))
    panel = Panel(*AREA, (float(edges[0]), float(edges[-1])), (0.0, 1.18 * counts.max()))
    left, right = panel.at(edges[0], 0.0), panel.at(edges[-1], 0.0)
    steps = panel.steps(edges, counts)
    parts = [
        tag("path", d=f"{steps}L{right[0]:.1f} {right[1]:.1f}L{left[0]:.1f} {left[1]:.1f}Z", class_="fill"),
        tag("path", d=steps, class_="line"),
        panel.frame(label, "Sources", number_ticks(*panel.x), _whole(number_ticks(*panel.y))),
    ]
    parts += [_point(table, row, panel.at(value, 0.0)[0], AREA[1] + 12.0)
              for row, value in enumerate(values) if np.isfinite(value)]  # fmt: skip
    return _drawing("Sources along the spectral axis", parts)


def _along(table: RawTable) -> tuple[np.ndarray, str]:
    """Return the spectral coordinate of the sources and its label; channels where there is none."""
    for name, (words, units) in SPECTRAL.items():
        if name in table.columns:
            unit = table.units.get(name, "")
            shown, factor = {**VELOCITY, **units}.get(unit, (unit, 1.0))
            return table.columns[name] * factor, f"{words} [{shown}]"
    return table.columns["z"], "Channel"


def _whole(ticks: dict[float, str]) -> dict[float, str]:
    return {value: label for value, label in ticks.items() if float(value).is_integer()}


def _point(table: RawTable, row: int, x: float, y: float) -> Markup:
    label = int(table.columns["id"][row])
    circle = tag(
        "circle",
        tag("title", f"{label}: {table.columns['name'][row]}"),
        cx=x,
        cy=y,
        r=float(np.clip(40.0 / np.sqrt(table.n), 2.0, 4.0)),
    )
    # the table has the same links, so that nobody needs to go through the points key by key
    return tag("a", circle, href=f"#source-{label}", data_id=label, class_="point", tabindex=-1)


def _drawing(title: str, parts: list[Markup]) -> Markup:
    content = (tag("title", title), *parts)
    return tag("svg", *content, viewBox=f"0 0 {SIZE[0]:g} {SIZE[1]:g}", role="group", aria_label=title, class_="panel")
