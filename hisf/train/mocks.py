"""Mock galaxies for training: rendered once, in units of the noise, and put into noise again and again.

A mock is a noiseless cut-out with what is to be learnt of it. The same few thousand serve for millions of samples:
every sample is turned, mirrored, scaled a little, and lies in other noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hisf.simulate import (
    Beam,
    DiscModel,
    Galaxy,
    Geometry,
    Model,
    TemplateModel,
    draw_shape,
    from_mass_function,
    from_options,
    from_sdc2,
    render,
    sdc2_level,
)

LEAST_SNR = 1.2  # mocks below are not kept: nothing can be learnt of them
SIDE = 64  # pixels; of the grid that a mock is rendered on
LARGEST = 64  # pixels; larger cut-outs are left out
DEEPEST = 192  # channels; likewise


@dataclass(frozen=True, eq=False)
class Mock:
    """A noiseless galaxy and its properties.

    Attributes
    ----------
    cutout : ndarray of float16, shape (z, y, x)
        Channels ascend in frequency; in units of the noise of a channel.
    centre : ndarray, shape (3,)
        (z, y, x) of the centre within the cut-out, zero-based.
    flux : float
        Sum of the cut-out.
    size : float
        HI diameter in beams.
    inclination_deg : float
    receding : float
        Direction of the receding side, rad: (x, y) = (cos, sin), x to the right.
    width : float
        w20 in channels.
    snr : float
        √(Σ voxel² / beam area), as `hisf simulate` has it.
    beam : float
        FWHM of the beam, pixels.
    """

    cutout: np.ndarray
    centre: np.ndarray
    flux: float
    size: float
    inclination_deg: float
    receding: float
    width: float
    snr: float
    beam: float


def make_mocks(
    templates: Path | None,
    count: int,
    seed: int,
    discs: float = 0.4,
    varied: float = 0.3,
    resolved: float = 0.06,
    advance: Callable[[int], None] = lambda n: None,
) -> list[Mock]:
    """Render mocks until there are ``count`` of them.

    Parameters
    ----------
    templates : Path, optional
        Folder of SDC2 ingredients; without it all galaxies are parametric discs drawn from the HI mass function.
    count : int
    seed : int
    discs : float
        Share of rows that are rendered as parametric discs although there are templates.
    varied : float
        Share on other grids than that of SDC2: 1.9 to 3.6 pixels per beam, channels of 15 to 75 kHz.
    resolved : float
        Share that is seen from nearer: two to eight times as large.
    """
    rng = np.random.default_rng([seed, 50])
    disc_model: Model = DiscModel()
    template_model: Model = TemplateModel(templates) if templates else disc_model
    mocks: list[Mock] = []
    turn = 0
    while len(mocks) < count:
        geometry = _grid(rng, turn % 10 >= 10 * (1 - varied))
        for galaxy in _rows(templates, geometry, seed * 1000 + turn):
            if len(mocks) >= count:
                break
            if rng.random() < resolved:
                galaxy = _nearer(galaxy, float(np.exp(rng.uniform(math.log(2.0), math.log(8.0)))), rng)
            model = disc_model if rng.random() < discs else template_model
            mock = make_mock(galaxy, geometry, model, rng)
            if mock is not None:
                mocks.append(mock)
                advance(1)
        turn += 1
    return mocks


def make_mock(galaxy: Galaxy, geometry: Geometry, model: Model, rng: np.random.Generator) -> Mock | None:
    """Render a galaxy at a random sub-pixel place and position angle; None where it is too faint or too large."""
    nz, ny, nx = geometry.shape
    x, y = rng.uniform(nx / 2 - 1, nx / 2, 1), rng.uniform(ny / 2 - 1, ny / 2, 1)
    ra, dec = geometry.to_sky(x, y)
    channel = float(geometry.spectral.channel(galaxy.frequency_hz))
    channel = round(channel) + float(rng.uniform(-0.5, 0.5))
    galaxy = replace(
        galaxy.moved(float(ra[0]), float(dec[0]), float(geometry.spectral.frequency(channel))),
        pa_deg=float(rng.uniform(0.0, 360.0)),
    )
    level = sdc2_level(geometry)[min(max(int(channel), 0), nz - 1)]
    jy = galaxy.flux_jy_hz / geometry.spectral.width_hz(galaxy.frequency_hz) * geometry.beam_area
    width = abs(geometry.spectral.channels_per_kms(galaxy.frequency_hz)) * galaxy.w20_kms
    beam = geometry.beam.major_arcsec / math.sqrt(geometry.pixel_area_arcsec2)
    side = math.hypot(galaxy.size_arcsec, geometry.beam.major_arcsec) / math.sqrt(geometry.pixel_area_arcsec2)
    rough = jy / level / math.sqrt(width * side**2 * geometry.beam_area)
    if rough < 0.4 * LEAST_SNR or width > DEEPEST or side > LARGEST:
        return None
    box, cutout = render(galaxy, geometry, model)
    cutout = cutout / np.float32(level)
    snr = math.sqrt(float(np.square(cutout, dtype=np.float64).sum()) / geometry.beam_area)
    if snr < LEAST_SNR or cutout.shape[0] > DEEPEST + 32 or max(cutout.shape[1:]) > LARGEST + 24:
        return None
    centre = np.array([channel - box.z0, float(y[0]) - box.y0, float(x[0]) - box.x0])
    cutout, corner = _trim(cutout)
    pa = math.radians(galaxy.pa_deg)
    return Mock(
        cutout.astype(np.float16), centre - corner, float(cutout.sum(dtype=np.float64)),
        galaxy.size_arcsec / geometry.beam.major_arcsec, galaxy.inclination_deg,
        math.atan2(math.cos(pa), -math.sin(pa)), width, snr, beam,
    )  # fmt: skip


def _grid(rng: np.random.Generator, varied: bool) -> Geometry:
    """Return a grid of the whole band of SDC2, its pixels and channels or others."""
    pixel, step = 2.8, 30e3
    if varied:
        pixel = 7.0 / float(rng.uniform(1.9, 3.6))
        step = float(np.exp(rng.uniform(math.log(15e3), math.log(75e3))))
    return from_options((int(200e6 / step), SIDE, SIDE), pixel, Beam(7.0, 7.0), 950e6, step)


def _rows(templates: Path | None, geometry: Geometry, seed: int) -> Sequence[Galaxy]:
    """Return about 600 galaxies of the band in random order."""
    share = 1.0 / geometry.area_deg2
    if templates and (templates / "truth.txt").exists():
        galaxies = from_sdc2(templates, geometry, 0.06 * share, seed)
    else:
        galaxies = from_mass_function(geometry, 0.05 * share, seed, sdc2_level(geometry), 1.0)
    rng = np.random.default_rng([seed, 51])
    return [replace(galaxies[k], shape=draw_shape(rng, galaxies[k].mass_msun)) for k in rng.permutation(len(galaxies))]


def _nearer(galaxy: Galaxy, factor: float, rng: np.random.Generator) -> Galaxy:
    """Return the galaxy larger by ``factor``, its mean brightness changed at random."""
    brightness = float(np.exp(rng.uniform(math.log(0.5), math.log(3.0))))
    flux = galaxy.flux_jy_hz * factor**1.5 * brightness
    return replace(galaxy, size_arcsec=galaxy.size_arcsec * factor, flux_jy_hz=flux)


def _trim(cutout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut away the empty margin: what is below a thousandth of the peak."""
    bright = cutout > 1e-3 * cutout.max()
    corner, end = [], []
    for axis in range(3):
        hit = np.flatnonzero(bright.any(axis=tuple(a for a in range(3) if a != axis)))
        corner.append(hit[0])
        end.append(hit[-1] + 1)
    return cutout[tuple(slice(a, b) for a, b in zip(corner, end, strict=True))], np.array(corner)
