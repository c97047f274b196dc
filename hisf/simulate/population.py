"""Which galaxies a cube has: rows of a catalogue, rows of SDC2, or draws from a mass function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hisf.data.sdc2_table import read_sdc2
from hisf.data.spectral import LIGHT_KMS
from hisf.errors import FileAccessError, InputError
from hisf.simulate.cosmology import comoving_mpc, flat_speed_kms, flux_jy_hz, kpc_per_arcsec, redshift, size_kpc
from hisf.simulate.galaxy import Galaxy, draw_shape
from hisf.simulate.geometry import Geometry

# HI mass function of ALFALFA (Jones et al. 2018): slope, log10 of the knee in Msun, density in Mpc^-3 dex^-1; H0 = 70
SLOPE, LOG_KNEE, DENSITY = -1.25, 9.94, 4.5e-3
LOG_MASSES = np.arange(6.0, 11.5001, 0.02)
SHELLS = 200
SIZE_SCATTER_DEX = 0.06  # of the mass–size relation, Wang et al. (2016)
SPEED_SCATTER_DEX = 0.06  # of the speed at given HI mass: mostly the share of stars
GAUSSIAN_W20 = 3.588  # full width at 20 % in sigmas
TYPICAL_W20_KMS, TYPICAL_LOG_MASS = 200.0, 9.5  # w20 grows as mass^0.25; only for who is worth drawing
ROW_SHIFT_HZ = 1e6  # by which rows of SDC2 are moved along the line of sight


def seed_of(seed: int, number: int) -> int:
    """Return the seed of galaxy ``number`` in a cube of seed ``seed``."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])


def from_catalogue(path: Path, geometry: Geometry, seed: int) -> list[Galaxy]:
    """Return the galaxies of a catalogue in SDC2 columns whose centres are in or near the cube, numbered from 1.

    A column ``template`` chooses the observed galaxy; without it the renderer does.

    Raises
    ------
    FileAccessError, InputError
        The file cannot be read, or a value in it is not possible.
    """
    table = read_sdc2(path)
    units = {"ra": "deg", "dec": "deg", "hi_size": "arcsec", "line_flux_integral": "Jy Hz", "central_freq": "Hz"}
    units |= {"pa": "deg", "i": "deg", "w20": "km/s"}
    rows = {name: np.atleast_1d(table[name].to_value(unit)) for name, unit in units.items()}
    for name in ("hi_size", "line_flux_integral", "central_freq", "w20"):
        wrong = np.flatnonzero(~(rows[name] > 0))
        if len(wrong):
            raise InputError(f"{path}: {name} is {rows[name][wrong[0]]:g} in row {wrong[0] + 2}; it must be positive.")
    x, y = geometry.to_pixel(rows["ra"], rows["dec"])
    z = geometry.spectral.channel(rows["central_freq"])
    nz, ny, nx = geometry.shape
    half = rows["hi_size"] / np.sqrt(geometry.pixel_area_arcsec2)
    depth = [geometry.spectral.channels_per_kms(f) for f in rows["central_freq"]]
    thick = np.abs(depth) * rows["w20"] / 2.0
    near = (np.abs(x - (nx - 1) / 2) < nx / 2 + half) & (np.abs(y - (ny - 1) / 2) < ny / 2 + half)
    near &= np.abs(z - (nz - 1) / 2) < nz / 2 + thick
    names = [str(n) for n in table["template"]] if "template" in table.colnames else [""] * len(table)
    chosen = np.flatnonzero(near)
    return _galaxies({k: v[chosen] for k, v in rows.items()}, [names[k] for k in chosen], seed)


