"""Checks of what hisf expects of an appraisal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.io import fits

from hisf.data.columns import ESTIMATED
from hisf.data.mask_store import MaskStore, raster
from hisf.data.source import Source, SourceList
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.execution.workspace import Workspace
from hisf.settings import PARAMETERS, load_settings
from hisf.stages.appraise.contract import Appraisal
from hisf.stages.link.ellipsoid import EllipsoidLinker
from hisf.testing.cubes import GaussianSource, as_cube, make_cube

MEMORY = 1 << 30
LEVEL = 4.0  # noises above which voxels are taken for detected
SOURCES = (GaussianSource(0.03, 20.0, 10.0, 10.0), GaussianSource(0.02, 12.0, 30.0, 36.0, 3.0, 2.5))
RANGES = {"confidence": (0, 1), "hi_ra": (0, 360), "hi_dec": (-90, 90), "hi_incl": (0, 90), "hi_pa": (0, 360)}


def check_appraisal(
    appraisal_class: type[Appraisal],
    settings_arguments: Sequence[str] = (),
    *,
    cube: tuple[np.ndarray, fits.Header] | None = None,
) -> SourceList:
    """Check that an appraisal keeps the promises of `hisf.api.Appraisal`; for the tests of a plugin.

    Checked are: its sources are some of those it is given, in their order, with the same masks and with labels that
    count from 1; its estimates have the names of columns of an appraisal and values that are possible; every source
    advances the progress by one; data and sources that are handed over stay as they are; two runs give the same, and a
    cube that is read from a file the same as one in memory; a list without sources is handled.

    Parameters
    ----------
    appraisal_class : type
        Subclass of `hisf.api.Appraisal`.
    settings_arguments : sequence of str
        ``KEY=VALUE`` settings to check it with.
    cube : (ndarray, `~astropy.io.fits.Header`), optional
        What the sources are in, noise included; (z, y, x). By default one of 40 × 48 × 48 voxels with two.

    Returns
    -------
    SourceList
        What it returned, for checks that only the author can make.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    known = {p.name for p in PARAMETERS}
    own = [p for p in appraisal_class.parameters if p.name not in known]
    settings = load_settings([*settings_arguments, "linker.minSizeXY=1"], (*PARAMETERS, *own))
    array, header = cube or make_cube((40, 48, 48), sources=SOURCES)
    array = array.copy()
    array.flags.writeable = False
    opened = as_cube(array, header)
    noise = 1.4826 * float(np.nanmedian(np.abs(array)))
    store = MaskStore(array.shape)
    store.add(raster(opened.region, np.nan_to_num(array) > LEVEL * noise, array.shape))
    workspace = Workspace(MEMORY)
    linked = EllipsoidLinker(settings, opened).link(store, opened, noise, False, workspace, lambda n: None)
    before = list(linked)
    name = appraisal_class.name

    def run(sources: SourceList, voxels: Voxels, space: Workspace) -> SourceList:
        done: list[int] = []
        kept = appraisal_class(settings, opened).appraise(sources, voxels, voxels, space, done.append)
        _require(sum(done) == len(sources), f"appraisal {name} advances by {sum(done)} for {len(sources)} sources")
        return kept

    first = run(linked, ArrayVoxels(array), workspace)
    _require(all(a is b for a, b in zip(before, linked, strict=True)), f"appraisal {name} changes the list it is given")
    _check_sources(name, first, before)
    for source in first:
        _check_estimates(name, source)
    for space, voxels in ((workspace, ArrayVoxels(array)), (Workspace(0, 3 * array[0].nbytes), opened)):
        again = run(linked, voxels, space)
        same = len(again) == len(first) and all(map(_equal, again, first))
        how = "the second time" if space is workspace else "for a cube that is read by the slab"
        _require(same, f"appraisal {name} gives another result {how}")
    _require(len(run(SourceList(linked.shape), opened, workspace)) == 0, f"appraisal {name} makes sources of none")
    return first


def _check_sources(name: str, kept: SourceList, given: list[Source]) -> None:
    _require([s.label for s in kept] == list(range(1, len(kept) + 1)), f"appraisal {name}: labels do not count from 1")
    masks = [s.voxels.tobytes() for s in given]
    places = [masks.index(s.voxels.tobytes()) if s.voxels.tobytes() in masks else -1 for s in kept]
    _require(-1 not in places, f"appraisal {name} changes masks, or makes sources of its own")
    _require(places == sorted(set(places)), f"appraisal {name} changes the order of the sources")


def _check_estimates(name: str, source: Source) -> None:
    for key, value in source.estimates.items():
        _require(
            key in {c.name for c in ESTIMATED},
            f"appraisal {name} estimates {key}, which is no column of an appraisal (hisf.data.columns.ESTIMATED)",
        )
        _require(isinstance(value, float), f"appraisal {name} gives {key} = {value!r}, which is no float")
        positive = key.startswith("err_") or key in ("hi_freq", "hi_size", "hi_w20")
        low, high = RANGES.get(key, (0 if positive else -np.inf, np.inf))
        _require(np.isnan(value) or low <= value <= high, f"appraisal {name} gives {key} = {value}, out of its range")


def _equal(one: Source, other: Source) -> bool:
    keys = one.estimates.keys() == other.estimates.keys()
    same = keys and all(np.array_equal(v, other.estimates[k], equal_nan=True) for k, v in one.estimates.items())
    return same and one.label == other.label and np.array_equal(one.voxels, other.voxels)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
