"""Observed galaxies, rescaled and rotated as the SKA Science Data Challenge 2 did (SDC2, Hartley et al. 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from hisf.errors import FileAccessError, InputError
from hisf.simulate.cloud import Cloud, Place, axis_ratio, turn
from hisf.simulate.galaxy import Galaxy

# ranges of the complete SDC2 atlas, which its distances are normalised with
MASSES = 7.08, 10.15  # log10 Msun
COSINES = 0.0, math.cos(math.radians(7.0))
FACE_ON, FACE_ON_BELOW = "G01", 10.0  # template used for nearly face-on galaxies only, deg
NEAREST = 3
LINE_SIGMA = 1.0  # channels; SDC2 smooths its galaxies by as much
CARDS = ("DVKMS", "PIXKPC", "INCL", "LOGMHI", "DHIKPC", "W20", "RECSIGN")


@dataclass(frozen=True)
class Template:
    """An observed galaxy: its voxels that are not empty, and its properties.

    Attributes
    ----------
    channels : int
    channel, along, across, value : ndarray, shape (n,)
        Velocity channel, offsets from the centre along the receding major axis and across it in pixels, brightness.
    cards : dict of str to float
        As in the file.
    """

    channels: int
    channel: np.ndarray
    along: np.ndarray
    across: np.ndarray
    value: np.ndarray
    cards: dict[str, float]


class TemplateModel:
    """Renders galaxies from observed ones.

    Parameters
    ----------
    folder : Path
        With ``templates.txt`` (columns ``template``, ``i``, ``log_mhi``) and ``templates/NAME.fits.gz``: axes velocity,
        y, x, with the cards of `CARDS`.

    Raises
    ------
    FileAccessError
        A file is missing.
    InputError
        A file is not what it has to be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / "templates.txt"
        try:
            rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            names = rows[0]
            columns = {name: [row[names.index(name)] for row in rows[1:]] for name in ("template", "i", "log_mhi")}
            cosines = np.cos(np.radians([float(v) for v in columns["i"]]))
            masses = np.array([float(v) for v in columns["log_mhi"]])
        except OSError as error:
            raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None
        except (ValueError, IndexError):
            raise InputError(f"{path} is not a table with the columns template, i and log_mhi.") from None
        self.names: list[str] = columns["template"]
        self._cosines = (cosines - COSINES[0]) / (COSINES[1] - COSINES[0])
        self._masses = (masses - MASSES[0]) / (MASSES[1] - MASSES[0])
        self._read: dict[str, Template] = {}

    def choose(self, galaxy: Galaxy) -> str:
        """Return the galaxy's own template, or one of the three nearest in inclination and mass, by its seed."""
        if galaxy.template in self.names:
            return galaxy.template
        cosine = (math.cos(math.radians(galaxy.inclination_deg)) - COSINES[0]) / (COSINES[1] - COSINES[0])
        mass = (math.log10(galaxy.mass_msun) - MASSES[0]) / (MASSES[1] - MASSES[0])
        order = np.argsort(np.hypot(self._cosines - cosine, self._masses - mass), kind="stable")
        near = [self.names[k] for k in order[: NEAREST + 1]]
        near = [name for name in near if name != FACE_ON or galaxy.inclination_deg < FACE_ON_BELOW][:NEAREST]
        return near[int(np.random.default_rng([galaxy.seed, 2]).integers(len(near)))]

    def cloud(self, galaxy: Galaxy, place: Place) -> Cloud:
        """Return the voxels of the template, scaled to the size, axis ratio and width of the galaxy."""
        template = self.template(self.choose(galaxy))
        cards = template.cards
        pixel = galaxy.size_arcsec / cards["DHIKPC"] * cards["PIXKPC"]  # arcsec that a template pixel becomes
        squeeze = axis_ratio(galaxy.inclination_deg) / axis_ratio(cards["INCL"])
        along, across, weight, channel = template.along, template.across, template.value, template.channel
        parts = math.ceil(max(1.0, squeeze) * pixel / place.pixel_arcsec)
        if parts > 1:  # a template pixel larger than one of the cube becomes several points
            inner = (np.arange(parts) + 0.5) / parts - 0.5
            dy, dx = (a.ravel() for a in np.meshgrid(inner, inner, indexing="ij"))
            along, across = (along[:, None] + dy).ravel(), (across[:, None] + dx).ravel()
            weight, channel = np.repeat(weight, parts**2), np.repeat(channel, parts**2)
        east, north = turn(along * pixel, across * pixel * squeeze, galaxy.pa_deg)
        z0, response = _spread(template, galaxy, place)
        return Cloud(east, north, weight, channel, z0, response)

    def reach(self, galaxy: Galaxy, place: Place) -> float:
        """Return the half-length of the template's velocity axis, channels, and its smoothing."""
        template = self.template(self.choose(galaxy))
        return _step(template, galaxy, place) * (template.channels + 1) / 2.0 + 5.0 * LINE_SIGMA + 3.0

    def describe(self, galaxy: Galaxy) -> str:
        """Return the name of the template."""
        return self.choose(galaxy)

    def template(self, name: str) -> Template:
        """Return a template, read when first asked for."""
        if name not in self._read:
            self._read[name] = _read(self._folder / "templates" / f"{name}.fits.gz")
        return self._read[name]


def _step(template: Template, galaxy: Galaxy, place: Place) -> float:
    """Return how many channels of the cube a channel of the template becomes."""
    cards = template.cards
    return cards["DVKMS"] * galaxy.w20_kms / cards["W20"] * abs(place.channels_per_kms)


def _spread(template: Template, galaxy: Galaxy, place: Place) -> tuple[int, np.ndarray]:
    """Return the first channel, and the share of each template channel in those of the cube: (channels, cells)."""
    step = _step(template, galaxy, place)
    sign = math.copysign(1.0, place.channels_per_kms)
    centres = place.z + sign * step * (np.arange(template.channels) - (template.channels - 1) / 2.0)
    half = max(step, 1.0)
    margin = half + 5.0 * LINE_SIGMA
    z0, z1 = math.floor(centres.min() - margin), math.ceil(centres.max() + margin) + 1
    z = np.arange(z0, z1)
    triangle = np.maximum(1.0 - np.abs(z[:, None] - centres) / half, 0.0)  # linear interpolation
    triangle /= triangle.sum(axis=0)
    smooth = np.exp(-0.5 * ((z[:, None] - z) / LINE_SIGMA) ** 2)
    return z0, (smooth / smooth.sum(axis=0)) @ triangle


def _read(path: Path) -> Template:
    try:
        data, header = fits.getdata(path, header=True)
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error}.") from None
    missing = [key for key in CARDS if key not in header]
    if missing or data.ndim != 3 or not (data > 0).any():
        raise InputError(f"{path} is not a template: " + (f"{missing[0]} is missing." if missing else "no cube."))
    cards = {key: float(header[key]) for key in CARDS}
    channel, y, x = np.nonzero(data > 0)
    side = 1.0 if cards["RECSIGN"] > 0 else -1.0
    along, across = side * (y - (data.shape[1] - 1) / 2.0), side * (x - (data.shape[2] - 1) / 2.0)
    return Template(len(data), channel, along, across, data[channel, y, x].astype(np.float64), cards)
