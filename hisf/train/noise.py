"""Noise for training: volumes without galaxies, every channel in units of its own noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hisf.data.box import Shape
from hisf.simulate import (
    Beam,
    ContinuumResiduals,
    Layer,
    Noise,
    from_options,
    read_pairs,
    rfi_ratio,
    sdc2_level,
)

BANDWIDTH_HZ, START_HZ, STEP_HZ = 200e6, 950e6, 30e3  # of SDC2
BEAM = 7.0  # arcsec
CONTINUUM_DEG2 = 200.0  # residuals of continuum sources per deg²


@dataclass(frozen=True, eq=False)
class Volume:
    """Noise and residuals.

    Attributes
    ----------
    data : ndarray of float16, shape (z, y, x)
        In units of the noise of the channel.
    level : ndarray of float32, shape (z,)
        Noise of the channel over that without interference.
    beam : float
        FWHM of the beam, pixels.
    """

    data: np.ndarray
    level: np.ndarray
    beam: float


def make_volume(templates: Path | None, shape: Shape, seed: int, number: int) -> Volume:
    """Make volume ``number`` of a seed: noise with residuals of continuum sources.

    Two thirds are like SDC2 where its noise is known (``noise_uv_psd.txt``, ``noise_rfi.txt``), at any place of the
    band; the rest is white noise convolved with beams of 1.9 to 3.6 pixels.
    """
    rng = np.random.default_rng([seed, 60, number])
    like_sdc2 = templates is not None and number % 3 != 2
    pixel = 2.8 if like_sdc2 else BEAM / float(rng.uniform(1.9, 3.6))
    start = START_HZ + float(rng.uniform(0.0, BANDWIDTH_HZ - shape[0] * STEP_HZ))
    geometry = from_options(shape, pixel, Beam(BEAM, BEAM), start, STEP_HZ)
    level = quiet = sdc2_level(geometry)
    power = ratio = None
    if like_sdc2 and templates is not None:
        power = read_pairs(templates / "noise_uv_psd.txt", "baseline in wavelengths and noise power")
        ratio = rfi_ratio(templates / "noise_rfi.txt", geometry.frequencies)
        level = level * ratio
    number_of_seed = seed * 10_000 + number
    residuals = math.ceil(CONTINUUM_DEG2 * geometry.area_deg2 * float(rng.uniform(0.5, 3.0)))
    layers: list[Layer] = [Noise(geometry, level, number_of_seed, power, ratio)]
    layers.append(ContinuumResiduals(geometry, residuals, number_of_seed))
    data = np.zeros(shape, np.float16)
    for z in range(shape[0]):
        plane = np.zeros(shape[1:], np.float32)
        for layer in layers:
            layer.add(plane, z)
        data[z] = plane / np.float32(level[z])
    return Volume(data, (level / quiet).astype(np.float32), BEAM / pixel)
