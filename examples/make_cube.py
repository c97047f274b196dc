"""Make `examples/sdc2_like.fits`, a small HI cube in the manner of the SKA Science Data Challenge 2, and its truth.

    python examples/make_cube.py

A dozen rotating galaxies at z = 0.30 stand in correlated noise. Pixels, channels, beam, header and noise follow SDC2
(Hartley et al. 2023, MNRAS 523, 1967). The masses are a ladder: its upper half is obvious, its lower end drowns. One
seed gives one file, byte for byte.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

SEED = 21
SHAPE = 96, 100, 100  # channels, pixels, pixels: (z, y, x)

# as in SDC2
PIXEL = 2.8  # arcsec
BEAM = 7.0  # arcsec, full width at half maximum, round
CHANNEL = 30e3  # Hz
FIRST_CHANNEL = 1.0886e9  # Hz
HI_LINE = 1.420405752e9  # Hz, at rest
NOISE = 28.9e-6  # Jy/beam: what SDC2 has at 1.09 GHz
NOISE_SIGMA = 0.67  # pixels; gives neighbours a correlation of 0.57, as in SDC2, whose noise is narrower than its beam
LINE_SIGMA = 1.0  # channels; SDC2 smooths its galaxies by as much, 8 km/s, about the dispersion of a gas disc

# the distance to z = 0.303 in a flat universe with H0 = 67.7 km/s/Mpc and Omega_m = 0.31 (Planck 2015)
DISTANCE = 1621.0  # Mpc, luminosity distance
KPC_PER_ARCSEC = 4.627
LIGHT = 299792.458  # km/s

# galaxies: twelve, one per cell of a grid on the sky so that none hides another
CELLS = 3, 4  # along y, x
LOG_MASS = np.linspace(10.75, 9.45, 12)  # log10 of the HI mass in solar masses
CENTRAL_DENSITY = 11.0  # Msun/pc2; with it, discs follow the size-mass relation of Wang et al. (2016)
SPEED_AT_10 = 150.0  # km/s, of the flat rotation curve at 1e10 Msun; grows with mass**0.25 (Tully & Fisher 1977)
POINTS = 40_000  # of equal flux that make up a disc
COLUMNS = "id ra dec hi_size line_flux_integral central_freq pa i w20"  # those of the SDC2 truth catalogues


def gaussian(sigma: float) -> np.ndarray:
    """Return a Gaussian of unit sum, cut at four sigma; ``sigma`` in pixels or channels."""
    reach = int(np.ceil(4 * sigma))
    profile = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return profile / profile.sum()


def smooth(cube: np.ndarray, profile: np.ndarray, axis: int) -> np.ndarray:
    """Convolve ``cube`` with ``profile`` along one axis; beyond the edges is nothing."""
    reach = len(profile) // 2
    padding = [(reach, reach) if n == axis else (0, 0) for n in range(cube.ndim)]
    padded = np.moveaxis(np.pad(cube, padding), axis, 0)
    size = cube.shape[axis]
    total = sum(weight * padded[shift : shift + size] for shift, weight in enumerate(profile))
    return np.moveaxis(total, 0, axis)


def disc(mass: float, incl: float, pa: float, freq: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return an exponential disc with a flat rotation curve as points of equal flux.

    Parameters
    ----------
    mass : float
        Of HI, in solar masses.
    incl, pa : float
        Inclination and position angle of the receding side (north through east), in radians.
    freq : float
        Observed frequency of the centre in Hz.

    Returns
    -------
    offsets : ndarray, shape (POINTS, 3)
        From the centre, in channels and pixels (z, y, x).
    flux : ndarray of one float
        Of each point, in Jy summed over channels.
    size : float
        Major axis where the face-on column density is 1 Msun/pc2, in arcsec.
    """
    scale = np.sqrt(mass / (2 * np.pi * CENTRAL_DENSITY)) / 1e3  # kpc: mass = 2 pi density scale**2
    radii = np.linspace(0, 12, 2000)  # in scale lengths
    inside = 1 - (1 + radii) * np.exp(-radii)  # share of the mass within
    r = np.interp((np.arange(POINTS) + 0.5) / POINTS, inside, radii) * scale / KPC_PER_ARCSEC / PIXEL
    angle = np.arange(POINTS) * np.pi * (3 - np.sqrt(5))  # the golden angle spreads points evenly
    major = r * np.cos(angle)  # towards the receding side
    minor = r * np.sin(angle) * np.sqrt(0.96 * np.cos(incl) ** 2 + 0.04)  # a disc of thickness 0.2, as in SDC2
    speed = SPEED_AT_10 * (mass / 1e10) ** 0.25 * np.sin(incl) * np.cos(angle)
    z = -speed / LIGHT * freq / CHANNEL  # receding is to lower frequency
    y = major * np.cos(pa) - minor * np.sin(pa)
    x = -(major * np.sin(pa) + minor * np.cos(pa))  # east is to the left
    flux = mass / (49.7 * DISTANCE**2) / CHANNEL / POINTS  # mass = 49.7 D**2 S, S in Jy Hz (Meyer et al. 2017)
    return np.column_stack([z, y, x]), np.array([flux]), 2 * scale * np.log(CENTRAL_DENSITY) / KPC_PER_ARCSEC


