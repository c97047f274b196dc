"""What is left in real cubes beside noise: residuals of continuum sources, and ripples along the spectrum."""

from __future__ import annotations

import math

import numpy as np

from hisf.simulate.geometry import Geometry

# source counts at 1.4 GHz: N(>S) per deg² = 53 (S/2.5 mJy)^-0.8
COUNT_DEG2, COUNT_JY, COUNT_SLOPE = 53.0, 2.5e-3, 0.8
BRIGHTEST_JY = 0.3  # brighter ones are peeled in practice
SPECTRAL_INDEX, REFERENCE_HZ = -0.7, 1.1e9
GAIN_ERROR = 1e-3  # rms; SDC2
COHERENT_HZ, COHERENT_ARCSEC = 10e6, 512.0  # of the gain error; SDC2
STAMP = 5.0  # sigmas of the beam
RIPPLE_PATCHES = 4  # across the field


class ContinuumResiduals:
    """Point sources times a gain error that varies slowly over field and band.

    Parameters
    ----------
    geometry : Geometry
    n : int
        How many: the brightest of the field, after the source counts, at random places.
    seed : int

    Attributes
    ----------
    ra, dec : ndarray, shape (n,), deg
    flux_jy : ndarray, shape (n,)
        Descending, at 1.1 GHz.
    """

    def __init__(self, geometry: Geometry, n: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 20])
        _, ny, nx = geometry.shape
        rank = (np.arange(n) + 0.5) / (COUNT_DEG2 * geometry.area_deg2)
        self.flux_jy = np.minimum(COUNT_JY * rank ** (-1.0 / COUNT_SLOPE), BRIGHTEST_JY)
        x, y = rng.uniform(-0.5, nx - 0.5, n), rng.uniform(-0.5, ny - 0.5, n)
        self.ra, self.dec = geometry.to_sky(x, y)
        self._spectra = self._make_spectra(geometry, x, y, rng)
        spread = geometry.beam_covariance
        reach = math.ceil(STAMP * math.sqrt(float(np.linalg.eigvalsh(spread).max())))
        dy, dx = (a.ravel() for a in np.mgrid[-reach : reach + 1, -reach : reach + 1])
        x_pixel, y_pixel = np.rint(x).astype(int)[:, None] + dx, np.rint(y).astype(int)[:, None] + dy
        offset = np.stack([x_pixel - x[:, None], y_pixel - y[:, None]])
        psf = np.exp(-0.5 * np.einsum("ank,ab,bnk->nk", offset, np.linalg.inv(spread), offset))
        inside = (x_pixel >= 0) & (x_pixel < nx) & (y_pixel >= 0) & (y_pixel < ny)
        self._source = np.broadcast_to(np.arange(n)[:, None], inside.shape)[inside]
        self._pixel, self._psf = (y_pixel * nx + x_pixel)[inside], psf[inside].astype(np.float32)

    def add(self, plane: np.ndarray, z: int) -> None:
        """Add the residuals of channel ``z``."""
        np.add.at(plane.reshape(-1), self._pixel, self._psf * self._spectra[z][self._source])

    def _make_spectra(self, geometry: Geometry, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the residual of every source in every channel, Jy, shape (z, n), float32."""
        frequency = geometry.frequencies
        band = (frequency - frequency.min()) / COHERENT_HZ + rng.uniform(0.0, 1.0)
        pixel = math.sqrt(geometry.pixel_area_arcsec2) / COHERENT_ARCSEC
        gain = _smooth_random(rng, [band[:, None], (y[None] + 0.5) * pixel, (x[None] + 0.5) * pixel])
        model = self.flux_jy * (frequency[:, None] / REFERENCE_HZ) ** SPECTRAL_INDEX
        return (GAIN_ERROR * gain * model).astype(np.float32)


class Ripple:
    """A standing wave along the frequency axis whose amplitude and phase vary over the field.

    Parameters
    ----------
    geometry : Geometry
    rms_jy : float
        Jy/beam.
    period_hz : float
    seed : int
    """

    def __init__(self, geometry: Geometry, rms_jy: float, period_hz: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 30])
        _, ny, nx = geometry.shape
        y, x = np.arange(ny)[:, None] * RIPPLE_PATCHES / ny, np.arange(nx)[None] * RIPPLE_PATCHES / nx
        self._waves = [(rms_jy * _smooth_random(rng, [y, x])).astype(np.float32) for _ in range(2)]
        self._phase = 2.0 * np.pi * geometry.frequencies / period_hz

    def add(self, plane: np.ndarray, z: int) -> None:
        """Add the ripple of channel ``z``."""
        phase = self._phase[z]
        plane += np.float32(math.cos(phase)) * self._waves[0] + np.float32(math.sin(phase)) * self._waves[1]


def _smooth_random(rng: np.random.Generator, positions: list[np.ndarray]) -> np.ndarray:
    """Return a Gaussian random field of variance 1 everywhere, correlated over 1 along each axis.

    Parameters
    ----------
    rng : Generator
    positions : list of ndarray
        Coordinates along each axis, not negative, which broadcast to the shape of the result.
    """
    low = [np.floor(p).astype(int) for p in positions]
    nodes = rng.standard_normal([int(cell.max()) + 2 for cell in low])
    total: np.ndarray | float = 0.0
    norm: np.ndarray | float = 0.0
    for corner in np.ndindex(*[2] * len(low)):
        share: np.ndarray | float = 1.0
        for position, cell, upper in zip(positions, low, corner, strict=True):
            part = position - cell
            share = share * (part if upper else 1.0 - part)
        total = total + share * nodes[tuple(cell + upper for cell, upper in zip(low, corner, strict=True))]
        norm = norm + np.square(share)
    return np.asarray(total / np.sqrt(norm))
