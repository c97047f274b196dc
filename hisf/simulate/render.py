"""Rendering a galaxy on the grid of a cube: points, beam, flux."""

from __future__ import annotations

import math

import numpy as np

from hisf.data.box import Box, Shape
from hisf.simulate.cloud import Cloud, Model, Place
from hisf.simulate.galaxy import Galaxy
from hisf.simulate.geometry import Geometry

BEAM_REACH = 4.5  # sigmas of the beam around the outermost point
CHUNK = 4_000_000  # voxels transformed at once


def place_of(galaxy: Galaxy, geometry: Geometry) -> Place:
    """Return where a galaxy is on a grid."""
    spectral, pixel = geometry.spectral, geometry.pixel_area_arcsec2
    return Place(
        float(spectral.channel(galaxy.frequency_hz)),
        spectral.channels_per_kms(galaxy.frequency_hz),
        math.sqrt(pixel),
        geometry.beam_area * pixel,
    )


def render(galaxy: Galaxy, geometry: Geometry, model: Model) -> tuple[Box, np.ndarray]:
    """Render one galaxy, convolved with the beam.

    Parameters
    ----------
    galaxy : Galaxy
    geometry : Geometry
        Of the cube it is to be added to.
    model : Model
        `DiscModel` or `TemplateModel`.

    Returns
    -------
    box : Box
        Where it is; parts of it may lie outside the cube (see `clip`).
    cutout : ndarray, shape ``box.shape`` (z, y, x), float32, Jy/beam
        Not negative. Its sum over the beam area, times the channel width in Hz at the galaxy, is the galaxy's flux.

    Notes
    -----
    Deterministic: the same galaxy on the same grid gives the same array. Memory: three cut-outs, and the points.
    """
    place = place_of(galaxy, geometry)
    cloud = model.cloud(galaxy, place)
    jacobian = geometry.jacobian(galaxy.ra_deg, galaxy.dec_deg)
    x0, y0 = geometry.to_pixel(np.array([galaxy.ra_deg]), np.array([galaxy.dec_deg]))
    x = x0[0] + jacobian[0, 0] * cloud.east + jacobian[0, 1] * cloud.north
    y = y0[0] + jacobian[1, 0] * cloud.east + jacobian[1, 1] * cloud.north
    pad = math.ceil(BEAM_REACH * math.sqrt(float(np.linalg.eigvalsh(geometry.beam_covariance).max()))) + 1
    left, bottom = math.floor(x.min()) - pad, math.floor(y.min()) - pad
    width, height = math.floor(x.max()) + pad + 2 - left, math.floor(y.max()) + pad + 2 - bottom
    cutout = _convolved(cloud, x - left, y - bottom, (height, width), geometry)
    total = galaxy.flux_jy_hz * geometry.beam_area / geometry.spectral.width_hz(galaxy.frequency_hz)
    cutout *= np.float32(total / cutout.sum(dtype=np.float64))
    return Box(cloud.z0, cloud.z0 + len(cutout), bottom, bottom + height, left, left + width), cutout


def clip(box: Box, cutout: np.ndarray, shape: Shape) -> tuple[Box, np.ndarray]:
    """Return the part of a cut-out that lies in a cube of ``shape`` (z, y, x); a view, empty where there is none."""
    inner = box.grow((0, 0, 0), shape)
    if not inner.size:
        return Box(0, 0, 0, 0, 0, 0), cutout[:0, :0, :0]
    return inner, cutout[inner.inside(box).slices]


def beam_transfer(geometry: Geometry, height: int, width: int) -> np.ndarray:
    """Return the Fourier transform of the beam, 1 at zero frequency, shape (height, width // 2 + 1)."""
    v, u = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    c = geometry.beam_covariance
    return np.exp(-2.0 * np.pi**2 * (c[0, 0] * u**2 + 2.0 * c[0, 1] * u * v + c[1, 1] * v**2))


def fast_size(n: int) -> int:
    """Return the smallest number ≥ n without prime factors above 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _convolved(cloud: Cloud, x: np.ndarray, y: np.ndarray, size: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """Return the points, shared between the four nearest pixels, convolved with the beam: (channels, y, x), float32."""
    rows, columns = fast_size(size[0]), fast_size(size[1])
    v, u = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    # sharing between pixels is a convolution with a triangle; it is taken back
    transfer = beam_transfer(geometry, rows, columns) / (np.sinc(u) * np.sinc(v)) ** 2
    x_pixel, y_pixel = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    dx, dy = x - x_pixel, y - y_pixel
    response, cells = cloud.response, cloud.cells
    channels = cells if response is None else len(response)
    made = np.zeros((channels, *size), np.float32)
    step = max(1, CHUNK // (rows * columns))
    for first in range(0, cells, step):
        n = min(step, cells - first)
        chosen = slice(None) if n == cells else (cloud.cell >= first) & (cloud.cell < first + n)
        base = ((cloud.cell[chosen] - first) * rows + y_pixel[chosen]) * columns + x_pixel[chosen]
        fx, fy, weight = dx[chosen], dy[chosen], cloud.weight[chosen]
        stack = np.zeros(n * rows * columns)
        corners = ((0, (1 - fy) * (1 - fx)), (1, (1 - fy) * fx), (columns, fy * (1 - fx)), (columns + 1, fy * fx))
        for shift, share in corners:
            stack += np.bincount(base + shift, weight * share, len(stack))
        planes = np.fft.irfft2(np.fft.rfft2(stack.reshape(n, rows, columns)) * transfer, s=(rows, columns))
        planes = planes[:, : size[0], : size[1]].astype(np.float32)
        if response is None:
            made[first : first + n] = planes
        else:
            made += np.tensordot(response[:, first : first + n].astype(np.float32), planes, 1)
    return np.maximum(made, 0.0, out=made)
