"""Noise: a level for every channel, correlated on the sky, and made channel by channel from seeds of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from hisf.errors import FileAccessError, InputError
from hisf.simulate.geometry import Geometry
from hisf.simulate.render import beam_transfer, fast_size

PADDING = 6.0  # sigmas of the beam: opposite edges of the field do not see each other
RADIAN = 180.0 * 3600.0 / math.pi  # arcsec
FLAGGED_ABOVE = 1.1  # noise ratio from which SDC2 flags short baselines
LEAST_PRIMARY_BEAM = 0.1  # response below which noise grows no further


class Layer(Protocol):
    """Something that is added to every channel of a cube."""

    def add(self, plane: np.ndarray, z: int) -> None:
        """Add channel ``z`` to ``plane``, shape (y, x), float32, in place; channels may come in any order."""
        ...


def sdc2_level(geometry: Geometry) -> np.ndarray:
    """Return the noise of SDC2 in the channels of a grid, Jy/beam, shape (z,), without RFI.

    13.6 µJy/beam at 950 MHz, 3.5 more at 1350 MHz, in 115 kHz after 2000 hours with MeerKAT; the noise goes with the
    root of the channel width.
    """
    frequency = geometry.frequencies
    width = np.array([geometry.spectral.width_hz(f) for f in frequency[[0, -1]]]).mean()
    return (13.6e-6 + 3.5e-6 * (frequency - 950e6) / 400e6) * math.sqrt(115e3 / width)


def read_pairs(path: Path, what: str) -> np.ndarray:
    """Read a text file of two columns, the first ascending.

    Raises
    ------
    FileAccessError
        It cannot be read.
    InputError
        It is not a table of two columns of numbers.
    """
    try:
        rows = [row.split("#")[0].split() for row in path.read_text(encoding="utf-8").splitlines()]
        table = np.array([[float(v) for v in row[:2]] for row in rows if row])
    except (OSError, UnicodeDecodeError) as error:
        raise FileAccessError(f"{path} cannot be read: {error}.") from None
    except ValueError:
        table = np.empty(0)
    if table.ndim != 2 or table.shape[1] != 2 or (np.diff(table[:, 0]) <= 0).any():
        raise InputError(f"{path} is not a table of {what} in two columns, the first ascending.")
    return table


def rfi_ratio(path: Path, frequency_hz: np.ndarray) -> np.ndarray:
    """Return the factor by which RFI raises the noise; the file: MHz, ratio. Ratios below 1 count as 1."""
    table = read_pairs(path, "frequency in MHz and noise ratio")
    return np.maximum(np.interp(frequency_hz / 1e6, table[:, 0], table[:, 1]), 1.0)


@dataclass(frozen=True, eq=False)
class Noise:
    """Gaussian noise, independent from channel to channel.

    Attributes
    ----------
    geometry : Geometry
    level : ndarray, shape (z,), Jy/beam
        Standard deviation of every channel, where the primary beam is 1.
    seed : int
    uv_power : ndarray, shape (n, 2), optional
        Baseline in wavelengths and power of the noise; missing: white noise convolved with the beam, whose
        autocorrelation is a Gaussian √2 times as wide as the beam.
    ratio : ndarray, shape (z,), optional
        RFI; `level` contains it already. Where it is above 1.1, baselines shorter than 71 · 10^((ratio − 1)^⅓)
        wavelengths lose the share (ratio − 1.1)/0.9 of their power, as in SDC2.
    primary_beam_arcsec : float
        Full width at half maximum of a Gaussian primary beam that the cube is corrected for; 0: none. The noise
        grows outwards by its inverse.
    """

    geometry: Geometry
    level: np.ndarray
    seed: int
    uv_power: np.ndarray | None = field(default=None, repr=False)
    ratio: np.ndarray | None = field(default=None, repr=False)
    primary_beam_arcsec: float = 0.0

    def add(self, plane: np.ndarray, z: int) -> None:
        """Add the noise of channel ``z``."""
        rows, columns = self._size
        amplitude, scale = self._amplitude, self._scale
        if self.ratio is not None and self.uv_power is not None and self.ratio[z] > FLAGGED_ABOVE:
            excess = float(self.ratio[z]) - 1.0
            lost = min((excess + 1.0 - FLAGGED_ABOVE) / 0.9, 1.0)
            short = self._baselines < 71.0 * 10.0 ** (excess ** (1.0 / 3.0))
            amplitude = np.where(short, amplitude * np.float32(math.sqrt(1.0 - lost)), amplitude)
            scale = _scale(amplitude, columns)
        rng = np.random.default_rng([self.seed, 10, z])
        white = np.fft.rfft2(rng.standard_normal((rows, columns), np.float32))
        white *= amplitude
        noise = np.fft.irfft2(white, s=(rows, columns))[: plane.shape[0], : plane.shape[1]]
        noise = noise * np.float32(self.level[z] * scale)
        if self._growth is not None:
            noise *= self._growth
        plane += noise

    @cached_property
    def _size(self) -> tuple[int, int]:
        spread = math.sqrt(float(np.linalg.eigvalsh(self.geometry.beam_covariance).max()))
        pad = math.ceil(PADDING * spread)
        return fast_size(self.geometry.shape[1] + pad), fast_size(self.geometry.shape[2] + pad)

    @cached_property
    def _baselines(self) -> np.ndarray:
        """Return the baselines of the Fourier plane, wavelengths."""
        rows, columns = self._size
        pixel = math.sqrt(self.geometry.pixel_area_arcsec2) / RADIAN
        return np.hypot(np.fft.fftfreq(rows, pixel)[:, None], np.fft.rfftfreq(columns, pixel)).astype(np.float32)

    @cached_property
    def _amplitude(self) -> np.ndarray:
        if self.uv_power is None:
            return beam_transfer(self.geometry, *self._size).astype(np.float32)
        baseline, power = self.uv_power[:, 0], np.maximum(self.uv_power[:, 1], 0.0)
        inner = np.interp(self._baselines, baseline, power, left=power[0], right=0.0)
        return np.sqrt(inner).astype(np.float32)

    @cached_property
    def _scale(self) -> float:
        return _scale(self._amplitude, self._size[1])

    @cached_property
    def _growth(self) -> np.ndarray | None:
        if not self.primary_beam_arcsec:
            return None
        _, ny, nx = self.geometry.shape
        y, x = np.arange(ny)[:, None] - (ny - 1) / 2, np.arange(nx) - (nx - 1) / 2
        square = (x**2 + y**2) * self.geometry.pixel_area_arcsec2
        response = np.exp(-4.0 * math.log(2.0) * square / self.primary_beam_arcsec**2)
        return (1.0 / np.maximum(response, LEAST_PRIMARY_BEAM)).astype(np.float32)


def _scale(amplitude: np.ndarray, columns: int) -> float:
    """Return what makes white noise of variance 1, filtered with ``amplitude``, of variance 1 again."""
    power = np.square(amplitude, dtype=np.float64)
    once = power[:, 0].sum() + (power[:, -1].sum() if columns % 2 == 0 else 0.0)
    total = 2.0 * power.sum() - once  # all other columns stand for two
    if total <= 0:
        raise InputError("The power spectrum of the noise is zero at every baseline that the pixels can hold.")
    return 1.0 / math.sqrt(total / (len(amplitude) * columns))
