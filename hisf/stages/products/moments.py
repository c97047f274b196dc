"""Moments 0, 1 and 2, and the number of channels, of voxels given channel by channel (spec sofia2 §3.12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hisf.data.cube import Cube
from hisf.settings import Settings

Channel = tuple[int, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Maps:
    """Maps of shape (y, x).

    Attributes
    ----------
    moment0, moment1, moment2 : ndarray of float32
        Flux times channel width; mean and dispersion of the spectral coordinate, NaN where there is no positive flux.
    channels : ndarray of int32
    flux : ndarray of float32
        Flux without the channel width, in data units.
    """

    moment0: np.ndarray
    moment1: np.ndarray
    moment2: np.ndarray
    channels: np.ndarray
    flux: np.ndarray


def add_up(
    channels: Callable[[], Iterable[Channel]],
    shape: tuple[int, int],
    coordinate: np.ndarray,
    width: float,
    threshold: float = 0.0,
) -> Maps:
    """Make the maps of the voxels of a mask.

    Parameters
    ----------
    channels : callable
        ``channels()`` yields, from the last channel down, its number z, its voxels (y, x) in data units, and which of
        them belong to the mask (y, x, bool). It is called twice; blank voxels of the mask make blank pixels.
    shape : tuple of int
        (y, x) of the maps.
    coordinate : ndarray, shape (z,)
        Spectral coordinate of every channel.
    width : float
        What moment 0 is multiplied by.
    threshold : float
        Moments 1 and 2 are those of the voxels above it, in data units.

    Returns
    -------
    Maps

    Notes
    -----
    As SoFiA does it (spec sofia2 §3.12): channel by channel from the last one down, every term in double, then added in
    float32. Memory: seven maps and one channel.
    """
    flux, weight, weighted, scatter = (np.zeros(shape, np.float32) for _ in range(4))
    count = np.zeros(shape, np.int32)
    for z, values, inside in channels():
        flux[inside] += values[inside].astype(np.float32)
        count[inside] += 1
        bright = inside & (values > threshold)
        weight[bright] += values[bright].astype(np.float32)
        weighted[bright] += (values[bright].astype(float) * coordinate[z]).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(weight > 0, weighted / weight, np.float32(np.nan))
        for z, values, inside in channels():
            bright = inside & (values > threshold)
            offset = mean[bright].astype(float) - coordinate[z]
            scatter[bright] += (values[bright] * offset**2).astype(np.float32)
        good = (weight > 0) & (scatter > 0)
        dispersion = np.where(good, np.sqrt(scatter.astype(float) / weight), np.nan).astype(np.float32)
    return Maps((flux.astype(float) * width).astype(np.float32), mean, dispersion, count, flux)


def has_coordinates(cube: Cube, settings: Settings) -> bool:
    """Return whether products of the cube have spectral coordinates and not only channel numbers."""
    return cube.wcs is not None and settings["parameter.wcs"] and cube.shape[0] > 1


def spectral_coordinates(cube: Cube, settings: Settings) -> tuple[np.ndarray, float]:
    """Return the spectral coordinate of every channel, and the channel width that moment 0 is multiplied by.

    Returns
    -------
    coordinate : ndarray, shape (z,)
        That of pixel (0, 0), Hz or m/s; the channel number without world coordinates.
    width : float
        |CDELT3| in the unit of the header; 1 without world coordinates.
    """
    z = np.arange(cube.shape[0], dtype=float)
    if cube.wcs is None or not has_coordinates(cube, settings):
        return z, 1.0
    return cube.wcs.to_world(np.zeros_like(z), np.zeros_like(z), z)[2], cube.scales.channel


def spectral_unit(cube: Cube, settings: Settings) -> str:
    """Return the unit of the spectral coordinate, that of the header as SoFiA prints it; pix for channel numbers."""
    return cube.spectral_unit if has_coordinates(cube, settings) else "pix"


def moment0_unit(cube: Cube, settings: Settings) -> str:
    """Return the unit of moment 0, for example ``Jy/beam*Hz``; that of the data without world coordinates."""
    unit = cube.scales.unit
    return f"{unit}*{cube.spectral_unit}" if has_coordinates(cube, settings) else unit


def has_channels(cube: Cube) -> bool:
    """Return whether the data are a cube and not an image, which has no spectral axis."""
    return int(cube.header["NAXIS"]) > 2