def from_sdc2(folder: Path, geometry: Geometry, density: float, seed: int) -> list[Galaxy]:
    """Return rows of the SDC2 truth in ``folder`` at new places, as many per sky area and bandwidth as SDC2 has.

    Parameters
    ----------
    folder : Path
        With ``truth.txt``, ``area.json`` and, for the templates that SDC2 used, ``truth_templates.txt``.
    geometry : Geometry
    density : float
        Factor on the number.
    seed : int

    Raises
    ------
    FileAccessError, InputError
        A file is missing or wrong, or no row is in the band of the cube.
    """
    table = read_sdc2(folder / "truth.txt")
    area = _area(folder / "area.json")
    rows: dict[str, np.ndarray] = {
        name: np.asarray(getattr(table[name], "value", table[name]), float)
        for name in ("hi_size", "line_flux_integral", "central_freq", "pa", "i", "w20")
    }
    ends = np.sort(geometry.spectral.frequency(np.array([-0.5, geometry.shape[0] - 0.5])))
    here = np.flatnonzero((rows["central_freq"] >= ends[0]) & (rows["central_freq"] < ends[1]))
    if not len(here):
        raise InputError(
            f"{folder / 'truth.txt'} has no galaxy between {ends[0] / 1e6:.1f} and {ends[1] / 1e6:.1f} MHz; "
            "choose a band of 950 to 1150 MHz, or leave the rows to the mass function with --population drawn."
        )
    rng = np.random.default_rng([seed, 40])
    n = round(len(here) / area * geometry.area_deg2 * density)
    turns = [rng.permutation(here) for _ in range(n // len(here) + 1)]
    order = np.concatenate(turns)[:n]
    rows = {name: values[order] for name, values in rows.items()}
    rows["pa"][len(here) :] = rng.uniform(0.0, 360.0, max(0, n - len(here)))  # a row used again looks new
    nz, ny, nx = geometry.shape
    frequency = rows["central_freq"] + rng.uniform(-ROW_SHIFT_HZ, ROW_SHIFT_HZ, n)
    depth = np.array([abs(geometry.spectral.channels_per_kms(f)) for f in frequency])
    z = _within(geometry.spectral.channel(frequency), depth * rows["w20"] / 2.0 + 3.0, nz, rng)
    half = rows["hi_size"] / np.sqrt(geometry.pixel_area_arcsec2) / 2.0 + 3.0
    x, y = (_within(np.full(n, -np.inf), half, size, rng) for size in (nx, ny))
    rows["ra"], rows["dec"] = geometry.to_sky(x, y)
    rows["central_freq"] = geometry.spectral.frequency(z)
    names = _template_names(folder / "truth_templates.txt", np.asarray(table["id"]))
    return _galaxies(rows, [names[k] for k in order] if names else [""] * n, seed)


def from_mass_function(
    geometry: Geometry, density: float, seed: int, level: np.ndarray, least_snr: float = 1.0
) -> list[Galaxy]:
    """Draw galaxies from the HI mass function in the comoving volume of the cube; without clustering or evolution.

    Parameters
    ----------
    geometry : Geometry
    density : float
        Factor on the number.
    seed : int
    level : ndarray, shape (z,), Jy/beam
        Noise that ``least_snr`` refers to.
    least_snr : float
        Galaxies whose expected integrated S/N is below are left out; 0 for all above 1e6 Msun.
    """
    rng = np.random.default_rng([seed, 41])
    nz, ny, nx = geometry.shape
    edges = np.linspace(-0.5, nz - 0.5, min(nz, SHELLS) + 1)
    distance = comoving_mpc(np.maximum(redshift(geometry.spectral.frequency(edges)), 0.0))
    volume = np.abs(np.diff(distance**3)) / 3.0 * geometry.area_deg2 * (np.pi / 180.0) ** 2
    centre = 0.5 * (edges[1:] + edges[:-1])
    frequency = geometry.spectral.frequency(centre)
    log_mass = 0.5 * (LOG_MASSES[1:] + LOG_MASSES[:-1])
    width = TYPICAL_W20_KMS * 10.0 ** (0.25 * (log_mass - TYPICAL_LOG_MASS))
    snr = np.array([
        expected_snr(geometry, f, 10.0**log_mass, width, level[min(max(int(z), 0), nz - 1)])
        for f, z in zip(frequency, centre, strict=True)
    ])  # fmt: skip
    expected = volume[:, None] * mass_function(log_mass) * np.diff(LOG_MASSES) * (snr >= least_snr) * density
    shell, cell = np.nonzero(counts := rng.poisson(expected))
    shell, cell = (np.repeat(a, counts[shell, cell]) for a in (shell, cell))
    n = len(shell)
    z = rng.uniform(edges[shell], edges[shell + 1])
    mass = 10.0 ** rng.uniform(LOG_MASSES[cell], LOG_MASSES[cell + 1])
    inclination = np.degrees(np.arccos(rng.uniform(0.0, 1.0, n)))
    speed = flat_speed_kms(mass) * 10.0 ** rng.normal(0.0, SPEED_SCATTER_DEX, n)
    size = size_kpc(mass) * 10.0 ** rng.normal(0.0, SIZE_SCATTER_DEX, n)
    dispersion = rng.uniform(7.5, 11.0, n)
    rows: dict[str, np.ndarray] = {"central_freq": geometry.spectral.frequency(z)}
    rows["ra"], rows["dec"] = geometry.to_sky(rng.uniform(-0.5, nx - 0.5, n), rng.uniform(-0.5, ny - 0.5, n))
    rows["line_flux_integral"] = flux_jy_hz(mass, rows["central_freq"])
    rows["hi_size"] = size / kpc_per_arcsec(np.maximum(redshift(rows["central_freq"]), 0.0))
    rows["pa"], rows["i"] = rng.uniform(0.0, 360.0, n), inclination
    rows["w20"] = np.hypot(2.0 * speed * np.sin(np.radians(inclination)), GAUSSIAN_W20 * dispersion)
    return _galaxies(rows, [""] * n, seed)


def mass_function(log_mass: np.ndarray) -> np.ndarray:
    """Return the HI mass function, galaxies per Mpc³ and dex: ln 10 φ x^(α+1) e^(−x) (Jones et al. 2018, Eq. 1)."""
    x = 10.0 ** (np.asarray(log_mass, float) - LOG_KNEE)
    return np.log(10.0) * DENSITY * x ** (SLOPE + 1.0) * np.exp(-x)


def expected_snr(
    geometry: Geometry, frequency_hz: float, mass: np.ndarray, w20_kms: np.ndarray, level: float
) -> np.ndarray:
    """Return the integrated S/N that a galaxy of a mass would have: F/(σ Δν √(channels × beams)) (spec forska §18)."""
    channel = geometry.spectral.width_hz(frequency_hz)
    channels = np.maximum(w20_kms / LIGHT_KMS * frequency_hz / channel, 1.0)
    size = size_kpc(mass) / kpc_per_arcsec(max(float(redshift(frequency_hz)), 0.0))
    beam = geometry.beam_area * geometry.pixel_area_arcsec2
    beams = 1.0 + np.pi / 4.0 * 0.6 * size**2 / beam
    return flux_jy_hz(mass, frequency_hz) / (level * channel * np.sqrt(channels * beams))


def _galaxies(rows: dict[str, np.ndarray], templates: list[str], seed: int) -> list[Galaxy]:
    """Return galaxies numbered from 1, with a shape and a seed each."""
    made = []
    for k, template in enumerate(templates):
        row: dict[str, Any] = {name: float(values[k]) for name, values in rows.items()}
        galaxy = Galaxy(
            k + 1, row["ra"], row["dec"], row["hi_size"], row["line_flux_integral"], row["central_freq"],
            row["pa"], row["i"], row["w20"], template=template, seed=seed_of(seed, k + 1),
        )  # fmt: skip
        shape = draw_shape(np.random.default_rng([galaxy.seed, 0]), galaxy.mass_msun)
        made.append(Galaxy(**{**vars(galaxy), "shape": shape}))
    return made


def _within(values: np.ndarray, margin: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return values; those nearer than ``margin`` to an end of an axis are drawn anew between the margins."""
    margin = np.minimum(margin, (size - 1) / 2.0)
    anew = rng.uniform(margin, size - 1 - margin)
    return np.where((values > margin) & (values < size - 1 - margin), values, anew)


def _area(path: Path) -> float:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["area_deg2"])
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} does not say area_deg2, the sky area of the rows.") from None


def _template_names(path: Path, ids: np.ndarray) -> list[str]:
    """Return the template that SDC2 used for every row; empty where it is not known."""
    if not path.exists():
        return []
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
    known = {int(row[0]): row[2] for row in rows if len(row) > 2}
    return [known.get(int(i), "") for i in ids]
