"""Cut-outs of sources for the appraising network: one size, whatever the cube and the source.

The cube is averaged as for the finder, and a source larger than a cut-out is averaged further. Noise, brightness and
averaging are taken out of the voxels and given to the network as numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.voxels import Voxels
from hisf.nn.canonical import BEAM_PIXELS, Sampling, average

CUT = (128, 20, 20)  # averaged voxels (z, y, x)
ROOM = (100, 14)  # channels, pixels that a source may extend over before it is averaged further
BRIGHT = 8.0  # noise; brighter cut-outs are scaled down to it
CHANNELS = 2  # of the input: data, and weight of the channel
NUMBERS = 4  # beside the cut-out


@dataclass(frozen=True, eq=False)
class Cutout:
    """What the network sees of a source.

    Attributes
    ----------
    data : ndarray of float32, shape (2, z, y, x)
        Voxels in units of the noise of their channel, over ``scale``; and the least noise of all channels over that of
        the channel, 0 where blank.
    numbers : ndarray of float32, shape (4,)
        Logarithms of beam, scale and averaging along z and on the sky.
    factors : tuple of int
        Further averaging (z, y, x).
    corner : tuple of int
        First averaged voxel (z, y, x).
    noise : float
        The unit of the sums: noise of the best channel times ``scale``.
    """

    data: np.ndarray
    numbers: np.ndarray
    factors: Shape
    corner: Shape
    noise: float

    def inside(self, place: np.ndarray) -> np.ndarray:
        """Return (z, y, x) from the middle of the cut-out, in its voxels, of a place in averaged voxels."""
        inner = (place - np.array(self.corner) + 0.5) / np.array(self.factors) - 0.5
        return inner - (np.array(CUT) - 1) / 2

    def outside(self, offset: np.ndarray) -> np.ndarray:
        """Return the place in averaged voxels of an offset (z, y, x) from the middle of the cut-out."""
        return (offset + np.array(CUT) / 2) * np.array(self.factors) - 0.5 + np.array(self.corner)


def further_factors(extent: Shape) -> Shape:
    """Return by how much a source of an extent (z, y, x) in averaged voxels is averaged further."""
    across = max(1, math.ceil(max(extent[1], extent[2]) / ROOM[1]))
    return max(1, math.ceil(extent[0] / ROOM[0])), across, across


def place(z: np.ndarray, y: np.ndarray, x: np.ndarray, values: np.ndarray) -> tuple[tuple[float, float, float], Shape]:
    """Return the centroid (z, y, x) of the positive voxels of a mask, of all where none is, and its extent."""
    weight = np.maximum(np.nan_to_num(np.asarray(values, np.float64)), 0.0)
    total = weight.sum()
    if not total > 0:
        weight, total = np.ones(len(z)), float(len(z))
    centre = tuple(float((c * weight).sum() / total) for c in (z, y, x))
    return centre, tuple(int(np.ptp(c)) + 1 for c in (z, y, x))  # type: ignore[return-value]


def corner_of(centre: tuple[float, float, float], factors: Shape) -> tuple[int, int, int]:
    """Return the first averaged voxel (z, y, x) of a cut-out about a centre; it may lie outside the cube."""
    z, y, x = (round(c) - f * n // 2 for c, f, n in zip(centre, factors, CUT, strict=True))
    return z, y, x


def make_cutout(data: np.ndarray, noise: np.ndarray, corner: Shape, factors: Shape, beam: float) -> Cutout:
    """Make a cut-out.

    Parameters
    ----------
    data : ndarray of float32, shape ``CUT * factors`` (z, y, x)
        Averaged voxels; NaN where blank or outside the cube.
    noise : ndarray, shape (z,)
        Of the channels; NaN where unknown.
    corner : tuple of int
        First averaged voxel.
    factors : tuple of int
        Further averaging.
    beam : float
        FWHM in averaged pixels; NaN where unknown.
    """
    known = noise[np.isfinite(noise)]
    least = float(np.percentile(known, 10)) if known.size else 1.0
    scaled = data / noise[:, None, None].astype(np.float32)
    scaled = average(scaled, factors)
    blank = np.isnan(scaled)
    weight = average(np.broadcast_to((least / noise)[:, None, None], (len(noise), 1, 1)), (factors[0], 1, 1))
    values = np.where(blank, np.float32(0), scaled)
    middle = values[:, CUT[1] // 4 : -CUT[1] // 4, CUT[2] // 4 : -CUT[2] // 4]
    scale = max(1.0, float(np.percentile(middle, 99.8)) / BRIGHT)
    out = np.empty((CHANNELS, *CUT), np.float32)
    out[0] = values / np.float32(scale)
    out[1] = np.where(blank, np.float32(0), np.minimum(np.nan_to_num(weight), 2.0))
    beam = BEAM_PIXELS if math.isnan(beam) else beam
    numbers = np.log([beam / BEAM_PIXELS, scale, factors[0], factors[1]]).astype(np.float32)
    return Cutout(out, numbers, factors, corner, least * scale)


def cut(
    voxels: Voxels, sampling: Sampling, noise: np.ndarray, centre: tuple[float, float, float], extent: Shape
) -> Cutout:
    """Cut a source out of a cube.

    Parameters
    ----------
    voxels : Voxels
    sampling : Sampling
    noise : ndarray, shape (z,) of the averaged cube
    centre : tuple of float
        (z, y, x) of the source in averaged voxels.
    extent : tuple of int
        Of its mask, averaged voxels (z, y, x).
    """
    factors = further_factors(extent)
    corner = corner_of(centre, factors)
    size = tuple(n * f for n, f in zip(CUT, factors, strict=True))
    wanted = Box(corner[0], corner[0] + size[0], corner[1], corner[1] + size[1], corner[2], corner[2] + size[2])
    there = wanted.grow((0, 0, 0), sampling.coarse_shape)
    data = np.full(wanted.shape, np.nan, np.float32)
    level = np.full(wanted.shape[0], np.nan)
    if there.size:
        inside = there.inside(wanted).slices
        data[inside] = sampling.average(voxels.read(sampling.fine(there)))
        level[inside[0]] = noise[there.z0 : there.z1]
    return make_cutout(data, level, corner, factors, sampling.beam)
