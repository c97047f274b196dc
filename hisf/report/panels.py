"""The four panels of a source in the report: moment 0, moment 1, spectrum, position-velocity slice."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from hisf.report.picture import data_url, shrink
from hisf.report.source_cube import SourceCube, readable_flux
from hisf.report.svg import Panel, number_ticks, outline_path, tag

SIZE = (300.0, 250.0)
AREA = (50.0, 12.0, 196.0, 196.0)  # left, top, width, height of a panel with a colour bar
WIDE = (50.0, 12.0, 238.0, 196.0)
FLUX, VELOCITY = "magma", "coolwarm"  # colour maps; the page has their gradients under these names
LONG = 120.0  # arcsec from which offsets are in arcmin


def source_panels(source: SourceCube, most: int) -> list[Markup]:
    """Return the panels of a source, SVG elements of `SIZE`.

    Parameters
    ----------
    source : SourceCube
    most : int
        Pixels along a side of an image; larger ones are averaged.
    """
    return [_moment0(source, most), _moment1(source, most), _spectrum(source), _slice(source, most)]


def _drawing(title: str, *parts: object) -> Markup:
    content = (tag("title", title), *parts)
    return tag("svg", *content, viewBox=f"0 0 {SIZE[0]:g} {SIZE[1]:g}", role="img", class_="panel")


def _moment0(source: SourceCube, most: int) -> Markup:
    image = source.moment0(masked=False)
    low, high = _range(image)
    title = f"Moment 0 of {source.name}"
    return _drawing(title, *_map(source, image, most, low, high, FLUX), _bar(low, high, FLUX, source.moment0_unit))


def _moment1(source: SourceCube, most: int) -> Markup:
    image = source.moment1
    known = np.abs(image[np.isfinite(image)])
    high = float(np.percentile(known, 98)) if known.size else 0.0
    high = high or 1.0
    title = f"Moment 1 of {source.name}"
    return _drawing(
        title, *_map(source, image, most, -high, high, VELOCITY), _bar(-high, high, VELOCITY, source.velocity_unit)
    )


def _range(image: np.ndarray) -> tuple[float, float]:
    """Return the values of the first and last colour: all but the faintest 2 %."""
    known = image[np.isfinite(image)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, 2.0), known.max()
    return float(low), float(high) if high > low else float(low) + 1.0


def _map(source: SourceCube, image: np.ndarray, most: int, low: float, high: float, colours: str) -> list[Markup]:
    """Return a map with the outline of the mask, the beam, offsets from the centroid."""
    ny, nx = image.shape
    side = max(ny, nx)
    x, y = ((n - 1) / 2 - side / 2 for n in (nx, ny))
    panel = Panel(*AREA, (x, x + side), (y, y + side))
    aligned, labels, x_ticks, y_ticks = _offsets(source, panel)
    parts = [
        _image(panel, image, most, low, high, colours),
        _outline(panel, source.outline),
        panel.frame(*labels, x_ticks, y_ticks),
    ]
    beam = source.beam()
    if beam is not None:
        margin = 0.04 * side
        centre = x + margin - beam[:, 0].min(), y + margin - beam[:, 1].min()
        path = panel.path(beam[:, 0] + centre[0], beam[:, 1] + centre[1]) + "Z"
        parts.append(tag("path", tag("title", "beam"), d=path, class_="beam"))
    if not aligned:
        parts.append(_compass(source, panel))
    return parts


def _offsets(source: SourceCube, panel: Panel) -> tuple[bool, tuple[str, str], dict[float, str], dict[float, str]]:
    """Return whether the axes point to east and north, their labels, and the ticks along them."""
    scale = source.arcsec_per_pixel
    if not np.isfinite(scale).all():
        x, y = (_shifted(number_ticks(low + first, high + first), -first)
                for (low, high), first in ((panel.x, source.box.x0), (panel.y, source.box.y0)))  # fmt: skip
        return True, ("x [pix]", "y [pix]"), x, y
    lengths = np.hypot(*scale)
    aligned = bool(abs(scale[0, 1]) < 0.02 * lengths[1] and scale[1, 1] > 0)
    steps = (float(scale[0, 0]), float(scale[1, 1])) if aligned else (float(lengths[0]), float(lengths[1]))
    unit, per = ("arcmin", 60.0) if lengths[0] * (panel.x[1] - panel.x[0]) > LONG else ("arcsec", 1.0)
    east, north = source.directions
    names = (f"Offset to {east}", f"Offset to {north}") if aligned else ("Offset along x", "Offset along y")
    ticks = []
    for edges, centre, step in ((panel.x, source.x, steps[0]), (panel.y, source.y, steps[1])):
        low, high = ((edge - centre) * step / per for edge in edges)
        ticks.append({centre + value * per / step: label for value, label in number_ticks(low, high).items()})
    return aligned, (f"{names[0]} [{unit}]", f"{names[1]} [{unit}]"), ticks[0], ticks[1]


def _shifted(ticks: dict[float, str], by: float) -> dict[float, str]:
    return {value + by: label for value, label in ticks.items()}


def _compass(source: SourceCube, panel: Panel) -> Markup:
    """Return two arrows, to the east and to the north."""
    length = 0.12 * (panel.x[1] - panel.x[0])
    corner = panel.x[0] + 6.3 * length, panel.y[0] + 6.3 * length
    parts = []
    for name, world in zip(source.directions, np.eye(2), strict=True):
        step = np.linalg.solve(source.arcsec_per_pixel, world)
        x, y = length * step / np.hypot(*step)
        parts.append(tag("path", d=panel.path((corner[0], corner[0] + x), (corner[1], corner[1] + y)), class_="mask"))
        place = panel.at(corner[0] + 1.4 * x, corner[1] + 1.4 * y)
        parts.append(tag("text", name, x=place[0], y=place[1] + 3.5, class_="mid over"))
    return Markup("").join(parts)


def _image(panel: Panel, image: np.ndarray, most: int, low: float, high: float, colours: str) -> Markup:
    """Return an image whose pixel (x, y) is at x, y of the panel; blank pixels are transparent."""
    small, n = shrink(image, most)
    rows, columns = small.shape
    first, last = panel.at(-0.5, -0.5), panel.at(columns * n - 0.5, rows * n - 0.5)
    (x0, x1), (y0, y1) = sorted((first[0], last[0])), sorted((first[1], last[1]))
    turned = small[::-1] if panel.y[1] < panel.y[0] else small
    return tag("image", x=x0, y=y0, width=x1 - x0, height=y1 - y0, preserveAspectRatio="none",
               href=data_url(turned, low, high, colours))  # fmt: skip


def _outline(panel: Panel, mask: np.ndarray) -> Markup:
    """Return the outline of a mask, dark with a bright core, to be seen on any colour."""
    move = f"{panel.matrix()} translate(-0.5 -0.5)"
    path = outline_path(mask)
    return tag("path", d=path, transform=move, class_="mask")


def _bar(low: float, high: float, colours: str, unit: str) -> Markup:
    """Return a colour bar, with the values at its ends."""
    left, top, width, height = AREA
    x = left + width + 8.0
    turn = f"translate({x + 22:.1f} {top + height / 2:.1f}) rotate(-90)"
    return Markup("").join((
        tag("rect", x=x, y=top + 14, width=10.0, height=height - 28, fill=f"url(#{colours})", class_="bar"),
        tag("text", _short(high), x=x, y=top + 9.0),
        tag("text", _short(low), x=x, y=top + height),
        tag("text", unit, transform=turn, class_="mid"),
    ))  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−").replace("e−0", "e−").replace("e+0", "e")


def _between(values: np.ndarray, most: int = 5) -> dict[float, str]:
    """Return ticks at round values of a monotonic coordinate, at their places in samples."""
    order = np.argsort(values)
    places = number_ticks(float(values.min()), float(values.max()), most)
    return {float(np.interp(value, values[order], order.astype(float))): label for value, label in places.items()}


def _spectrum(source: SourceCube) -> Markup:
    s = source.spectrum
    n = len(s.channel)
    every = np.concatenate((s.masked, s.aperture, [0.0]))
    pad = 0.08 * (np.ptp(every) or 1.0)
    rising = s.channel[-1] >= s.channel[0]
    x = (-0.5, n - 0.5) if rising else (n - 0.5, -0.5)
    panel = Panel(*WIDE, x, (float(every.min() - pad), float(every.max() + pad)))
    edges = np.arange(n + 1) - 0.5
    c = source.channels
    filled = panel.steps(edges[c.start : c.stop + 1], s.masked[c])
    start, end = panel.at(edges[c.start], 0.0), panel.at(edges[c.stop], 0.0)
    parts = [
        tag("path", d=f"{filled}L{end[0]:.1f} {end[1]:.1f}L{start[0]:.1f} {start[1]:.1f}Z", class_="fill"),
        tag("path", d=panel.path(x, (0.0, 0.0)), class_="zero"),
        tag("path", tag("title", "all pixels of the mask"), d=panel.steps(edges, s.aperture), class_="aperture"),
        tag("path", tag("title", "mask"), d=panel.steps(edges[c.start : c.stop + 1], s.masked[c]), class_="line"),
    ]
    for name, (low, high, level) in s.widths.items():
        (x0, y), (x1, _) = panel.at(low, level), panel.at(high, level)
        path = f"M{x0:.1f} {y - 4:.1f}v8M{x0:.1f} {y:.1f}H{x1:.1f}M{x1:.1f} {y - 4:.1f}v8"
        parts.append(tag("path", tag("title", name), d=path, class_="width"))
        parts.append(tag("text", name, x=min(x0, x1) + 3.0, y=y - 3.0, class_="width"))
    scale, unit = readable_flux(every, s.flux_unit)
    y_ticks = {v / scale: label for v, label in number_ticks(panel.y[0] * scale, panel.y[1] * scale).items()}
    x_label = f"{s.name} [{s.unit}]" if s.unit else s.name
    parts.append(panel.frame(x_label, f"Flux density [{unit}]", _between(s.channel, 4), y_ticks))
    return _drawing(f"Spectrum of {source.name}", *parts)


def _slice(source: SourceCube, most: int) -> Markup:
    s = source.slice
    nz, n = s.data.shape
    low, high = _range(s.data)
    rising = source.velocity[-1] >= source.velocity[0]
    panel = Panel(*AREA, (-0.5, n - 0.5), (-0.5, nz - 0.5) if rising else (nz - 0.5, -0.5))
    step, unit = (s.pixel, "arcsec") if np.isfinite(s.pixel) else (1.0, "pix")
    if unit == "arcsec" and n * step > LONG:
        step, unit = step / 60.0, "arcmin"
    x_ticks = {n // 2 + value / step: label
               for value, label in number_ticks(-(n // 2) * step, (n - 1 - n // 2) * step).items()}  # fmt: skip
    scale, data_unit = readable_flux(s.data, source.scales.unit)
    named = f" along {source.angle_name}" if source.angle_name else ""
    return _drawing(
        f"Position-velocity slice of {source.name}",
        _image(panel, s.data, most, low, high, FLUX),
        _outline(panel, s.mask),
        panel.frame(
            f"Offset{named} [{unit}]", f"Velocity [{source.velocity_unit}]", x_ticks, _between(source.velocity)
        ),
        _bar(low * scale, high * scale, FLUX, data_unit),
    )
