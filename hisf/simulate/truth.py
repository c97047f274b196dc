"""The truth catalogue: SDC2 columns, and what each galaxy became in this cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box
from hisf.data.sdc2_table import COLUMNS, write_sdc2
from hisf.simulate.galaxy import Galaxy
from hisf.simulate.geometry import Geometry
from hisf.simulate.render import clip

if TYPE_CHECKING:
    from astropy.table import QTable

# further columns: name -> unit, meaning
EXTRA: dict[str, tuple[str, str]] = {
    "x": ("pix", "pixel of the centre along x, zero-based"),
    "y": ("pix", "pixel of the centre along y, zero-based"),
    "z": ("pix", "channel of the line centre, zero-based"),
    "log_mhi": ("", "log10 of the HI mass in solar masses"),
    "inside": ("", "share of the flux that lies in the cube"),
    "peak": ("Jy/beam", "brightest voxel, without noise"),
    "peak_snr": ("", "largest ratio of a voxel to the noise of its channel"),
    "snr": (
        "",
        "integrated S/N: root of the sum of squared voxels in units of their noise, over the beam area in pixels",
    ),
    "template": ("", "observed galaxy, or radial profile of the disc"),
}
UCDS = {
    "id": "meta.id;meta.main", "ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main", "hi_size": "phys.angSize",
    "line_flux_integral": "phot.flux;spect.line", "central_freq": "em.freq;spect.line", "pa": "pos.posAng",
    "i": "src.orbital.inclination", "w20": "spect.line.width", "x": "pos.cartesian.x", "y": "pos.cartesian.y",
    "z": "pos.cartesian.z", "log_mhi": "phys.mass", "peak": "phot.flux.density;stat.max",
    "peak_snr": "stat.snr;stat.max", "snr": "stat.snr", "template": "meta.id.assoc",
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """A galaxy and what it became in a cube; see `EXTRA`."""

    galaxy: Galaxy
    template: str
    inside: float
    peak: float
    peak_snr: float
    snr: float


def measure(
    galaxy: Galaxy, template: str, box: Box, cutout: np.ndarray, geometry: Geometry, level: np.ndarray
) -> Measured:
    """Measure a rendered galaxy against the noise.

    Parameters
    ----------
    galaxy : Galaxy
    template : str
        What it was made from.
    box, cutout
        As `render` returns them.
    geometry : Geometry
    level : ndarray, shape (z,), Jy/beam
        Noise of the cube's channels.
    """
    inner, part = clip(box, cutout, geometry.shape)
    if not part.size:
        return Measured(galaxy, template, 0.0, 0.0, 0.0, 0.0)
    noise = level[inner.z0 : inner.z1]
    inside = float(part.sum(dtype=np.float64) / cutout.sum(dtype=np.float64))
    peaks = part.max(axis=(1, 2))
    squares = np.einsum("zyx,zyx->z", part, part, dtype=np.float64)
    snr = float(np.sqrt((squares / noise**2).sum() / geometry.beam_area))
    return Measured(galaxy, template, inside, float(peaks.max()), float((peaks / noise).max()), snr)


def truth_table(measured: Sequence[Measured], geometry: Geometry) -> QTable:
    """Return the truth catalogue: the columns of SDC2, then those of `EXTRA`, with units, UCDs and descriptions."""
    from astropy import units
    from astropy.table import QTable

    galaxies = [m.galaxy for m in measured]
    ra, dec = np.array([g.ra_deg for g in galaxies]), np.array([g.dec_deg for g in galaxies])
    x, y = geometry.to_pixel(ra, dec) if galaxies else (ra, dec)
    frequency = np.array([g.frequency_hz for g in galaxies])
    values: dict[str, object] = {
        "id": np.array([g.id for g in galaxies], int),
        "ra": ra,
        "dec": dec,
        "hi_size": np.array([g.size_arcsec for g in galaxies]),
        "line_flux_integral": np.array([g.flux_jy_hz for g in galaxies]),
        "central_freq": frequency,
        "pa": np.array([g.pa_deg for g in galaxies]),
        "i": np.array([g.inclination_deg for g in galaxies]),
        "w20": np.array([g.w20_kms for g in galaxies]),
        "x": x,
        "y": y,
        "z": geometry.spectral.channel(frequency),
        "log_mhi": np.array([np.log10(g.mass_msun) for g in galaxies]),
        "template": np.array([m.template for m in measured], str),
    }
    values |= {name: np.array([getattr(m, name) for m in measured]) for name in EXTRA if name not in values}
    table = QTable()
    for name, (unit, meaning) in ({k: (u, h) for k, (u, _, h) in COLUMNS.items()} | EXTRA).items():
        table[name] = units.Quantity(values[name], unit) if unit else values[name]
        table[name].info.description = meaning
        table[name].info.meta = {"ucd": UCDS[name]} if name in UCDS else {}
    return table


def write_text(path: Path, table: QTable) -> None:
    """Write the truth in SDC2 format; the columns of `EXTRA` follow, as bare numbers."""
    bare = table.copy()
    for name in EXTRA:
        if EXTRA[name][0]:
            bare.replace_column(name, bare[name].to_value(EXTRA[name][0]))
    write_sdc2(path, bare)


def write_votable(path: Path, table: QTable) -> None:
    """Write the truth as a VOTable, TABLEDATA, with units, UCDs and descriptions; the same table, the same bytes."""
    from astropy.io.votable import from_table, writeto

    votable = from_table(table, table_id="truth")
    votable.description = "Galaxies in a cube made by hisf simulate"
    # not Table.write, whose compiled writer breaks memory after a row of 256, 512, … bytes (astropy issue 20419)
    writeto(votable, str(path), tabledata_format="tabledata")
