"""The sampling that the networks see: whole voxels averaged until a beam and a line are as long as in training.

Averaging over whole voxels from the corner of the cube keeps a result independent of how the cube is cut; the
networks are trained on 1.9 to 3.6 pixels per beam and 4 to 20 km/s per channel, so nothing finer is needed.
Coarser cubes are left as they are: a channel cannot be divided without inventing correlated noise.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.data.spectral import read_axis
from hisf.data.voxels import Voxels
from hisf.errors import InputError

log = logging.getLogger(__name__)

BEAM_PIXELS = 2.5  # per FWHM; SDC2
CHANNEL_KMS = 8.14  # 30 kHz at 1105 MHz; SDC2


@dataclass(frozen=True)
class Sampling:
    """How many voxels of a cube make one voxel of the networks.

    Attributes
    ----------
    shape : tuple of int
        (z, y, x) of the cube.
    factors : tuple of int
        Voxels (z, y, x) that are averaged.
    beam : float
        FWHM of the beam in averaged pixels; NaN where it is not known.
    """

    shape: Shape
    factors: Shape
    beam: float

    @property
    def coarse_shape(self) -> Shape:
        """Shape (z, y, x) of the averaged cube; the last voxels may be averages of fewer."""
        nz, ny, nx = (-(-n // f) for n, f in zip(self.shape, self.factors, strict=True))
        return nz, ny, nx

    def fine(self, box: Box) -> Box:
        """Return the voxels of the cube that a box of averaged voxels is made of."""
        (fz, fy, fx), (nz, ny, nx) = self.factors, self.shape
        return Box(
            box.z0 * fz, min(nz, box.z1 * fz), box.y0 * fy, min(ny, box.y1 * fy), box.x0 * fx, min(nx, box.x1 * fx)
        )

    def coarse(self, box: Box) -> Box:
        """Return the averaged voxels that a box of the cube has a part in."""
        fz, fy, fx = self.factors
        return Box(box.z0 // fz, -(-box.z1 // fz), box.y0 // fy, -(-box.y1 // fy), box.x0 // fx, -(-box.x1 // fx))

    def average(self, data: np.ndarray) -> np.ndarray:
        """Average voxels; ``data`` begins at a multiple of the factors. NaN is left out; all NaN gives NaN."""
        return average(data, self.factors)

    def spread(self, coarse: np.ndarray, shape: Shape) -> np.ndarray:
        """Return averaged voxels repeated to ``shape``, the shape of the voxels they are averages of."""
        for axis, factor in enumerate(self.factors):
            if factor > 1:
                coarse = np.repeat(coarse, factor, axis)
        return coarse[: shape[0], : shape[1], : shape[2]]


def sampling_of(cube: Cube) -> Sampling:
    """Return how a cube is brought to the sampling of the networks; what is not known is left as it is."""
    scales = cube.scales
    across, beam = 1, math.nan
    if scales.beam_known and 0 < scales.beam_area < math.inf:
        beam = math.sqrt(4.0 * math.log(2.0) / math.pi * scales.beam_area)
        across = min(max(1, round(beam / BEAM_PIXELS)), max(cube.shape))  # more than there are says nothing more
        beam /= across
    else:
        log.warning("%s: the beam is not known; the network takes it to be %g pixels wide.", cube.name, BEAM_PIXELS)
    along = 1
    try:
        axis = read_axis(cube.header, cube.name)
        middle = float(axis.frequency((cube.shape[0] - 1) / 2))
        along = min(max(1, round(abs(axis.channels_per_kms(middle)) * CHANNEL_KMS)), max(cube.shape))
    except (InputError, ValueError, ZeroDivisionError, OverflowError) as error:
        log.warning("%s The network takes channels to be about %.3g km/s wide.", error, CHANNEL_KMS)
    return Sampling(cube.shape, (along, across, across), beam)


def average(data: np.ndarray, factors: Shape) -> np.ndarray:
    """Return the means of blocks of ``factors`` (z, y, x) voxels, float32; NaN is left out."""
    data = np.asarray(data, np.float32)
    if factors == (1, 1, 1):
        return data
    for axis, factor in enumerate(factors):
        if factor > 1 and data.shape[axis] % factor:
            width = [(0, 0)] * 3
            width[axis] = (0, -data.shape[axis] % factor)
            data = np.pad(data, width, constant_values=np.nan)
    (nz, ny, nx), (fz, fy, fx) = data.shape, factors
    blocks = data.reshape(nz // fz, fz, ny // fy, fy, nx // fx, fx)
    blank = np.isnan(blocks)
    if not blank.any():
        return blocks.mean((1, 3, 5), dtype=np.float32)
    count = (~blank).sum((1, 3, 5))
    total = np.where(blank, np.float32(0), blocks).sum((1, 3, 5), dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


class AveragedVoxels:
    """A cube seen at the sampling of the networks; nothing is stored.

    Parameters
    ----------
    voxels : Voxels
    sampling : Sampling
        Of them.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, voxels: Voxels, sampling: Sampling) -> None:
        self._voxels, self._sampling = voxels, sampling
        self.shape = sampling.coarse_shape

    def read(self, box: Box) -> np.ndarray:
        """Return the averaged voxels of ``box``, float32, NaN where blank; not to be modified."""
        return self._sampling.average(self._voxels.read(self._sampling.fine(box)))
