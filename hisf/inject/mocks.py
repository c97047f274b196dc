"""Mock galaxies for an observed cube: drawn over a range of S/N and width, rendered, placed where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.cube import Cube
from hisf.errors import InputError
from hisf.simulate.cosmology import flux_jy_hz, kpc_per_arcsec, redshift, size_kpc
from hisf.simulate.disc import DiscModel
from hisf.simulate.galaxy import Galaxy, draw_shape
from hisf.simulate.geometry import Geometry
from hisf.simulate.population import expected_snr, seed_of
from hisf.simulate.render import clip, render
from hisf.simulate.truth import Measured, measure

WIDTHS_KMS = (40.0, 400.0)  # w20 of mock galaxies, from dwarfs to edge-on spirals
LOG_MASSES = np.linspace(3.0, 13.0, 401)  # Msun, over which the mass of a wanted S/N is looked up
FILL = 0.05  # of the cube at most, so that mocks do not change its noise
TRIES = 200  # places tried for a mock before the next run takes it
LEAST_REDSHIFT = 1e-4
MARGIN_PIX, MARGIN_CHANNELS = 3, 3  # kept free around a mock


@dataclass(frozen=True, eq=False)
class Mock:
    """One mock galaxy in a cube.

    Attributes
    ----------
    galaxy : Galaxy
    measured : Measured or None
        Its truth in this cube, integrated S/N included; None before it is rendered.
    x, y, z : float
        Centre, zero-based pixels of the searched region.
    radius_pix, half_channels : float
        Half of its size, convolved with the beam, and of its w20.
    box : Box
    cutout : ndarray of float32, shape ``box.shape``
        What is added to the data.
    """

    galaxy: Galaxy
    measured: Measured | None
    x: float
    y: float
    z: float
    radius_pix: float
    half_channels: float
    box: Box
    cutout: np.ndarray

    @property
    def snr(self) -> float:
        """Integrated S/N, √(Σ (voxel/noise)² / beam area), as in the truth of `hisf simulate`; NaN if not rendered."""
        return self.measured.snr if self.measured else float("nan")

    @property
    def core(self) -> Box:
        """The box that no other source may touch."""
        r, h = int(np.ceil(self.radius_pix)) + MARGIN_PIX, int(np.ceil(self.half_channels)) + MARGIN_CHANNELS
        x, y, z = round(self.x), round(self.y), round(self.z)
        return Box(z - h, z + h + 1, y - r, y + r + 1, x - r, x + r + 1)


def draw_galaxies(geometry: Geometry, noise: np.ndarray, n: int, snr: tuple[float, float], seed: int) -> list[Galaxy]:
    """Draw galaxies of uniform log S/N and uniform log w20, on the mass–size relation, seen from all sides.

    Parameters
    ----------
    geometry : Geometry
    noise : ndarray of float64, shape (z,)
        Noise of every channel, Jy/beam.
    n : int
    snr : tuple of float
        Range of the S/N that is expected, F/(σ Δν √(channels × beams)); that of the rendered mocks scatters around it.
    seed : int

    Raises
    ------
    InputError
        The cube has no channel at a positive redshift, or is narrower than the narrowest line.
    """
    rng = np.random.default_rng([seed, 71])
    frequency = geometry.frequencies
    usable = usable_channels(geometry, noise)
    band_kms = len(frequency) / abs(geometry.spectral.channels_per_kms(float(frequency[usable].mean())))
    widest = min(WIDTHS_KMS[1], 0.5 * band_kms)
    if widest <= WIDTHS_KMS[0]:
        raise InputError(f"the band is {band_kms:.0f} km/s wide, too narrow for galaxies of {WIDTHS_KMS[0]:.0f} km/s.")
    galaxies = []
    for k in range(1, n + 1):
        z = int(rng.choice(usable))
        f = float(frequency[z])
        wanted = np.exp(rng.uniform(*np.log(snr)))
        w20 = float(np.exp(rng.uniform(np.log(WIDTHS_KMS[0]), np.log(widest))))
        masses = 10.0**LOG_MASSES
        mass = 10.0 ** np.interp(np.log(wanted), np.log(_snr(geometry, f, masses, w20, noise[z])), LOG_MASSES)
        number = seed_of(seed, k)
        galaxies.append(
            Galaxy(
                k, 0.0, 0.0, float(size_kpc(mass) / kpc_per_arcsec(redshift(f))), float(flux_jy_hz(mass, f)), f,
                float(rng.uniform(0.0, 360.0)), float(np.degrees(np.arccos(rng.uniform()))), w20,
                draw_shape(np.random.default_rng([number, 0]), float(mass)), seed=number,
            )
        )  # fmt: skip
    return galaxies


def _snr(geometry: Geometry, f: float, masses: np.ndarray, w20: float, noise: float) -> np.ndarray:
    return expected_snr(geometry, f, masses, np.full(len(masses), w20), float(noise))


def place(
    galaxies: Sequence[Galaxy],
    cube: Cube,
    geometry: Geometry,
    noise: np.ndarray,
    blank: np.ndarray,
    taken: Sequence[Box],
    seed: int,
) -> tuple[list[Mock], list[Galaxy]]:
    """Place as many galaxies as fit into one run, none overlapping another or what is there already.

    Parameters
    ----------
    galaxies : sequence of Galaxy
        Their positions and channels are drawn here; flux, size and width stay, the S/N follows the noise.
    cube : Cube
    geometry : Geometry
    noise : ndarray, shape (z,)
    blank : ndarray of bool, shape (y, x)
        Pixels where no galaxy may be centred.
    taken : sequence of Box
        Where real sources are.
    seed : int

    Returns
    -------
    mocks : list of Mock
    rest : list of Galaxy
        Those for the next run.
    """
    rng = np.random.default_rng([seed, 72])
    boxes, mocks, rest, filled = list(taken), list[Mock](), list[Galaxy](), 0
    free, channels = np.argwhere(~blank), usable_channels(geometry, noise)
    size = int(np.prod(cube.shape))
    for k, galaxy in enumerate(galaxies):
        if filled > FILL * size and mocks:
            rest += galaxies[k:]
            break
        for _ in range(TRIES):
            y, x = free[rng.integers(len(free))] + rng.uniform(-0.5, 0.5, 2)
            ra, dec = geometry.to_sky(np.array([x]), np.array([y]))
            frequency = float(geometry.frequencies[rng.choice(channels)])
            mock = sketch(galaxy.moved(float(ra[0]), float(dec[0]), frequency), geometry, float(x), float(y))
            if not any(mock.core.overlaps(box) for box in boxes) and _inside(mock.core, cube.shape):
                mocks.append(rendered(mock, geometry, noise))
                boxes.append(mock.core)
                filled += mock.core.size
                break
        else:
            rest.append(galaxy)
    return mocks, rest


def usable_channels(geometry: Geometry, noise: np.ndarray) -> np.ndarray:
    """Return the channels that have noise and a positive redshift, where mock galaxies can be.

    Raises
    ------
    InputError
        There is none.
    """
    usable = np.flatnonzero((redshift(geometry.frequencies) > LEAST_REDSHIFT) & np.isfinite(noise) & (noise > 0))
    if not usable.size:
        raise InputError("no channel of the cube has noise and a positive redshift, where mock galaxies could be.")
    return usable


def sketch(galaxy: Galaxy, geometry: Geometry, x: float, y: float) -> Mock:
    """Return a mock with place and size, not rendered yet."""
    pixel, f = float(np.sqrt(geometry.pixel_area_arcsec2)), galaxy.frequency_hz
    z = float(geometry.spectral.channel(f))
    radius = np.hypot(galaxy.size_arcsec, geometry.beam.major_arcsec) / 2.0 / pixel
    half = abs(geometry.spectral.channels_per_kms(f)) * galaxy.w20_kms / 2.0
    return Mock(galaxy, None, x, y, z, float(radius), float(half), Box(0, 0, 0, 0, 0, 0), np.empty((0, 0, 0)))


def rendered(mock: Mock, geometry: Geometry, noise: np.ndarray) -> Mock:
    """Return the mock with its voxels, as far as they lie in the cube, and its S/N."""
    model = DiscModel()
    box, cutout = render(mock.galaxy, geometry, model)
    level = np.where(np.isfinite(noise) & (noise > 0), noise, np.inf)
    measured = measure(mock.galaxy, model.describe(mock.galaxy), box, cutout, geometry, level)
    box, cutout = clip(box, cutout, geometry.shape)
    return replace(mock, measured=measured, box=box, cutout=cutout)


def _inside(box: Box, shape: Shape) -> bool:
    """Return whether the middle half of a box lies in the cube, so that a source is not cut in two by the edge."""
    quarter = [n // 4 for n in box.shape]
    return (
        box.z0 + quarter[0] >= 0 and box.z1 - quarter[0] <= shape[0]
        and box.y0 + quarter[1] >= 0 and box.y1 - quarter[1] <= shape[1]
        and box.x0 + quarter[2] >= 0 and box.x1 - quarter[2] <= shape[2]
    )  # fmt: skip
