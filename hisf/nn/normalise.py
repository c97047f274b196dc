"""What the segmenter is shown of a channel: hisf's units of the noise, or the standardisation of FORSKA-Sweden.

The numbers are those of whole channels of the cube at hand, measured once, so that a box is normalised alike however
the cube is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hisf.data.box import Box, slabs
from hisf.data.voxels import Voxels

PERCENTILES = (0.1, 99.9)
GROUP = 8  # channels that are averaged to see how they are correlated
TOLERATED = 0.05  # excess of the noise of such groups that is nothing
LIMIT = 12.0  # noise; brighter voxels look the same
SLAB_VOXELS = 1 << 24  # that are read at a time, or one channel
Advance = Callable[[int], None]


class Normalisation(Protocol):
    """Makes any box of a cube what the segmenter is to see."""

    @property
    def flagged(self) -> np.ndarray:
        """Channels, shape (z,), bool, that become 0: blank or constant."""
        ...

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Return a box (z, y, x), normalised: float32, 0 where blank; a new array."""
        ...


@dataclass(frozen=True, eq=False)
class NoiseUnits:
    """Divide every channel by its noise and limit it to ±`LIMIT`.

    Attributes
    ----------
    noise : ndarray of float64, shape (z,)
        NaN where a channel is blank or constant.
    """

    noise: np.ndarray

    @property
    def flagged(self) -> np.ndarray:
        """Channels, shape (z,), bool, that have no noise and become 0."""
        return np.isnan(self.noise)

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Return a box, normalised: float32, shape ``box.shape`` (z, y, x), 0 where blank; a new array."""
        from hisf.kernels.divide import in_units

        return in_units(np.asarray(data, np.float32), self.noise[box.z0 : box.z1].astype(np.float32), LIMIT)


def measure_normalisation(kind: str, voxels: Voxels, advance: Advance = lambda n: None) -> Normalisation:
    """Measure a normalisation on a whole cube: ``noise``, or ``percentiles`` for that of FORSKA."""
    if kind == "percentiles":
        return measure(voxels, advance=advance)
    return NoiseUnits(channel_noise(voxels, advance))


def channel_noise(voxels: Voxels, advance: Advance = lambda n: None) -> np.ndarray:
    """Measure the noise of every channel: the MAD of its negative half about 0.

    Parameters
    ----------
    voxels : Voxels
        Read by slabs of whole channels, from the last one down.
    advance : callable
        ``advance(n)`` after every n voxels.

    Returns
    -------
    ndarray of float64, shape (z,)
        NaN where a channel is blank or constant. The same, to the bit, however deep the slabs are.
    """
    from hisf.kernels.noise import noise_of_planes

    nz, ny, nx = voxels.shape
    noise = np.empty(nz)
    for box in slabs(voxels.shape, max(1, SLAB_VOXELS // max(1, ny * nx))):
        planes = np.ascontiguousarray(voxels.read(box))
        noise[box.z0 : box.z1] = noise_of_planes(planes, "mad", "negative")
        advance(box.size)
    return np.where(noise > 0, noise, np.nan) * spectral_excess(voxels, noise)


def spectral_excess(voxels: Voxels, noise: np.ndarray) -> float:
    """Measure by how much the noise of several channels together exceeds that of as many independent ones.

    Channels that were smoothed (Hanning) or regridded are correlated, and ripples are too; the networks are trained on
    independent ones and would take the slow part of such noise for lines. Groups of `GROUP` channels are averaged, and
    their noise times √`GROUP` is compared with the noise of their channels: 1 for independent ones.

    Parameters
    ----------
    voxels : Voxels
    noise : ndarray of float64, shape (z,)
        Of every channel.

    Returns
    -------
    float
        The median of all groups, at least 1; 1 where it exceeds that by less than `TOLERATED`, or cannot be measured.
    """
    from hisf.kernels.noise import noise_of_planes

    nz, ny, nx = voxels.shape
    ratios = []
    for z in range(0, nz - GROUP + 1, GROUP):
        single = noise[z : z + GROUP]
        planes = voxels.read(Box(z, z + GROUP, 0, ny, 0, nx))
        joint = noise_of_planes(planes.mean(0, keepdims=True), "mad", "negative")[0]
        ratios.append(GROUP**0.5 * joint / np.sqrt(np.mean(single**2)) if (single > 0).all() else np.nan)
    known = np.array(ratios)[np.isfinite(ratios)]
    excess = float(np.median(known)) if known.size else 1.0
    return excess if excess > 1.0 + TOLERATED else 1.0


@dataclass(frozen=True, eq=False)
class ChannelNormalisation:
    """The normalisation of FORSKA-Sweden: every channel clipped and standardised (spec forska §2; P §2.2.3).

    What is subtracted and divided, channel by channel of a cube.

    Attributes
    ----------
    lo, hi : ndarray of float64, shape (z,)
        Percentiles of the channel, in data units; values are clipped to them.
    mean, std : ndarray of float64, shape (z,)
        Of the clipped channel, the latter that of a population.

    A channel that is all blank has NaN in all four, a constant one ``std = 0``: see `flagged`.
    """

    lo: np.ndarray
    hi: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @property
    def flagged(self) -> np.ndarray:
        """Channels, shape (z,), bool, that have no contrast and become 0: all blank or constant."""
        return ~(self.std > 0)

    def apply(self, data: np.ndarray, box: Box) -> np.ndarray:
        """Return a box of the cube, normalised.

        Parameters
        ----------
        data : ndarray, shape ``box.shape`` (z, y, x)
            Data units, NaN where blank; not modified.
        box : Box
            Where it lies in the cube; only its channels matter.

        Returns
        -------
        ndarray of float32, same shape
            0 where blank and in flagged channels. A new array; one channel of float64 is held while it is made.

        Raises
        ------
        ValueError
            The data have not the shape of the box, or its channels are not all in the cube.
        """
        if data.shape != box.shape:
            raise ValueError(f"The data have the shape {data.shape}, the box {box.shape}.")
        if box.z0 < 0 or box.z1 > len(self.std):
            raise ValueError(f"Channels {box.z0} to {box.z1 - 1} are not all of the {len(self.std)} of the cube.")
        out = np.zeros(data.shape, np.float32)
        flagged = self.flagged
        for n, z in enumerate(range(box.z0, box.z1)):
            if not flagged[z]:
                plane = np.clip(data[n].astype(np.float64), self.lo[z], self.hi[z])
                plane = (plane - self.mean[z]) / self.std[z]
                out[n] = np.where(np.isnan(plane), 0.0, plane)
        return out


def measure(
    voxels: Voxels, percentiles: tuple[float, float] = PERCENTILES, advance: Callable[[int], None] = lambda n: None
) -> ChannelNormalisation:
    """Measure the normalisation of a cube in one pass over it.

    Parameters
    ----------
    voxels : Voxels
        Read by slabs of whole channels, from the last one down; NaN is left out, infinities too.
    percentiles : tuple of float
        Lower and upper, with linear interpolation.
    advance : callable
        ``advance(n)`` after every n voxels.

    Returns
    -------
    ChannelNormalisation
        The same, to the bit, however deep the slabs are: each channel is measured by itself.

    Raises
    ------
    ValueError
        The percentiles are not 0 ≤ lower < upper ≤ 100.
    """
    lower, upper = percentiles
    if not 0 <= lower < upper <= 100:
        raise ValueError(f"percentiles = {lower}, {upper} are not 0 ≤ lower < upper ≤ 100.")
    nz, ny, nx = voxels.shape
    lo, hi, mean, std = (np.full(nz, np.nan) for _ in range(4))
    for box in slabs(voxels.shape, max(1, SLAB_VOXELS // max(1, ny * nx))):
        for z, plane in zip(range(box.z0, box.z1), voxels.read(box), strict=True):
            values = plane[np.isfinite(plane)].astype(np.float64)
            if values.size:
                lo[z], hi[z] = np.percentile(values, percentiles)
                np.clip(values, lo[z], hi[z], out=values)
                mean[z] = values.mean()
                std[z] = values.std() if hi[z] > lo[z] else 0.0  # rounding of the mean makes no contrast
        advance(box.size)
    return ChannelNormalisation(lo, hi, mean, std)
