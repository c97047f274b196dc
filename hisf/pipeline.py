"""The pipeline, top to bottom as the data flow (design §1).

par file → Settings → Cube → precondition → finders → link → reliability → dilate → appraise → measure → products
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hisf.compiling import compile_ahead, forget_compiler, load_ahead
from hisf.data.box import Shape
from hisf.data.catalogue import Catalogue
from hisf.data.columns import ESTIMATED, FINDERS
from hisf.data.cube import Cube
from hisf.data.source import SourceList
from hisf.data.voxels import Voxels
from hisf.errors import FileAccessError, HisfError, InputError, NothingFoundError, OutOfMemoryError
from hisf.execution.engine import LostWorkerError, open_workers
from hisf.execution.fingerprint import fingerprint
from hisf.execution.journal import Journal
from hisf.execution.lock import locked
from hisf.execution.machine import NOTICE, set_threads, usable_memory
from hisf.execution.plan import MemoryPlan, plan_memory
from hisf.execution.progress import Progress
from hisf.execution.statistics import Survey, survey
from hisf.execution.tiling import Tiling
from hisf.execution.workspace import Workspace
from hisf.plugins import PluginManager
from hisf.settings import Settings, validate
from hisf.stages.appraise.choose import NONE, chosen_appraisal, judges_by_confidence
from hisf.stages.appraise.contract import Appraisal
from hisf.stages.dilate.contract import Dilation
from hisf.stages.finders.choose import CLASSIC, chosen_finders
from hisf.stages.finders.contract import Finder
from hisf.stages.finders.mask import InputMask
from hisf.stages.finders.run import run_finders
from hisf.stages.input.opening import open_inputs, require_unchanged, state_of_inputs
from hisf.stages.link.contract import Linker
from hisf.stages.link.sifting import drop_noise_peaks, mark_fragments
from hisf.stages.measure.catalogue import make_catalogue
from hisf.stages.measure.contract import Measurement
from hisf.stages.precondition.chain import precondition, reload
from hisf.stages.precondition.contract import Step
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.names import product_base
from hisf.stages.products.writing import (
    check_places,
    journal_path,
    log_path,
    product_path,
    record_path,
    remove_leftovers,
    report_path,
    write_products,
)
from hisf.stages.reliability.contract import Reliability, smallest_ratio

log = logging.getLogger(__name__)

RESUMABLE = (FileAccessError, OutOfMemoryError, LostWorkerError)  # what may go well the next time


@dataclass
class Report:
    """What is to be told about a run besides its products.

    Attributes
    ----------
    base : Path
        Folder and base name of the products.
    shape : tuple of int
        (z, y, x) of the searched cube.
    finders : list of str
    used : dict of str to list of str
        By stage, the names of the implementations that take part.
    rms : float
        Global noise of the searched cube.
    detected, linked, kept : int
        Voxels found, sources linked, sources in the catalogue.
    products : list of Path
    timings : list of dict
    """

    base: Path = Path()
    shape: tuple[int, int, int] = (0, 0, 0)
    finders: list[str] = field(default_factory=list)
    used: dict[str, list[str]] = field(default_factory=dict)
    rms: float = float("nan")
    detected: int = 0
    linked: int = 0
    kept: int = 0
    products: list[Path] = field(default_factory=list)
    timings: list[dict[str, object]] = field(default_factory=list)


class Stages(NamedTuple):
    """The implementations that the settings choose."""

    finders: list[type[Finder]]
    linker: type[Linker]
    reliability: type[Reliability]
    dilation: type[Dilation]
    appraisal: type[Appraisal] | None


def choose_stages(settings: Settings, manager: PluginManager) -> Stages:
    """Choose finders, linker, reliability, dilation and appraisal.

    Raises
    ------
    InputError
        No finder is left, or a catalogue needs an appraisal and there is none.
    PluginError
        No plugin has the name that is asked for.
    """

    def choose(stage: str, key: str, name: str = "") -> Any:
        return manager.choose(stage, name or settings[key], f"{settings.origin(key)}: {key}")

    finders = chosen_finders(settings)
    appraisal = chosen_appraisal(settings, finders)
    return Stages(
        [choose("finders", "pipeline.finder", name) for name in finders],
        choose("link", "linker.method"),
        choose("reliability", "reliability.method"),
        choose("dilate", "dilation.method"),
        None if appraisal == NONE else choose("appraise", "appraise.method", appraisal),
    )


@dataclass(frozen=True, eq=False)
class Job:
    """A run that is about to begin: the cube is open, everything is chosen, nothing is computed.

    Attributes
    ----------
    settings : Settings
    base : Path
        Folder and base name of the products.
    cube : Cube
    inputs : dict
        What the input cubes were when they were opened, see `state_of_inputs`.
    steps : list of Step
    finders : list of Finder
    linker, reliability, dilation, appraisal
        One of each; None where the settings do without.
    measurements : list of Measurement
    products : list of Product
    threads : int
    memory : MemoryPlan
    tiling : Tiling
    """

    settings: Settings
    base: Path
    cube: Cube
    inputs: dict[str, tuple[int, int]]
    steps: list[Step]
    finders: list[Finder]
    linker: Linker
    reliability: Reliability | None
    dilation: Dilation | None
    appraisal: Appraisal | None
    measurements: list[Measurement]
    products: list[Product]
    threads: int
    memory: MemoryPlan
    tiling: Tiling

    @property
    def stages(self) -> dict[str, list[Any]]:
        """What takes part, by stage."""
        one = {
            "link": self.linker,
            "reliability": self.reliability,
            "dilate": self.dilation,
            "appraise": self.appraisal,
        }
        return {
            "precondition": self.steps,
            "finders": self.finders,
            **{stage: [part] if part else [] for stage, part in one.items()},
            "measure": self.measurements,
            "products": self.products,
        }

    def retuned(self, settings: Settings, manager: PluginManager) -> Job:
        """Return the job for settings that differ in nothing that comes before linking; see `Appraisal.retuned`."""
        appraisal = self.appraisal.retuned(settings) if self.appraisal else None
        chosen = choose_stages(settings, manager)
        settings = _settled(settings, chosen, log.debug)
        return replace(self, settings=settings, appraisal=appraisal, **_later(settings, self.cube, chosen, manager))


def _settled(settings: Settings, chosen: Stages, say: Callable[[str], object]) -> Settings:
    """Return the settings without a reliability where the confidence of the network stands in its place."""
    if not settings["reliability.enable"] or not judges_by_confidence(chosen.finders, chosen.appraisal):
        return settings
    say(
        "reliability.enable has no effect: the confidence of the network judges its sources (cnn.confidence); "
        "appraise.method = none leaves it to the reliability.",
    )
    return settings.replace("reliability.enable", "false", settings.origin("reliability.enable"))


def _later(settings: Settings, cube: Cube, chosen: Stages, manager: PluginManager) -> dict[str, Any]:
    """Return what takes part after the search and costs nothing to make."""

    def one(stage: str, cls: type[Any], wanted: bool = True) -> Any:
        return manager.make(stage, cls, settings, cube) if wanted else None

    return {
        "linker": one("link", chosen.linker),
        "reliability": one("reliability", chosen.reliability, settings["reliability.enable"]),
        "dilation": one("dilate", chosen.dilation, settings["dilation.enable"]),
        "measurements": [one("measure", i.cls) for i in manager.implementations("measure")],
    }


def prepare(settings: Settings, manager: PluginManager, report: Report, replacing: bool = False) -> Job:
    """Open the cube, choose what takes part in a run and share out its memory.

    Parameters
    ----------
    settings : Settings
    manager : PluginManager
    report : Report
        Filled in.
    replacing : bool
        Whether products may be there already.

    Raises
    ------
    HisfError
        With the exit code of its class: 5 files, 7 settings and input (spec sofia2 §5).
    """
    validate(settings)
    limit = usable_memory(settings["pipeline.memory"])
    wanted = _tile_of(settings)
    chosen = choose_stages(settings, manager)
    settings = _settled(settings, chosen, partial(log.log, NOTICE))
    report.finders = [cls.name for cls in chosen.finders]
    products = manager.active("products", settings)
    threads = set_threads(settings["pipeline.threads"])
    base = report.base = product_base(settings)
    check_places(_places(settings, base, products), replacing or settings["output.overwrite"])
    inputs = state_of_inputs(settings)
    cube = open_inputs(manager, settings)
    report.shape = cube.shape
    steps = manager.active("precondition", settings, settings, cube)
    finders = [manager.make("finders", cls, settings, cube) for cls in chosen.finders]
    needed = max(finder.memory() for finder in finders)
    memory = plan_memory(limit, cube.shape, cube.dtype.itemsize, needed, settings["pipeline.workers"])
    job = Job(
        settings, base, cube, inputs, steps, finders,
        appraisal=manager.make("appraise", chosen.appraisal, settings, cube) if chosen.appraisal else None,
        products=products, threads=threads, memory=memory, tiling=memory.tiling(wanted),
        **_later(settings, cube, chosen, manager),
    )  # fmt: skip
    report.used = {stage: [part.name for part in parts] for stage, parts in job.stages.items()}
    return job


def run(settings: Settings, manager: PluginManager, report: Report | None = None, resume: bool = False) -> Catalogue:
    """Run the pipeline.

    Parameters
    ----------
    settings : Settings
        With the parameters of all plugins.
    manager : PluginManager
    report : Report, optional
        Filled in as the run goes on, so that it tells the truth even when the run fails.
    resume : bool
        Go on where a run with these settings was interrupted.

    Returns
    -------
    Catalogue
        Every source; the products have been written by then.

    Raises
    ------
    HisfError
        With the exit code of its class: 5 files, 7 settings and input, 8 nothing found (spec sofia2 §5).
    """
    report = report if report is not None else Report()
    progress = Progress(manager)
    report.timings = progress.timings
    job = prepare(settings, manager, report, resume)
    with locked(job.base), np.errstate(over="ignore", invalid="ignore"):  # what is too large is infinite
        remove_leftovers(_places(settings, job.base, job.products))
        _describe(job.cube, job.steps, settings)
        classes = {part if isinstance(part, type) else type(part) for parts in job.stages.values() for part in parts}
        journal = Journal(journal_path(job.base), fingerprint(settings, sorted(classes, key=str)), resume)
        try:
            catalogue = _run(job, journal, report, progress)
        except HisfError as error:
            if not isinstance(error, RESUMABLE):
                journal.remove()
            raise
        journal.remove()
    return catalogue


def _places(settings: Settings, base: Path, products: list[Product]) -> list[Path]:
    """Return the paths of everything that the run will have written."""
    records = [record_path(base), *[log_path(base)] * settings["output.writeLogFile"]]
    records += [report_path(base)] * settings["output.writeReport"]
    return [*(product_path(base, product, settings) for product in products), *records]


def _run(job: Job, journal: Journal, report: Report, progress: Progress) -> Catalogue:
    """Take the stages in their order."""
    workspace = job.memory.workspace(job.tiling.wanted[0], journal)
    result, blanks = begin(job, workspace, report, progress)
    forget_compiler()
    result = _search(job, result, workspace, journal, report, progress)
    result = _make_sources(job, result, blanks, workspace, report, progress)  # and let the searched cube go
    return _publish(job, result, report, progress)


def _search(
    job: Job, result: Result, workspace: Workspace, journal: Journal, report: Report, progress: Progress
) -> Result:
    """Let the finders look; return the result with the mask of what they found."""
    searched = result.searched
    assert searched is not None
    searchers = [finder for finder in job.finders if finder.name != InputMask.name]
    with open_workers(job.settings, job.memory.limit // (job.memory.workers + 1), job.threads) as workers:
        mask = run_finders(searchers, searched, workspace, progress, job.tiling, journal, workers)
    result = replace(result, mask=mask)
    report.products += write_products(job.products, Moment.FOUND, result, job.base)
    given = [finder for finder in job.finders if finder not in searchers]
    run_finders(given, searched, workspace, progress, job.tiling, found=mask)
    return result


def begin(job: Job, workspace: Workspace, report: Report, progress: Progress) -> tuple[Result, bool]:
    """Precondition the cube and measure its noise; on the first run, compile what is needed from here on.

    Returns
    -------
    result : Result
        With the cubes, the steps and the noise.
    blanks : bool
        Whether there are blank voxels.
    """
    classic = any(finder.name == CLASSIC for finder in job.finders)
    compile_ahead(classic)
    load_ahead(classic, job.cube.dtype)
    searched = precondition(job.cube, job.steps, workspace, progress)
    measured = reload(job.cube, searched, job.steps)
    result = Result(job.settings, job.cube, searched=searched, measured=measured, steps=tuple(job.steps))
    report.products += write_products(job.products, Moment.PRECONDITIONED, result, job.base)
    noise = measure_cube(searched, workspace, progress, job.cube)
    report.rms = noise.rms
    return replace(result, rms=noise.rms), noise.finite < int(np.prod(job.cube.shape))


def conclude(
    job: Job, result: Result, blanks: bool, workspace: Workspace, report: Report, progress: Progress
) -> Catalogue:
    """Make the catalogue and the products of what `begin` and the finders made.

    Raises
    ------
    NothingFoundError
        No source is left.
    """
    return _publish(job, _make_sources(job, result, blanks, workspace, report, progress), report, progress)


def _make_sources(
    job: Job, result: Result, blanks: bool, workspace: Workspace, report: Report, progress: Progress
) -> Result:
    """Link, judge and grow; return the result with the sources and without the searched cube, which is done with."""
    settings, cube, searched, mask = job.settings, job.cube, result.searched, result.mask
    assert searched is not None and mask is not None
    report.detected = len(mask.voxels())
    if not settings["linker.enable"]:
        raise NothingFoundError("linker.enable is false, so no sources are made of the detected voxels.")

    with progress.stage("link", int(np.prod(cube.shape))) as advance:
        sources = job.linker.link(mask, searched, result.rms, blanks, workspace, advance)
        sources = SourceList(sources.shape, (replace(s, finders=mask.finders_of(s.voxels)) for s in sources))
    report.linked = len(sources)
    if cube.improved and not (job.reliability or job.appraisal):
        sources = drop_noise_peaks(sources, smallest_ratio(settings, cube))
    found = f"{report.detected} voxels were detected" if report.detected else "no voxel was detected"
    _require(sources, f"{found}, so that no source is left after linking")
    if job.reliability:
        with progress.stage("reliability", len(sources), "source"):
            sources = job.reliability.judge(sources)
        result = replace(result, evidence=job.reliability.evidence)
        _require(sources, f"none of {report.linked} linked sources is reliable")
    if job.dilation:
        with progress.stage("dilate", len(sources), "source") as advance:
            sources = job.dilation.dilate(sources, searched, advance)
    assert result.measured is not None
    if job.appraisal:
        judged = len(sources)
        with progress.stage("appraise", judged, "source") as advance:
            sources = job.appraisal.appraise(sources, searched, result.measured, workspace, advance)
        _require(sources, f"the appraisal {job.appraisal.name} keeps none of {judged} sources")
    if cube.improved:
        sources = mark_fragments(sources)
    report.kept = len(sources)
    return replace(result, sources=sources, searched=None)


def _publish(job: Job, result: Result, report: Report, progress: Progress) -> Catalogue:
    """Measure the sources and write what is made of them."""
    settings, cube, sources = job.settings, job.cube, result.sources
    assert sources is not None and result.measured is not None
    _describe_coordinates(cube, settings)
    several = sum(finder.name != InputMask.name for finder in job.finders) > 1
    own = [FINDERS] * several + [*ESTIMATED] * bool(job.appraisal)
    with progress.stage("measure", len(sources), "source") as advance:
        catalogue = make_catalogue(sources, result.measured, cube, settings, job.measurements, advance, own)
    if settings["parameter.offset"]:
        catalogue = catalogue.shifted(cube.region.x0, cube.region.y0, cube.region.z0)
    require_unchanged(settings, job.inputs)
    with progress.stage("write", len(job.products), "product"):
        result = replace(result, catalogue=catalogue)
        report.products += write_products(job.products, Moment.DONE, result, job.base)
    return catalogue


def _tile_of(settings: Settings) -> Shape:
    """Return ``pipeline.tile`` as (z, y, x)."""
    tile = settings["pipeline.tile"]
    if len(tile) != 3:
        raise InputError(
            f"pipeline.tile = {settings.text('pipeline.tile')} ({settings.origin('pipeline.tile')}) has {len(tile)} "
            "values; sizes along x, y and z are needed, 0 where it does not matter."
        )
    return tile[2], tile[1], tile[0]


def _describe(cube: Cube, steps: list[Step], settings: Settings) -> None:
    """Say what was opened and what had to be repaired or assumed."""
    nz, ny, nx = cube.shape
    log.info("%s: %d × %d × %d voxels (x, y, z), %s", cube.name, nx, ny, nz, cube.dtype)
    if "gain" in cube.companions and not any(step.rescales for step in steps):
        log.warning(
            "input.gain has no effect: SoFiA uses it only together with input.noise, input.weights or scaleNoise."
        )
    notes = [*cube.notes, *(n for c in cube.companions.values() for n in c.notes), *cube.scales.notes]
    for note in notes:
        log.warning("%s", note)


def _describe_coordinates(cube: Cube, settings: Settings) -> None:
    """Say what had to be assumed of the world coordinates."""
    if settings["parameter.wcs"] and cube.wcs is None:
        log.warning("%s has no usable world coordinates; the catalogue gives pixels only.", cube.name)
    for note in cube.wcs.notes if cube.wcs else ():
        log.info("%s", note)


def measure_cube(voxels: Voxels, workspace: Workspace, progress: Progress, cube: Cube) -> Survey:
    """Measure the global noise, which later stages use as their unit (spec sofia2 §2.2, step 16)."""
    with progress.stage("global noise", int(np.prod(voxels.shape))) as advance:
        noise = survey(voxels, workspace, advance=advance)
    log.info("global noise of the searched cube: %g", noise.rms)
    if not noise.finite:
        raise InputError(f"{cube.name}: every voxel is blank (NaN), there is nothing to search.")
    if not noise.rms > 0:
        log.warning("The noise of %s cannot be measured (%g): it has too few negative voxels.", cube.name, noise.rms)
    return noise


def _require(sources: SourceList, sentence: str) -> None:
    if not len(sources):
        raise NothingFoundError(f"No source found: {sentence}. Lower the threshold or widen the limits.")
