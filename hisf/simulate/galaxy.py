"""A galaxy: its row in an SDC2 catalogue and the shape of its disc."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hisf.simulate.cosmology import kpc_per_arcsec, mass_msun, redshift

PROFILES = ("ring", "exponential")


@dataclass(frozen=True)
class Shape3D:
    """What a catalogue does not say about a disc; radii in units of the HI radius.

    Attributes
    ----------
    profile : str
        ``ring``: Gaussian in radius with its maximum at 0.39 (Martinsson et al. 2016); ``exponential``.
    turnover : float
        Scale of the rise of the rotation curve, V(r) = V (1 − exp(−r/turnover)).
    dispersion_kms : float
        Of the gas; 8 to 11 km/s in discs (Leroy et al. 2008).
    thickness : float
        Axis ratio seen edge-on; that of SDC2.
    warp_pa_deg, warp_tilt_deg : float
        Change of position angle and inclination from radius 0.7 to 1, going on linearly outside.
    lopsidedness, lopsided_deg : float
        Amplitude at the HI radius, and azimuth, of the m = 1 asymmetry of the surface density.
    clumps : int
        Number of clouds of radius 0.03 to 0.1 that stand out of the disc.
    """

    profile: str = "ring"
    turnover: float = 0.15
    dispersion_kms: float = 9.0
    thickness: float = 0.2
    warp_pa_deg: float = 0.0
    warp_tilt_deg: float = 0.0
    lopsidedness: float = 0.0
    lopsided_deg: float = 0.0
    clumps: int = 0


@dataclass(frozen=True)
class Galaxy:
    """A galaxy to render: a row of a catalogue in SDC2 columns, a shape, and a seed.

    Attributes
    ----------
    id : int
        Label, from 1.
    ra_deg, dec_deg : float
        Of the centre, in the frame of the cube.
    size_arcsec : float
        Major axis diameter at 1 Msun/pc², face-on.
    flux_jy_hz : float
        Integrated line flux.
    frequency_hz : float
        Of the centre of the line.
    pa_deg : float
        Of the receding side of the major axis, N through E.
    inclination_deg : float
        90 is edge-on.
    w20_kms : float
        Line width at 20 % of the peak in the frame of the source, c Δν/ν.
    shape : Shape3D
    template : str
        Observed galaxy to be rendered instead of a disc; empty: the renderer's choice.
    seed : int
        Of everything random in it.
    """

    id: int
    ra_deg: float
    dec_deg: float
    size_arcsec: float
    flux_jy_hz: float
    frequency_hz: float
    pa_deg: float
    inclination_deg: float
    w20_kms: float
    shape: Shape3D = Shape3D()
    template: str = ""
    seed: int = 0

    @property
    def mass_msun(self) -> float:
        """HI mass of its flux at its redshift."""
        return float(mass_msun(self.flux_jy_hz, self.frequency_hz))

    @property
    def mean_density(self) -> float:
        """Mass over the face-on area within the HI radius, Msun/pc²; 3.8 for discs on the mass–size relation."""
        radius_pc = 500.0 * self.size_arcsec * float(kpc_per_arcsec(redshift(self.frequency_hz)))
        return self.mass_msun / (np.pi * radius_pc**2)

    def moved(self, ra_deg: float, dec_deg: float, frequency_hz: float) -> Galaxy:
        """Return the same galaxy (flux and all) at another place."""
        return replace(self, ra_deg=ra_deg, dec_deg=dec_deg, frequency_hz=frequency_hz)


def draw_shape(rng: np.random.Generator, mass: float) -> Shape3D:
    """Draw the shape of a disc of HI mass ``mass``, Msun.

    Asymmetry: amplitudes about 0.1, as the half of all discs show them (Rix & Zaritsky 1995); half of all discs are
    warped (García-Ruiz et al. 2002); holes in the middle are usual where there is a bulge, hence more rings at high
    mass.
    """
    ring = rng.random() < np.clip((np.log10(mass) - 8.0) / 2.0, 0.2, 0.9)
    warped = rng.random() < 0.5
    return Shape3D(
        profile=PROFILES[0 if ring else 1],
        turnover=float(rng.uniform(0.08, 0.3)),
        dispersion_kms=float(rng.uniform(7.5, 11.0)),
        warp_pa_deg=float(warped * rng.normal(0.0, 8.0)),
        warp_tilt_deg=float(warped * rng.normal(0.0, 5.0)),
        lopsidedness=float(min(rng.exponential(0.1), 0.4)),
        lopsided_deg=float(rng.uniform(0.0, 360.0)),
        clumps=int(rng.integers(0, 25)),
    )
