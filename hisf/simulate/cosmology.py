"""Distances, masses and sizes: what links a galaxy to its row in a catalogue."""

from __future__ import annotations

from functools import cache

import numpy as np

from hisf.data.spectral import LIGHT_KMS, REST_HZ

MASS_PER_FLUX = 49.8  # Msun / (Jy Hz Mpc²): M = 49.8 F D_L² (Meyer et al. 2017, Eq. 48; SDC2)
LARGEST_Z = 6.0
NEAREST_MPC = 1.0  # galaxies of the Local Group, and of negative redshift, are put here


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return redshifts and comoving distances, Mpc, of Planck Collaboration (2016): astropy's Planck15."""
    from astropy.cosmology import Planck15

    z = np.concatenate([np.linspace(0.0, 0.6, 3001), np.linspace(0.6, LARGEST_Z, 3001)[1:]])
    slope = Planck15.inv_efunc(z)
    steps = 0.5 * (slope[1:] + slope[:-1]) * np.diff(z)
    return z, np.concatenate([[0.0], np.cumsum(steps)]) * LIGHT_KMS / Planck15.H0.value


def redshift(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Return the redshift of the HI line observed at ``frequency_hz`` (any shape)."""
    return REST_HZ / np.asarray(frequency_hz, float) - 1.0


def comoving_mpc(z: np.ndarray | float) -> np.ndarray:
    """Return the comoving distance, Mpc; at least `NEAREST_MPC`."""
    return np.maximum(np.interp(z, *_table()), NEAREST_MPC)


def luminosity_mpc(z: np.ndarray | float) -> np.ndarray:
    """Return the luminosity distance, Mpc."""
    return comoving_mpc(z) * (1.0 + np.asarray(z, float))


def kpc_per_arcsec(z: np.ndarray | float) -> np.ndarray:
    """Return the proper length that an arcsec spans."""
    return comoving_mpc(z) / (1.0 + np.asarray(z, float)) * 1e3 * np.pi / (180.0 * 3600.0)


def mass_msun(flux_jy_hz: np.ndarray | float, frequency_hz: np.ndarray | float) -> np.ndarray:
    """Return the HI mass of a line flux at a frequency."""
    return MASS_PER_FLUX * np.asarray(flux_jy_hz, float) * luminosity_mpc(redshift(frequency_hz)) ** 2


def flux_jy_hz(mass: np.ndarray | float, frequency_hz: np.ndarray | float) -> np.ndarray:
    """Return the line flux, Jy Hz, of an HI mass in Msun."""
    return np.asarray(mass, float) / (MASS_PER_FLUX * luminosity_mpc(redshift(frequency_hz)) ** 2)


def size_kpc(mass: np.ndarray | float) -> np.ndarray:
    """Return the HI diameter at 1 Msun/pc²: log D = 0.506 log M − 3.293 (Wang et al. 2016, Eq. 2; scatter 0.06 dex)."""
    return 10.0 ** (0.506 * np.log10(mass) - 3.293)


def flat_speed_kms(mass: np.ndarray | float) -> np.ndarray:
    """Return the speed of the flat rotation curve of a galaxy of HI mass ``mass``, Msun.

    Baryonic Tully–Fisher relation, M_b = 47 V⁴ (McGaugh 2012), with M_b = 1.33 M_HI for the gas with its helium and as
    much again in stars; the real share of stars varies, which `population` covers with scatter.
    """
    return (2.0 * 1.33 * np.asarray(mass, float) / 47.0) ** 0.25
