"""The parametric disc: a quasi-random cloud of points of equal flux, rotating, thick, warped, lopsided and clumpy."""

from __future__ import annotations

from functools import cache

import numpy as np

from hisf.simulate.cloud import Cloud, Place, turn
from hisf.simulate.galaxy import Galaxy, Shape3D

RING_RADIUS = 0.39  # HI radii; Martinsson et al. (2016)
GAUSSIAN_W20 = 2.0 * np.sqrt(2.0 * np.log(5.0))  # full width at 20 % in sigmas
POINTS = 8192, 400_000  # least and most
POINTS_PER_VOXEL = 400  # per channel and beam that the galaxy covers
FOR_WIDTH = 8192  # points that the line width is measured with
OUTERMOST = 3.0  # HI radii, where discs end
WARP_FROM = 0.7  # HI radii


class DiscModel:
    """Renders discs; see `Shape3D` for what they have, `Galaxy` for what they obey.

    The surface density has the galaxy's mass and is 1 Msun/pc² at the HI radius. An exponential can have both only if
    the mass over the area within that radius is at least 3.7 Msun/pc² (2 e^x/x² at x = 2; the mass–size relation has
    3.8); more diffuse galaxies become rings, which reach down to 2.4. The speed of rotation is the one that gives the
    galaxy its w20.
    """

    def cloud(self, galaxy: Galaxy, place: Place) -> Cloud:
        """Return the points of a disc."""
        shape = galaxy.shape
        channels = abs(place.channels_per_kms) * galaxy.w20_kms + 4.0
        beams = max(1.0, np.pi / 4.0 * galaxy.size_arcsec**2 / place.beam_arcsec2)
        n = int(np.clip(POINTS_PER_VOXEL * channels * beams, *POINTS))
        rng = np.random.default_rng([galaxy.seed, 1])
        points = _sequence(n, rng.random(4))
        radius = np.interp(points[0], *_radii(_profile(shape.profile, galaxy.mean_density)))
        azimuth = 2.0 * np.pi * points[1]
        tall, fast = _normal_pair(points[2], points[3])
        # constant height such that second moments have the axis ratio of a spheroid of this thickness
        height = shape.thickness * np.sqrt(np.mean(radius**2) / 2.0) * tall
        weight = _weights(shape, radius, azimuth, rng)
        beyond = np.maximum(radius - WARP_FROM, 0.0) / (1.0 - WARP_FROM)
        tilt = np.radians(galaxy.inclination_deg + shape.warp_tilt_deg * beyond)
        along = radius * np.cos(azimuth)
        across = radius * np.sin(azimuth) * np.cos(tilt) - height * np.sin(tilt)
        half = galaxy.size_arcsec / 2.0
        east, north = turn(half * along, half * across, galaxy.pa_deg + shape.warp_pa_deg * beyond)
        # speed 1; the sine is floored so that face-on galaxies can have a width
        spin = np.maximum(np.sin(tilt), 0.05) * np.cos(azimuth) * (1.0 - np.exp(-radius / shape.turnover))
        dispersion = min(shape.dispersion_kms, 0.8 * galaxy.w20_kms / GAUSSIAN_W20)
        speed = match_speed(spin[:FOR_WIDTH], weight[:FOR_WIDTH], dispersion, galaxy.w20_kms)
        velocity = speed * spin + dispersion * fast
        limit = _limit_kms(galaxy)
        z = place.z + place.channels_per_kms * np.clip(velocity, -limit, limit)
        channel = np.floor(z + 0.5).astype(np.int64)  # the integral over a channel, not a sample of it
        z0 = int(channel.min())
        return Cloud(east, north, weight, channel - z0, z0)

    def reach(self, galaxy: Galaxy, place: Place) -> float:
        """Return the largest distance of a point from the centre, channels."""
        return abs(place.channels_per_kms) * _limit_kms(galaxy) + 1.0

    def describe(self, galaxy: Galaxy) -> str:
        """Return the name of the radial profile."""
        return galaxy.shape.profile


def match_speed(spin: np.ndarray, weight: np.ndarray, dispersion_kms: float, w20_kms: float) -> float:
    """Return the rotation speed, km/s, with which a disc has the line width ``w20_kms``.

    Parameters
    ----------
    spin : ndarray, shape (n,)
        Line-of-sight velocities at speed 1.
    weight : ndarray, shape (n,)
    dispersion_kms : float
    w20_kms : float
    """
    least, most = 0.0, w20_kms / max(float(np.abs(spin).max()), 1e-6)
    for _ in range(14):
        speed = 0.5 * (least + most)
        if line_width(speed * spin, weight, dispersion_kms) < w20_kms:
            least = speed
        else:
            most = speed
    return 0.5 * (least + most)


