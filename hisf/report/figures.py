"""Figures of single sources, ready to publish: PNG and PDF, drawn without a display."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hisf.errors import FileAccessError
from hisf.evaluate.figures import FORMATS, STYLE, WIDTH
from hisf.report.finished import FinishedRun
from hisf.report.source_cube import SourceCube, readable_flux
from hisf.report.svg import outline_segments
from hisf.stages.products.writing import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 2.0 ** np.arange(1, 12)  # contours, in units of the noise
FRAMES = {"ICRS": "ICRS", "FK5": "J2000", "FK4": "B1950"}
STAMPS: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}  # no dates: same bytes


def draw_figures(run: FinishedRun, folder: Path, labels: Collection[int] = ()) -> Iterator[Path]:
    """Draw a figure of every source; yield the paths as they are written.

    Parameters
    ----------
    run : FinishedRun
    folder : Path
        Made if it is not there.
    labels : collection of int
        Ids of the sources; empty for all.

    Raises
    ------
    FileAccessError
        The folder or a file cannot be written, or the cube or mask of the run is not there.
    InputError
        There is no source of that id, or the files are of different runs.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"{folder} cannot be made: {error.strerror or error}.") from None
    for source in run.sources(labels):
        yield from _write(source, folder / f"{run.base.name}_{source.label}")


def _write(source: SourceCube, base: Path) -> list[Path]:
    """Write the figure of a source in every format; return the paths."""
    from matplotlib import rc_context

    paths = []
    with rc_context(STYLE):
        figure = draw_source(source)
        for suffix in FORMATS:
            write = partial(figure.savefig, format=suffix, metadata=STAMPS[suffix])
            paths.append(write_file(base.with_name(f"{base.name}.{suffix}"), write))
    return paths