def render(points: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Return the cube of one galaxy in Jy/beam; ``points`` are (z, y, x) in channels and pixels."""
    edges = [np.arange(size + 1) - 0.5 for size in SHAPE]
    cube = np.histogramdd(points, edges)[0] * flux
    sigma = BEAM / PIXEL / np.sqrt(8 * np.log(2))
    for axis, width in enumerate((LINE_SIGMA, sigma, sigma)):
        cube = smooth(cube, gaussian(width), axis)
    return cube * (2 * np.pi * sigma**2)  # pixels per beam


def line_width(spectrum: np.ndarray, freq: float) -> float:
    """Return the width at 20 % of the peak in km/s at rest."""
    level = 0.2 * spectrum.max()
    above = np.flatnonzero(spectrum >= level)
    a, b = above[0], above[-1]
    left = a - (spectrum[a] - level) / (spectrum[a] - spectrum[a - 1])
    right = b + (spectrum[b] - level) / (spectrum[b] - spectrum[b + 1])
    return float((right - left) * CHANNEL / freq * LIGHT)


def header() -> fits.Header:
    """Return the header of the cube."""
    cards = [("OBJECT", "SDC2-like", "made by examples/make_cube.py"), ("BUNIT", "JY/BEAM")]
    cards += [("BMAJ", BEAM / 3600), ("BMIN", BEAM / 3600), ("BPA", 0.0)]
    middle = SHAPE[1] // 2 + 1.0
    cards += [
        ("CTYPE1", "RA---SIN"),
        ("CRPIX1", middle),
        ("CRVAL1", 180.0),
        ("CDELT1", -PIXEL / 3600),
        ("CUNIT1", "deg"),
    ]
    cards += [
        ("CTYPE2", "DEC--SIN"),
        ("CRPIX2", middle),
        ("CRVAL2", -30.0),
        ("CDELT2", PIXEL / 3600),
        ("CUNIT2", "deg"),
    ]
    cards += [("CTYPE3", "FREQ"), ("CRPIX3", 1.0), ("CRVAL3", FIRST_CHANNEL), ("CDELT3", CHANNEL), ("CUNIT3", "Hz")]
    cards += [("RESTFRQ", HI_LINE), ("SPECSYS", "BARYCENT"), ("RADESYS", "FK5"), ("EQUINOX", 2000.0)]
    return fits.Header(cards)


def noise(rng: np.random.Generator) -> np.ndarray:
    """Return noise in Jy/beam: correlated on the sky, independent from channel to channel."""
    profile = gaussian(NOISE_SIGMA)
    profile /= np.sqrt((profile**2).sum())  # keeps the variance
    reach = len(profile) // 2
    depth, height, width = SHAPE
    cube = rng.normal(0, NOISE, (depth, height + 2 * reach, width + 2 * reach))
    for axis in (1, 2):
        cube = smooth(cube, profile, axis)
    return cube[:, reach:-reach, reach:-reach]


def make() -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """Return the cube, float32 in Jy/beam, and the rows of the truth table."""
    rng = np.random.default_rng(SEED)
    wcs = WCS(header())
    cube = noise(rng)
    rows = []
    for number, cell in enumerate(rng.permutation(CELLS[0] * CELLS[1])):
        mass, pa, incl = 10 ** LOG_MASS[number], rng.uniform(0, 2 * np.pi), np.arccos(rng.uniform(0, 0.95))
        step = np.array(SHAPE[1:]) / CELLS
        y, x = (np.divmod(cell, CELLS[1]) + rng.uniform(0.35, 0.65, 2)) * step
        z = SHAPE[0] * rng.uniform(0.3, 0.7)
        ra, dec, freq = wcs.wcs_pix2world([[x, y, z]], 0)[0]
        offsets, flux, size = disc(mass, incl, pa, freq)
        galaxy = render(offsets + np.array([z, y, x]), flux)
        cube += galaxy
        total = flux[0] * POINTS * CHANNEL
        width = line_width(galaxy.sum((1, 2)), freq)
        rows.append((number, ra, dec, size, total, freq, np.degrees(pa), np.degrees(incl), width))
    return (np.round(cube, 9)).astype(np.float32), rows  # steps of 1 nJy: no machine rounds differently


def main() -> None:
    """Write cube and truth beside this file."""
    folder = Path(__file__).parent
    cube, rows = make()
    fits.writeto(folder / "sdc2_like.fits", cube, header(), overwrite=True)
    lines = [COLUMNS, *("{} {:.6f} {:.6f} {:.3f} {:.3f} {:.0f} {:.2f} {:.2f} {:.2f}".format(*row) for row in rows)]
    (folder / "sdc2_like_truth.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"sdc2_like.fits, {cube.nbytes / 1e6:.1f} MB, with {len(rows)} galaxies; sdc2_like_truth.txt")


if __name__ == "__main__":
    main()
