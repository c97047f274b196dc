"""Linked detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntFlag

import numpy as np

from hisf.data.box import Box, Shape


class Flag(IntFlag):
    """Quality flags of a source (spec sofia2 §3.8, §3.10)."""

    SPATIAL_EDGE = 1
    SPECTRAL_EDGE = 2
    BLANK = 4
    NEIGHBOUR = 8


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One linked detection.

    Attributes
    ----------
    label : int
        Counted from 1 in the order of the linker; renumbered after reliability.
    voxels : ndarray of int64
        Raster indices of its voxels, ascending.
    box : Box
        Bounding box in cube coordinates.
    n_pix : int
        Number of voxels.
    f_sum, f_min, f_max : float
        Of the searched cube in units of the global rms, as the linker recorded them; dilation adds to them in data
        units (spec sofia2 §3.10).
    mean, m2, m3, m4 : float
        Mean and central sums Σ(v − mean)^k, in units of the global rms, before dilation.
    linked : int
        Number of voxels before dilation.
    linker_label : int
        The label that the linker gave.
    fill : float
        Voxels over volume of the bounding box, before dilation.
    flag : int
        Sum of `Flag` bits.
    rel : float
        Reliability, 0 to 1; 0 where it was not determined.
    undilated : ndarray of int64, optional
        Raster indices before dilation; None where the mask was not dilated.
    finders : tuple of str
        The finders that detected at least one of its voxels, in the order in which they ran; not added to by dilation.
    estimates : mapping of str to float
        What an appraisal says of the galaxy, by the names of `hisf.data.columns.ESTIMATED`; empty without one. Not to
        be changed.
    """

    label: int
    voxels: np.ndarray
    box: Box
    n_pix: int
    f_sum: float
    f_min: float
    f_max: float
    mean: float
    m2: float
    m3: float
    m4: float
    linked: int
    linker_label: int
    fill: float
    flag: int = 0
    rel: float = 0.0
    undilated: np.ndarray | None = None
    finders: tuple[str, ...] = ()
    estimates: Mapping[str, float] = field(default_factory=dict)

    @property
    def core(self) -> np.ndarray:
        """Raster indices of its voxels as they were before dilation, ascending."""
        return self.voxels if self.undilated is None else self.undilated

    @property
    def std(self) -> float:
        """Standard deviation of the voxels, √(m₂/(n − 1)); NaN for a single voxel."""
        return float(np.sqrt(self.m2 / (self.linked - 1))) if self.linked > 1 else float("nan")

    @property
    def skew(self) -> float:
        """Skewness √n·m₃/m₂^1.5; NaN where all voxels are equal."""
        return float(np.sqrt(self.linked) * self.m3 / self.m2**1.5) if self.m2 > 0 else float("nan")

    @property
    def kurt(self) -> float:
        """Excess kurtosis n·m₄/m₂² − 3; NaN where all voxels are equal."""
        return float(self.linked * self.m4 / self.m2**2 - 3.0) if self.m2 > 0 else float("nan")

    def flagged(self, flag: int) -> Source:
        """Return the source with more flag bits set."""
        return replace(self, flag=self.flag | int(flag))

    def estimated(self, estimates: Mapping[str, float]) -> Source:
        """Return the source with the estimates of an appraisal, beside or in place of those it has."""
        return replace(self, estimates={**self.estimates, **estimates})

    def member(self, box: Box, shape: Shape) -> np.ndarray:
        """Return which voxels of ``box`` belong to the source: bool, shape ``box.shape``; ``shape`` is the cube's."""
        z, y, x = self.coordinates(shape)
        mask = np.zeros(box.shape, np.bool_)
        inside = (z >= box.z0) & (z < box.z1) & (y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1)
        mask[z[inside] - box.z0, y[inside] - box.y0, x[inside] - box.x0] = True
        return mask

    def coordinates(self, shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return z, y, x of every voxel in a cube of ``shape``."""
        rest, x = np.divmod(self.voxels, shape[2])
        z, y = np.divmod(rest, shape[1])
        return z, y, x


class SourceList(Sequence[Source]):
    """The sources of a cube, in the order of their labels, and the label cube they make, painted by the box.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    sources : iterable of Source
        No two share a voxel.
    """

    def __init__(self, shape: Shape, sources: Iterable[Source] = ()) -> None:
        self.shape = shape
        self._sources = list(sources)
        corners = [(s.box.z0, s.box.z1, s.box.y0, s.box.y1, s.box.x0, s.box.x1) for s in self._sources]
        self._boxes = np.array(corners, np.int64).reshape(-1, 6)

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, item):  # type: ignore[no-untyped-def]  # int -> Source, slice -> list of Source
        return self._sources[item]

    def __iter__(self) -> Iterator[Source]:
        return iter(self._sources)

    def replace(self, position: int, source: Source) -> None:
        """Put ``source`` in place of the one at ``position`` (0-based): a dilated one for the original."""
        self._sources[position] = source
        b = source.box
        self._boxes[position] = b.z0, b.z1, b.y0, b.y1, b.x0, b.x1

    @classmethod
    def renumbered(cls, shape: Shape, sources: Iterable[Source]) -> SourceList:
        """Return a list of sources whose labels count anew from 1."""
        return cls(shape, (replace(source, label=n) for n, source in enumerate(sources, 1)))

    def in_box(self, box: Box) -> list[Source]:
        """Return the sources whose bounding boxes overlap ``box``."""
        b = self._boxes
        hit = (b[:, 0] < box.z1) & (b[:, 1] > box.z0) & (b[:, 2] < box.y1) & (b[:, 3] > box.y0)
        hit &= (b[:, 4] < box.x1) & (b[:, 5] > box.x0)
        return [self._sources[i] for i in np.flatnonzero(hit)]

    def paint(self, box: Box) -> np.ndarray:
        """Return the labels of ``box``: int32, shape ``box.shape`` (z, y, x), 0 where there is no source."""
        labels = np.zeros(box.shape, np.int32)
        _, ny, nx = self.shape
        for source in self.in_box(box):
            low, high = np.searchsorted(source.voxels, (box.z0 * ny * nx, box.z1 * ny * nx))
            rest, x = np.divmod(source.voxels[low:high], nx)
            z, y = np.divmod(rest, ny)
            keep = (y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1)
            labels[z[keep] - box.z0, y[keep] - box.y0, x[keep] - box.x0] = source.label
        return labels
