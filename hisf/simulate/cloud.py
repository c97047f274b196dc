"""What a model of a galaxy hands to the renderer: points of gas on the sky and in the spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hisf.simulate.galaxy import Galaxy


@dataclass(frozen=True)
class Place:
    """Where a galaxy is on the grid, and how fine the grid is there.

    Attributes
    ----------
    z : float
        Channel of the line centre, zero-based.
    channels_per_kms : float
        dz/dv, receding positive; see `SpectralAxis.channels_per_kms`.
    pixel_arcsec : float
        Side of a pixel.
    beam_arcsec2 : float
        Solid angle of the beam.
    """

    z: float
    channels_per_kms: float
    pixel_arcsec: float
    beam_arcsec2: float


@dataclass(frozen=True)
class Cloud:
    """Points of gas; the total of the weights has no meaning.

    Attributes
    ----------
    east, north : ndarray, shape (n,), arcsec
        From the centre.
    weight : ndarray, shape (n,)
    cell : ndarray of int, shape (n,)
        Spectral cell, from 0.
    z0 : int
        Channel of the first cell, or of the first row of ``response``.
    response : ndarray, shape (channels, cells), optional
        How a cell is spread over channels; missing where cells are channels.
    """

    east: np.ndarray
    north: np.ndarray
    weight: np.ndarray
    cell: np.ndarray
    z0: int
    response: np.ndarray | None = None

    @property
    def cells(self) -> int:
        """Number of spectral cells."""
        return int(self.cell.max()) + 1 if self.response is None else self.response.shape[1]


class Model(Protocol):
    """A way to make a galaxy."""

    def cloud(self, galaxy: Galaxy, place: Place) -> Cloud:
        """Return its gas; the same for the same galaxy and place."""
        ...

    def reach(self, galaxy: Galaxy, place: Place) -> float:
        """Return how many channels from its centre it can at most extend, without making it."""
        ...

    def describe(self, galaxy: Galaxy) -> str:
        """Return a word for the truth catalogue: which template or profile."""
        ...


def axis_ratio(inclination_deg: float, thickness: float = 0.2) -> float:
    """Return b/a of a spheroid of axis ratio q: (b/a)² = (1 − q²) cos² i + q² (Hubble 1926; SDC2 has q = 0.2)."""
    return float(np.sqrt((1.0 - thickness**2) * np.cos(np.radians(inclination_deg)) ** 2 + thickness**2))


def turn(along: np.ndarray, across: np.ndarray, pa_deg: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn offsets along the receding major axis and across it to east and north."""
    pa = np.radians(pa_deg)
    return along * np.sin(pa) - across * np.cos(pa), along * np.cos(pa) + across * np.sin(pa)
