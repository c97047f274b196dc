"""Boxes and tiles: where a piece of a cube lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box ``[z0, z1) × [y0, y1) × [x0, x1)`` in zero-based cube coordinates."""

    z0: int
    z1: int
    y0: int
    y1: int
    x0: int
    x1: int

    @classmethod
    def whole(cls, shape: Shape) -> Box:
        """Return the box that covers a cube of ``shape`` (z, y, x)."""
        return cls(0, shape[0], 0, shape[1], 0, shape[2])

    @property
    def shape(self) -> Shape:
        """Sizes (z, y, x); zero along an axis where the box is empty."""
        return max(0, self.z1 - self.z0), max(0, self.y1 - self.y0), max(0, self.x1 - self.x0)

    @property
    def size(self) -> int:
        """Number of voxels."""
        nz, ny, nx = self.shape
        return nz * ny * nx

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index into a (z, y, x) array of the cube."""
        return slice(self.z0, self.z1), slice(self.y0, self.y1), slice(self.x0, self.x1)

    def grow(self, halo: Shape, shape: Shape) -> Box:
        """Return the box with ``halo`` (z, y, x) voxels more on every side, clipped to a cube of ``shape``."""
        hz, hy, hx = halo
        return Box(
            max(0, self.z0 - hz), min(shape[0], self.z1 + hz),
            max(0, self.y0 - hy), min(shape[1], self.y1 + hy),
            max(0, self.x0 - hx), min(shape[2], self.x1 + hx),
        )  # fmt: skip

    def shift(self, z: int, y: int, x: int) -> Box:
        """Return the box moved by (z, y, x) voxels."""
        return Box(self.z0 + z, self.z1 + z, self.y0 + y, self.y1 + y, self.x0 + x, self.x1 + x)

    def inside(self, outer: Box) -> Box:
        """Return this box in the coordinates of ``outer``, whose lower corner becomes (0, 0, 0)."""
        return self.shift(-outer.z0, -outer.y0, -outer.x0)

    def overlaps(self, other: Box) -> bool:
        """Return whether the two boxes share a voxel."""
        return (
            self.z0 < other.z1 and other.z0 < self.z1
            and self.y0 < other.y1 and other.y0 < self.y1
            and self.x0 < other.x1 and other.x0 < self.x1
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a cube handed to a finder.

    Attributes
    ----------
    core : Box
        The voxels this tile answers for, in cube coordinates.
    box : Box
        The core and its halo, clipped to the cube.
    data : ndarray, shape ``box.shape`` (z, y, x)
        The voxels of ``box``, native byte order, NaN where blank; not to be modified.
    """

    core: Box
    box: Box
    data: np.ndarray

    @property
    def inner(self) -> tuple[slice, slice, slice]:
        """The core as an index into ``data`` and into any array of its shape."""
        return self.core.inside(self.box).slices


def slabs(shape: Shape, channels: int) -> Iterator[Box]:
    """Yield boxes of whole channels from the last channel down to the first, at most ``channels`` deep.

    FITS stores a cube channel by channel, so a slab is one contiguous piece of the file; the order is the one in which
    SoFiA visits voxels (spec sofia2 §3.1, §3.5, §3.8).
    """
    top = shape[0]
    while top > 0:
        bottom = max(0, top - max(1, channels))
        yield Box(bottom, top, 0, shape[1], 0, shape[2])
        top = bottom
