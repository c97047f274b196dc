"""The catalogue as a region file of DS9, which CARTA reads, too (spec clients §3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hisf.data.source import Source
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.cubelet import measured_values
from hisf.stages.products.frames import celestial_frame
from hisf.stages.products.stamp import CREATOR

EQUINOX = {"fk4": 1950.0, "fk5": 2000.0}  # the only ones that DS9 has


class RegionFile(Product):
    """An ellipse and the number of every source.

    The ellipse is that of the pixels above 3 sigma (``ell3s_*``), where there are none the flux-weighted one
    (``ell_*``), and where that is not known either a circle around the mask. Positions are in the sky, in the cube's
    own system; those of a cube without one that DS9 knows are in pixels of the mask and the maps, counted from 1.
    """

    name = "regions"
    suffix = "_cat.reg"

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return ``output.writeRegions``."""
        return settings["output.writeRegions"]

    def write(self, result: Result, path: Path) -> None:
        """Write the regions in the order of the catalogue."""
        path.write_text("\n".join(as_regions(result)) + "\n", encoding="utf-8")


def as_regions(result: Result) -> Iterator[str]:
    """Yield the lines of the file."""
    assert result.sources is not None
    frame, equinox = celestial_frame(result.cube)
    sky = bool(frame) and result.settings["parameter.wcs"] and EQUINOX.get(frame) == equinox
    yield "# Region file format: DS9 version 4.1"
    yield f"# {CREATOR}"
    yield "global color=green width=1"
    yield frame if sky else "image"
    values = measured_values(result)
    for n, source in enumerate(result.sources):
        x, y, shape = _ellipse(source, {name: float(column[n]) for name, column in values.items()})
        place = _on_sky(result, x, y, shape) if sky else _in_pixels(x, y, shape)
        yield f"ellipse({place}) # text={{{source.label}}}" if place else f"# {source.label} is at no place in the sky"


def _ellipse(source: Source, row: dict[str, float]) -> tuple[float, float, np.ndarray]:
    """Return the centre of a source and the matrix of its ellipse, axes squared, in pixels (x, y)."""
    for kind in ("ell3s", "ell"):
        major, minor, angle = (row[f"{kind}_{part}"] for part in ("maj", "min", "pa"))
        if np.isfinite((row["x"], row["y"], major, minor, angle)).all() and major > 0:
            along = np.array([-math.sin(math.radians(angle)), math.cos(math.radians(angle))])
            across = np.array([along[1], -along[0]])
            minor = max(minor, 0.5)  # of a mask one pixel wide
            return row["x"], row["y"], major**2 * np.outer(along, along) + minor**2 * np.outer(across, across)
    box = source.box
    radius = max(box.shape[1:]) / 2.0
    return (box.x0 + box.x1 - 1) / 2.0, (box.y0 + box.y1 - 1) / 2.0, radius**2 * np.eye(2)


def _in_pixels(x: float, y: float, shape: np.ndarray) -> str:
    major, minor, angle = _axes(shape)
    return f"{x + 1:.3f},{y + 1:.3f},{major:.3f},{minor:.3f},{angle + 90.0:.2f}"


def _on_sky(result: Result, x: float, y: float, shape: np.ndarray) -> str:
    """Return centre, axes and DS9's angle, 0 where the first axis points west; empty outside the projection."""
    wcs = result.cube.wcs
    assert wcs is not None
    longitude, latitude, _ = wcs.to_world(np.array([x]), np.array([y]), np.zeros(1))
    turn = np.diag([-1.0, 1.0]) @ wcs.arcsec_per_pixel(x, y)  # towards west and north, which is right-handed
    if not (np.isfinite(turn).all() and np.isfinite((longitude[0], latitude[0])).all()):
        return ""
    major, minor, angle = _axes(turn @ shape @ turn.T)
    return f'{longitude[0] % 360.0:.6f},{latitude[0]:+.6f},{major:.2f}",{minor:.2f}",{angle + 90.0:.2f}'


def _axes(shape: np.ndarray) -> tuple[float, float, float]:
    """Return the half-axes of an ellipse and the angle of the longer one, deg from the second axis, −90 to 90."""
    squares, directions = np.linalg.eigh(shape)
    dx, dy = directions[:, 1]
    angle = math.degrees(math.atan2(-dx, dy))
    return math.sqrt(squares[1]), math.sqrt(max(squares[0], 0.0)), (angle + 90.0) % 180.0 - 90.0