def line_width(velocity: np.ndarray, weight: np.ndarray, dispersion_kms: float, level: float = 0.2) -> float:
    """Return the width between the outermost crossings of ``level`` times the peak of a line profile, km/s.

    Parameters
    ----------
    velocity, weight : ndarray, shape (n,)
        Points of gas, km/s.
    dispersion_kms : float
        Positive; of the Gaussian that every point is spread with.
    """
    step = dispersion_kms / 3.0
    reach = float(np.abs(velocity).max()) + 5.0 * dispersion_kms
    bins = int(np.ceil(reach / step))
    index = np.rint(velocity / step).astype(np.int64) + bins
    spectrum = np.bincount(index, weight, 2 * bins + 1)
    kernel = np.exp(-0.5 * (np.arange(-15, 16) * step / dispersion_kms) ** 2)
    return width_of(np.convolve(spectrum, kernel), level) * step


def width_of(spectrum: np.ndarray, level: float = 0.2) -> float:
    """Return the width of a spectrum in channels, crossings of ``level`` × peak interpolated linearly from outside."""
    padded = np.concatenate([[0.0], spectrum, [0.0]])
    cut = level * padded.max()
    above = np.flatnonzero(padded > cut)
    if not len(above):
        return 0.0
    first, last = above[0], above[-1]
    low = first - (padded[first] - cut) / (padded[first] - padded[first - 1])
    high = last + (padded[last] - cut) / (padded[last] - padded[last + 1])
    return float(high - low)


def surface_density(profile: str, mean_density: float, radius: np.ndarray) -> np.ndarray:
    """Return the face-on surface density, relative to that at the HI radius.

    Parameters
    ----------
    profile : str
        ``ring`` or ``exponential``.
    mean_density : float
        Mass over the area within the HI radius, in units of the density at that radius.
    radius : ndarray
        In HI radii.
    """
    kind, scale = _profile(profile, mean_density)
    return _density(kind, scale, radius)


def _density(kind: str, scale: float, radius: np.ndarray) -> np.ndarray:
    if kind == "exponential":
        return np.exp(scale * (1.0 - radius))
    return np.exp(((1.0 - RING_RADIUS) ** 2 - (radius - RING_RADIUS) ** 2) / (2.0 * scale**2))


@cache
def _mean_densities(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean densities, ascending, and the scale that has them: 1/scale length, or the width of the ring."""
    radius = np.linspace(0.0, 10.0, 20001)
    scales = np.linspace(2.0, 8.0, 301) if kind == "exponential" else np.linspace(0.5, 0.12, 301)
    means = np.array([2.0 * np.sum(_density(kind, s, radius) * radius) * radius[1] for s in scales])
    return means, scales


def _profile(kind: str, mean_density: float) -> tuple[str, float]:
    """Return kind and scale of a profile; an exponential that would be too diffuse becomes a ring."""
    if kind == "exponential" and mean_density < _mean_densities(kind)[0][0]:
        kind = "ring"
    return kind, round(float(np.interp(mean_density, *_mean_densities(kind))), 3)


@cache
def _radii(profile: tuple[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of the mass within a radius, and that radius."""
    radius = np.linspace(0.0, OUTERMOST, 1501)
    mass = _density(*profile, radius) * radius
    within = np.concatenate([[0.0], np.cumsum(0.5 * (mass[1:] + mass[:-1]))])
    return within / within[-1], radius


def _weights(shape: Shape3D, radius: np.ndarray, azimuth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return lopsidedness and clumps as weights of the points, 1 on average."""
    weight = 1.0 + shape.lopsidedness * np.minimum(radius, 1.5) * np.cos(azimuth - np.radians(shape.lopsided_deg))
    x, y = radius * np.cos(azimuth), radius * np.sin(azimuth)
    places = rng.integers(0, len(radius), shape.clumps)  # clumps are where the gas is
    sizes, contrasts = rng.uniform(0.03, 0.1, shape.clumps), rng.uniform(0.5, 2.5, shape.clumps)
    for place, size, contrast in zip(places, sizes, contrasts, strict=True):
        near = np.flatnonzero(np.abs(x - x[place]) < 4.0 * size)
        square = (x[near] - x[place]) ** 2 + (y[near] - y[place]) ** 2
        weight[near] += contrast * np.exp(-0.5 * square / size**2)
    return np.maximum(weight, 0.0)


def _limit_kms(galaxy: Galaxy) -> float:
    """Return the largest velocity that a point may have; beyond it are 1e-6 of the gas."""
    return 1.2 * galaxy.w20_kms + 20.0


def _sequence(n: int, offset: np.ndarray) -> np.ndarray:
    """Return ``n`` points of the additive recurrence on the unit cube of as many dimensions as ``offset``, (dims, n).

    The generalised golden ratio (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences"): the points
    fill the cube more evenly than random ones.
    """
    dims = len(offset)
    ratio = 2.0
    for _ in range(40):
        ratio = (1.0 + ratio) ** (1.0 / (dims + 1))
    steps = ratio ** -np.arange(1.0, dims + 1.0)
    return (offset[:, None] + steps[:, None] * np.arange(1, n + 1)) % 1.0


def _normal_pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two independent normal deviates of two uniform ones (Box and Muller 1958)."""
    length = np.sqrt(-2.0 * np.log(1.0 - first))
    return length * np.cos(2.0 * np.pi * second), length * np.sin(2.0 * np.pi * second)