def draw_source(source: SourceCube) -> Figure:
    """Draw moment 0 with contours, moment 1, the spectrum and the position-velocity slice of a source."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(2 * WIDTH, 1.72 * WIDTH), layout=ConstrainedLayoutEngine(w_pad=0.08, wspace=0.04))
    figure.suptitle(source.name, fontsize=9, parse_math=False)
    _draw_moment0(_sky_axes(figure, source, 1), source)
    _draw_moment1(_sky_axes(figure, source, 2), source)
    _draw_spectrum(figure.add_subplot(2, 2, 3), source)
    _draw_slice(figure.add_subplot(2, 2, 4), source)
    scale, unit = readable_flux(source.data, source.scales.unit)
    noises = (source.moment0_noise, source.moment0_unit), (source.noise * scale, unit)
    across, along = (f"{value:.2g} {_unit(unit)}" for value, unit in noises)
    figure.supxlabel(
        f"Contours: 2, 4, 8, … times the noise, {across} in moment 0, {along} in the slice. Orange: mask, line widths.",
        fontsize=6.5,
    )
    return figure


def _sky_axes(figure: Figure, source: SourceCube, place: int) -> Axes:
    """Return axes in celestial coordinates, in pixels of the searched region where there are none."""
    if not source.wcs:
        ax = figure.add_subplot(2, 2, place)
        ax.set_xlabel("x [pix]")
        ax.set_ylabel("y [pix]")
        return ax
    ax = figure.add_subplot(2, 2, place, projection=source.wcs.sky)
    frame = FRAMES.get(source.wcs.sky.wcs.radesys, "")
    names = ("Right ascension", "Declination") if source.wcs.equatorial else ("Galactic longitude", "Galactic latitude")
    for coordinate, name in zip(ax.coords, names, strict=True):
        coordinate.set_axislabel(f"{name} ({frame})" if source.wcs.equatorial and frame else name, minpad=0.6)
        coordinate.set_ticks(number=4)
        coordinate.set_ticklabel(exclude_overlapping=True)
        coordinate.display_minor_ticks(True)
    return ax


def _draw_moment0(ax: Axes, source: SourceCube) -> None:
    image, noise = source.moment0(masked=True), source.moment0_noise
    shown = ax.imshow(image, origin="lower", cmap="Greys", extent=_extent(source), vmin=0.0)
    if np.isfinite(noise) and noise > 0:
        ax.contour(np.nan_to_num(image), LEVELS * noise, colors="#0072b2", linewidths=0.7, extent=_extent(source))
    _outline(ax, source.outline, _extent(source))
    _beam(ax, source)
    _bar(ax, shown, f"Moment 0 [{_unit(source.moment0_unit)}]")


def _draw_moment1(ax: Axes, source: SourceCube) -> None:
    image = source.moment1
    known = np.abs(image[np.isfinite(image)])
    most = (float(np.percentile(known, 98)) if known.size else 0.0) or 1.0
    shown = ax.imshow(image, origin="lower", cmap="RdBu_r", vmin=-most, vmax=most, extent=_extent(source))
    _outline(ax, source.outline, _extent(source))
    _beam(ax, source)
    _bar(ax, shown, f"Velocity from the centroid [{_unit(source.velocity_unit)}]")


def _draw_spectrum(ax: Axes, source: SourceCube) -> None:
    from matplotlib.patheffects import withStroke

    s = source.spectrum
    edges = _edges(s.channel)
    scale, unit = readable_flux(s.aperture, s.flux_unit)
    masked = s.masked * scale
    ax.stairs(s.aperture * scale, edges, color="#8c8c8c", lw=0.7, label="all pixels of the mask")
    c = source.channels
    ax.stairs(masked[c], edges[c.start : c.stop + 1], color="#0072b2", lw=1.2, label="mask")
    ax.axhline(0.0, color="k", lw=0.5, ls=":")
    z = np.arange(len(s.channel))
    for name, (start, end, level) in s.widths.items():
        low, high = sorted(np.interp((start, end), z, s.channel))
        level *= scale
        ax.annotate("", (low, level), (high, level), arrowprops={"arrowstyle": "|-|, widthA=0.2, widthB=0.2", "lw": 0.8,
                    "color": "#d55e00", "shrinkA": 0, "shrinkB": 0})  # fmt: skip
        text = ax.annotate(name, (low, level), (3, 2), textcoords="offset points", fontsize=7, color="#d55e00")
        text.set_path_effects([withStroke(linewidth=2.0, foreground="w")])
    ax.set_xlim(edges.min(), edges.max())
    ax.set_ylim(top=ax.get_ylim()[1] * 1.22)  # room for the legend
    ax.ticklabel_format(useOffset=False)
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(f"{s.name} [{_unit(s.unit)}]" if s.unit else s.name)
    ax.set_ylabel(f"Flux density [{_unit(unit)}]")
    ax.legend(loc="upper right", ncols=2, handlelength=1.2, columnspacing=1.0)


def _draw_slice(ax: Axes, source: SourceCube) -> None:
    s = source.slice
    n, v = s.data.shape[1], source.velocity
    scale, data_unit = readable_flux(s.data, source.scales.unit)
    data, noise = s.data * scale, source.noise * scale
    step, unit = (s.pixel, "arcsec") if np.isfinite(s.pixel) else (1.0, "pix")
    x = (np.arange(n) - n // 2) * step
    mesh = ax.pcolormesh(_edges(x), _edges(v), data, cmap="Greys", rasterized=True, vmin=0.0)
    if noise > 0 and min(data.shape) > 1:
        ax.contour(x, v, np.nan_to_num(data), LEVELS * noise, colors="#0072b2", linewidths=0.7)
    if s.mask.any() and not s.mask.all() and min(data.shape) > 1:
        ax.contour(x, v, s.mask, [0.5], colors="#d55e00", linewidths=0.9)
    ax.set_ylim(_edges(v).min(), _edges(v).max())
    named = f" along {source.angle_name}" if source.angle_name else ""
    ax.set_xlabel(f"Offset{named} = {source.angle:.0f}° [{unit}]")
    ax.set_ylabel(f"Velocity from the centroid [{_unit(source.velocity_unit)}]")
    _bar(ax, mesh, f"Flux density [{_unit(data_unit)}]")


def _edges(centres: np.ndarray) -> np.ndarray:
    """Return the edges of cells, halfway between their centres."""
    if len(centres) < 2:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]))


def _extent(source: SourceCube) -> tuple[float, float, float, float]:
    """Return the edges of the maps: pixels of the box in celestial coordinates, else of the searched region."""
    ny, nx = source.outline.shape
    x, y = (0, 0) if source.wcs else (source.box.x0, source.box.y0)
    return x - 0.5, x + nx - 0.5, y - 0.5, y + ny - 0.5


def _outline(ax: Axes, mask: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Draw the outline of a mask along the edges of its pixels."""
    from matplotlib.collections import LineCollection

    segments = [((x0 + extent[0], y0 + extent[2]), (x1 + extent[0], y1 + extent[2]))
                for x0, y0, x1, y1 in outline_segments(mask)]  # fmt: skip
    ax.add_collection(LineCollection(segments, colors="#d55e00", linewidths=0.9, capstyle="projecting"))


def _beam(ax: Axes, source: SourceCube) -> None:
    """Draw the beam at half maximum into the lower left corner."""
    from matplotlib.patches import Polygon

    beam = source.beam()
    if beam is None:
        return
    left, _, low, _ = _extent(source)
    margin = 0.03 * max(source.outline.shape)
    corner = np.array([left, low]) + margin - beam.min(axis=0)
    ax.add_patch(Polygon(beam + corner, facecolor="0.6", edgecolor="k", lw=0.6))


def _bar(ax: Axes, shown: Any, label: str) -> None:
    """Draw a colour bar as high as the axes."""
    ax.figure.colorbar(shown, cax=ax.inset_axes((1.03, 0.0, 0.05, 1.0)), label=label)


def _unit(unit: str) -> str:
    """Return a unit as journals print it, with exponents in place of fractions."""
    parts = unit.replace("$", r"\$").replace("*", " ").replace("/beam", " beam$^{-1}$").replace("km/s", "km s$^{-1}$")
    return " ".join(parts.split())
