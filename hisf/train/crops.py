"""Samples for the segmentation network: noise, mock galaxies in it, and where they are.

A sample is a function of (seed, step, place in the batch) alone, so that a training that was stopped goes on as if it
had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hisf.train.mocks import Mock

CROP = (128, 48, 48)  # z, y, x
EDGE = 0.15  # of the peak of a galaxy, above which voxels are its own
POSITIVE_SNR = 1.8  # galaxies above are to be found
IGNORED_SNR = 1.2  # those between are neither galaxy nor background
GALAXIES = 3.0  # mean number in a crop
NEGATIVE = 0.04  # share of galaxies put in with the sign turned: holes are not to be found
SCALING = (0.75, 1.4)  # of brightness
BINS = np.array([0.0, 1.8, 2.3, 2.8, 3.4, 4.2, 5.5, 8.0, 15.0])  # S/N; every bin is drawn as often


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of crops.

    Attributes
    ----------
    data : ndarray of float32, shape (n, 1, z, y, x)
    target : ndarray of float32, likewise
        1 in galaxies, 0 elsewhere.
    valid : ndarray of float32, likewise
        0 where the loss does not look.
    """

    data: np.ndarray
    target: np.ndarray
    valid: np.ndarray


class Crops:
    """Makes batches.

    Parameters
    ----------
    volumes : sequence of ndarray, each (z, y, x)
        Noise in units of its own level; or the voxels of an observed cube, so normalised.
    mocks : sequence of Mock
    seed : int
    truths : sequence of ndarray of int8, optional
        What is known of the volumes already: 1 galaxy, 0 background, -1 not to be learnt from.
    flip : bool
        Whether the sign of the volumes may be turned: noise is symmetric, an observed cube is not.
    """

    def __init__(
        self,
        volumes: Sequence[np.ndarray],
        mocks: Sequence[Mock],
        seed: int,
        truths: Sequence[np.ndarray] | None = None,
        flip: bool = True,
    ) -> None:
        self.volumes = volumes
        self.mocks = mocks
        self.seed = seed
        self.truths = truths
        self.flip = flip and truths is None
        bins = np.digitize([m.snr for m in mocks], BINS) - 1
        self._members = [members for k in range(len(BINS)) if len(members := np.flatnonzero(bins == k))]

    def batch(self, step: int, size: int, crop: tuple[int, int, int] = CROP) -> Batch:
        """Return batch number ``step``."""
        data = np.zeros((size, 1, *crop), np.float32)
        target, valid = np.zeros_like(data), np.ones_like(data)
        for n in range(size):
            self._fill(np.random.default_rng([self.seed, 70, step, n]), data[n, 0], target[n, 0], valid[n, 0])
        return Batch(data, target, valid)

    def _fill(self, rng: np.random.Generator, data: np.ndarray, target: np.ndarray, valid: np.ndarray) -> None:
        number = int(rng.integers(len(self.volumes)))
        volume = self.volumes[number]
        corner = [int(rng.integers(0, max(1, n - m + 1))) for n, m in zip(volume.shape, data.shape, strict=True)]
        where = tuple(slice(c, c + m) for c, m in zip(corner, data.shape, strict=True))
        turn = turns(rng)
        piece = turn(volume[where].astype(np.float32))
        if self.flip and rng.random() < 0.5:
            piece = -piece
        inner = tuple(slice(0, n) for n in piece.shape)
        data[inner] = piece
        if self.truths is not None:
            known = turn(self.truths[number][where])
            target[inner], valid[inner] = known > 0, known >= 0
        for _ in range(int(rng.poisson(GALAXIES))):
            self._insert(rng, data, target, valid)

    def _insert(self, rng: np.random.Generator, data: np.ndarray, target: np.ndarray, valid: np.ndarray) -> None:
        if not self._members:
            return
        mock = self.mocks[int(rng.choice(self._members[int(rng.integers(len(self._members)))]))]
        scale = float(np.exp(rng.uniform(*np.log(SCALING))))
        cutout = turns(rng)(mock.cutout.astype(np.float32)) * np.float32(scale)
        corner = [
            int(rng.integers(-(m // 3), max(1, n - m + m // 3))) for n, m in zip(data.shape, cutout.shape, strict=True)
        ]
        low = [max(0, c) for c in corner]
        high = [min(n, c + m) for n, c, m in zip(data.shape, corner, cutout.shape, strict=True)]
        if any(a >= b for a, b in zip(low, high, strict=True)):
            return
        into = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        part = cutout[tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))]
        if rng.random() < NEGATIVE:
            data[into] -= 2.0 * part
            return
        data[into] += part
        own = part > EDGE * cutout.max()
        snr = mock.snr * scale
        if snr >= POSITIVE_SNR:
            target[into][own] = 1.0
        elif snr >= IGNORED_SNR:
            valid[into][own & (target[into] == 0)] = 0.0


def turns(rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Return a random turn by quarter circles and mirroring on the sky and along the spectrum, as a function."""
    quarter, mirror, reverse = int(rng.integers(4)), rng.random() < 0.5, rng.random() < 0.5

    def turn(a: np.ndarray) -> np.ndarray:
        a = np.rot90(a, quarter, (1, 2))
        a = a[:, :, ::-1] if mirror else a
        return a[::-1] if reverse else a

    return turn
