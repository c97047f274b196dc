"""Size, inclination and position angle of a disc from a mask and the flux in it (spec forska §10)."""

from __future__ import annotations

import math

import numpy as np

THICKNESS = 0.2  # axis ratio of a disc seen edge-on, spec forska Eq. 1
LEAST_SEMI_AXIS = 0.5  # pixels
LATTICE = 0.3  # pixels by which axes scatter for want of finer ones
FEWEST_PIXELS = 3
MASK_ANGLE = 2.0  # deg, by which the steps of a mask turn its disc (spec forska §10.4)
WORST_ANGLE = 180.0 / math.sqrt(3.0)  # deg, standard deviation of an angle of which nothing is known
WORST_INCLINATION = 90.0 / math.sqrt(12.0)  # deg


def semi_axes(east: np.ndarray, north: np.ndarray) -> tuple[float, float]:
    """Return the semi-axes of the ellipse that has the second moments of points, 2·√λ (spec forska §10.1).

    Parameters
    ----------
    east, north : ndarray, shape (n,)
        One point for each pixel of a filled ellipse, in any unit of length.

    Returns
    -------
    major, minor : float
        NaN for fewer than three points.
    """
    if len(east) < FEWEST_PIXELS:
        return math.nan, math.nan
    small, large = np.linalg.eigvalsh(np.cov(np.stack([east, north]), bias=True))
    return 2.0 * math.sqrt(max(large, 0.0)), 2.0 * math.sqrt(max(small, 0.0))


def inclination(ratio: float, thickness: float = THICKNESS) -> float:
    """Return the inclination, deg, of a disc of an axis ratio, 90 for edge-on (spec forska Eq. 1)."""
    square = (ratio**2 - thickness**2) / (1.0 - thickness**2)
    return math.degrees(math.acos(math.sqrt(min(max(square, 0.0), 1.0))))


def size_and_inclination(
    east: np.ndarray, north: np.ndarray, padding: float, pixel: float, beam_area: float
) -> dict[str, float]:
    """Return size and inclination of a disc from the pixels of its mask.

    Parameters
    ----------
    east, north : ndarray, shape (n,), arcsec
        The pixels that the mask covers, each once.
    padding : float, arcsec
        By which the mask reaches beyond the disc on every side.
    pixel : float, arcsec
        Side of a pixel.
    beam_area : float, arcsec²

    Returns
    -------
    dict
        ``hi_size``, ``hi_incl`` and their uncertainties, NaN where unknown: both for fewer than three pixels, the
        inclination for a mask that is no larger than its padding. The uncertainty takes an axis as measured by as many
        independent points as the mask has beams.
    """
    axes = semi_axes(east, north)
    found = dict.fromkeys(("hi_size", "hi_incl", "err_hi_size", "err_hi_incl"), math.nan)
    if math.isnan(axes[0]):
        return found
    beams = max(1.0, len(east) * pixel**2 / beam_area) if beam_area > 0 else float(len(east))
    least = LEAST_SEMI_AXIS * pixel
    errors = [math.hypot(0.5 * axis / math.sqrt(beams), LATTICE * pixel / 2.0) for axis in axes]
    major, minor = (max(axis - padding, least) for axis in axes)
    found |= {"hi_size": 2.0 * major, "err_hi_size": 2.0 * errors[0]}
    if major > least > 0:
        ratio = minor / major
        off = ratio * math.hypot(errors[0] / major, errors[1] / minor)
        half = 0.5 * (inclination(max(ratio - off, 0.0)) - inclination(min(ratio + off, 1.0)))
        found |= {"hi_incl": inclination(ratio), "err_hi_incl": min(half, WORST_INCLINATION)}
    return found


def gradient(data: np.ndarray, z: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how the centroid of the flux moves from channel to channel, and the weights that make it.

    The covariance of channel and place under the flux is the slope of the centroids of all channels, each weighted by
    its flux, times the variance of the channels. It is linear in the data, so that noise does not bias it, and the
    beam does not change it.

    Parameters
    ----------
    data, z, x, y : ndarray, shape (n,)
        Flux and place of the voxels.

    Returns
    -------
    covariance : ndarray, shape (2,)
        Along x and y, towards higher channels, times the flux.
    weights : ndarray, shape (2, n)
        By which the data are multiplied.
    """
    total = data.sum()
    centre = [float((data * axis).sum() / total) if total > 0 else float(axis.mean()) for axis in (z, x, y)]
    weights = (z - centre[0]) * np.stack([x - centre[1], y - centre[2]])
    return weights @ data, weights


def principal_axis(z: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the projection (x, y) of the principal axis of points, on the side of higher channels.

    Parameters
    ----------
    z, x, y : ndarray, shape (n,)
        Places of voxels; channels and pixels as they are (spec forska §10.4).

    Returns
    -------
    ndarray, shape (2,)
        NaN for fewer than four points.
    """
    if len(z) <= FEWEST_PIXELS:
        return np.full(2, np.nan)
    _, vectors = np.linalg.eigh(np.cov(np.stack([z, x, y]), bias=True))
    axis = vectors[:, -1]
    return axis[1:] if axis[0] > 0 else -axis[1:]


def angle_of(vector: np.ndarray, spread: float) -> tuple[float, float]:
    """Return the angle of a vector (east, north), N through E from 0 to 360, and its uncertainty, both deg.

    ``spread`` is the standard deviation of the vector across its direction; NaN where unknown.
    """
    length = float(np.hypot(*vector))
    if not length > 0:
        return math.nan, math.nan
    angle = math.degrees(math.atan2(vector[0], vector[1])) % 360.0
    if length < spread:
        return angle, WORST_ANGLE
    noise = math.degrees(math.atan2(spread, math.sqrt(length**2 - spread**2)))  # which makes vectors longer
    return angle, math.hypot(noise, MASK_ANGLE)
