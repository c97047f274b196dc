"""The experiment: inject, run the pipeline as the par file says, look which mocks are found; until all had a run."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hisf.data.box import Box
from hisf.data.catalogue import Catalogue
from hisf.data.cube import Cube
from hisf.errors import HisfError, InputError, NothingFoundError
from hisf.inject.mocks import Mock, draw_galaxies, place
from hisf.inject.step import MockPlugin
from hisf.kernels.noise import noise_of_planes
from hisf.pipeline import run
from hisf.plugins import PluginManager
from hisf.settings import COMMAND_LINE, Settings
from hisf.simulate.geometry import Geometry, from_header
from hisf.stages.appraise.choose import chosen_appraisal
from hisf.stages.input.opening import open_inputs

log = logging.getLogger(__name__)
NO_RELIABILITY = 1  # exit code of a run whose reliability cannot be determined


@dataclass(frozen=True)
class Outcome:
    """What became of the mocks.

    Attributes
    ----------
    mocks : list of Mock
        In order of their ids; cut-outs are dropped.
    geometry : Geometry
        The grid of the cube.
    found : ndarray of bool, shape (n,)
    flux : ndarray of float64, shape (n,)
        ``f_sum`` of the source that was found, in the units of the catalogue; NaN where none was.
    runs, real, undetermined : int
        Runs of the pipeline; sources in the cube without mocks; runs that failed for want of negative detections, in
        which no mock counts as found.
    """

    mocks: list[Mock]
    geometry: Geometry
    found: np.ndarray
    flux: np.ndarray
    runs: int
    real: int
    undetermined: int


def inject(
    settings: Settings, n: int, snr: tuple[float, float], where: str, seed: int, advance: Callable[[int], None]
) -> Outcome:
    """Inject mocks into the cube that the settings name and count those that the pipeline finds.

    Parameters
    ----------
    settings : Settings
        The pipeline; products are not written.
    n : int
        Number of mocks.
    snr : tuple of float
        Range of their expected integrated S/N.
    where : str
        ``noise``: away from what the pipeline finds without mocks; ``data``: anywhere, real sources included;
        ``flipped``: as ``noise``, in the data with their sign turned, where what is real but not found is negative.
    seed : int
    advance : callable
        ``advance(k)`` after k more mocks have had their run.

    Raises
    ------
    HisfError
        The cube or the settings are of no use.
    """
    with tempfile.TemporaryDirectory(prefix="hisf-") as folder:
        quiet = without_products(settings, folder)
        cube, geometry, noise, blank = open_scene(quiet, where == "flipped")
        if not quiet["linker.enable"]:
            raise InputError("linker.enable is false, so that no source could be found; set it to true.")
        real, _ = _run(quiet, MockPlugin([], flip=False), logging.WARNING)
        taken = [] if where == "data" else boxes_of(real)
        waiting = draw_galaxies(geometry, noise, n, snr, seed)
        done: list[Mock] = []
        found: dict[int, float] = {}
        runs = undetermined = 0
        while waiting:
            runs += 1
            mocks, waiting = place(waiting, cube, geometry, noise, blank, taken, seed + runs)
            if not mocks:
                log.warning("%d mocks find no free place in the cube and are left out.", len(waiting))
                break
            catalogue, failed = _run(quiet, MockPlugin(mocks, where == "flipped"))
            undetermined += failed
            found |= recovered(mocks, catalogue, boxes_of(real) if where == "data" else [])
            done += [_light(mock) for mock in mocks]
            advance(len(mocks))
    if not done:
        raise InputError(f"{cube.name}: no free place for any of {n} mocks; take fainter ones, or more of the cube.")
    done.sort(key=lambda mock: mock.galaxy.id)
    hit = np.array([mock.galaxy.id in found for mock in done], bool)
    flux = np.array([found.get(mock.galaxy.id, np.nan) for mock in done])
    return Outcome(done, geometry, hit, flux, runs, len(real) if real else 0, undetermined)


def open_scene(settings: Settings, flipped: bool) -> tuple[Cube, Geometry, np.ndarray, np.ndarray]:
    """Open the cube that mocks are to be put into.

    Parameters
    ----------
    settings : Settings
    flipped : bool
        Whether the sign of the data is turned.

    Returns
    -------
    cube : Cube
    geometry : Geometry
    noise : ndarray of float64, shape (z,)
        Of every channel, Jy/beam.
    blank : ndarray of bool, shape (y, x)
        Pixels of which most channels are blank.

    Raises
    ------
    InputError
        The data are not in Jy/beam, or there is no pixel to put a mock at.
    """
    cube = open_inputs(PluginManager(), settings)
    if not cube.scales.per_beam:
        raise InputError(f"{cube.name}: BUNIT is {cube.scales.unit}; mock galaxies need data in Jy/beam.")
    geometry = from_header(cube.header, cube.name)
    data = cube.read(Box.whole(cube.shape))
    if flipped:
        np.negative(data, out=data)
    noise = noise_of_planes(data, "mad", "negative")
    blank = np.isnan(data).mean(0) > 0.5
    if blank.all():
        raise InputError(f"{cube.name}: there is no pixel of which half the channels are not blank.")
    return cube, geometry, noise, blank


def recovered(mocks: Sequence[Mock], catalogue: Catalogue | None, real: Sequence[Box]) -> dict[int, float]:
    """Match mocks to sources, one to one, the nearest pairs first.

    A source belongs to a mock if its centroid is within the mock's radius (size convolved with the beam) on the sky
    and within half its w20, at least two channels, along the spectrum. A source whose centroid lies in the box of a
    real one does not count.

    Returns
    -------
    dict of int to float
        Galaxy id and ``f_sum`` of the mocks that were found.
    """
    if catalogue is None or not len(catalogue):
        return {}
    x, y, z = (catalogue[a] for a in "xyz")
    usable = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    for box in real:
        inside = (box.x0 <= x) & (x < box.x1) & (box.y0 <= y) & (y < box.y1) & (box.z0 <= z) & (z < box.z1)
        usable &= ~inside
    pairs = []
    for k, mock in enumerate(mocks):
        sky = np.hypot(x - mock.x, y - mock.y) / max(mock.radius_pix, 2.0)
        depth = np.abs(z - mock.z) / max(mock.half_channels, 2.0)
        pairs += [
            (float(np.hypot(sky[i], depth[i])), k, int(i)) for i in np.flatnonzero(usable & (sky < 1) & (depth < 1))
        ]
    matched: dict[int, float] = {}
    used: set[int] = set()
    for _, k, i in sorted(pairs):
        if mocks[k].galaxy.id not in matched and i not in used:
            matched[mocks[k].galaxy.id] = float(catalogue["f_sum"][i])
            used.add(i)
    return matched


def boxes_of(catalogue: Catalogue | None) -> list[Box]:
    """Return the bounding boxes of the sources of a catalogue."""
    if catalogue is None:
        return []
    edges = zip(*(catalogue[f"{a}_{end}"].tolist() for a in "zyx" for end in ("min", "max")), strict=True)
    return [Box(z0, z1 + 1, y0, y1 + 1, x0, x1 + 1) for z0, z1, y0, y1, x0, x1 in edges]


def _run(settings: Settings, plugin: MockPlugin, least: int = logging.ERROR) -> tuple[Catalogue | None, bool]:
    """Return the catalogue, None if nothing was found, and whether the reliability could not be determined."""
    manager = PluginManager()
    manager.register(plugin, "inject", "hisf inject")
    logger = logging.getLogger("hisf")
    level = logger.level
    logger.setLevel(least)  # the warnings of the first run are those of all
    try:
        return run(settings, manager), False
    except NothingFoundError:
        return None, False
    except HisfError as error:
        if error.exit_code != NO_RELIABILITY:
            raise
        return None, True
    finally:
        logger.setLevel(level)


def without_products(settings: Settings, folder: str) -> Settings:
    """Return the settings with every product switched off and positions counted in the region."""
    changed = settings.replace("output.directory", folder, COMMAND_LINE)
    for name in settings:
        if name.startswith("output.write") or name in ("reliability.plot", "reliability.debug"):
            changed = changed.replace(name, "false", COMMAND_LINE)
    if settings["output.writeCatSDC2"]:  # which has a say in what is appraised
        changed = changed.replace("appraise.method", chosen_appraisal(settings, ()), COMMAND_LINE)
    for name, text in (("parameter.enable", "true"), ("parameter.offset", "false")):
        changed = changed.replace(name, text, COMMAND_LINE)
    return changed


def _light(mock: Mock) -> Mock:
    """Return the mock without its voxels."""
    return replace(mock, cutout=np.empty((0, 0, 0), np.float32))
