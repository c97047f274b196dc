"""The pipeline with settings that change from trial to trial: what a trial does not change is kept.

A run has two parts. The search (preconditioning, noise, finders) takes nearly all of its time and depends on few of the
parameters that are worth tuning; it is kept, with every voxel that any threshold of the trials can detect and its
score, as Håkansson et al. (2023, §2.3) keep what their network says. What follows is repeated. The catalogue is the one
of a run, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hisf.data.catalogue import Catalogue
from hisf.data.mask_store import MaskStore
from hisf.errors import NothingFoundError
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.pipeline import Job, Report, begin, conclude, prepare
from hisf.plugins import PluginManager
from hisf.settings import Settings, validate
from hisf.stages.finders.contract import Finder
from hisf.stages.finders.run import Search
from hisf.stages.products.contract import Result
from hisf.tune.space import Dimension

# what has no say in the search: sections, but for the parameters that have
LATE = ("linker", "reliability", "dilation", "forska", "parameter", "output")
EARLY_ALL_THE_SAME = ("reliability.enable",)  # the network may then look for negative detections too
LATE_ALL_THE_SAME = ("cnn.confidence",)
CUBES = 2  # preconditioned cubes that are kept, with what was found in them


@dataclass(frozen=True, eq=False)
class _Detections:
    """What a finder detects, with the scores; every voxel counts where it gives a mask."""

    finder: str
    parameter: str
    voxels: np.ndarray
    scores: np.ndarray | None

    def above(self, settings: Settings) -> np.ndarray:
        """Return the raster indices of what is detected with these settings."""
        return self.voxels if self.scores is None else self.voxels[self.scores > settings[self.parameter]]


@dataclass(frozen=True, eq=False)
class _Cube:
    """A preconditioned cube, its noise, and whether it has blank voxels."""

    result: Result
    blanks: bool


@dataclass(frozen=True, eq=False)
class _Searched:
    job: Job
    cube: _Cube
    detections: list[_Detections]


class Bench:
    """Runs the pipeline again and again.

    A finder or a step of another distribution is taken to read no parameter of the sections `LATE`.

    Parameters
    ----------
    manager : PluginManager
    dimensions : sequence of Dimension
        What is varied; nothing else may differ from one call to the next.
    """

    def __init__(self, manager: PluginManager, dimensions: Sequence[Dimension]) -> None:
        self._manager = manager
        self._dimensions = {dimension.name: dimension for dimension in dimensions}
        self._thresholds = {i.cls.score_parameter for i in manager.implementations("finders")}
        self._finders = {i.name for i in manager.implementations("finders")}
        self._cubes: dict[tuple[str, ...], _Cube] = {}
        self._searches: dict[tuple[str, ...], _Searched] = {}

    def run(self, settings: Settings, when_searched: Callable[[], None] = lambda: None) -> Catalogue | None:
        """Return the catalogue of a run with these settings; None where nothing is found.

        Parameters
        ----------
        settings : Settings
            Products are not written.
        when_searched : callable
            Called when the search is over, or known.

        Raises
        ------
        HisfError
            As `hisf.pipeline.run`.
        """
        validate(settings)
        searched = self._search(settings)
        when_searched()
        job, cube = searched.job.retuned(settings, self._manager), searched.cube
        found = MaskStore(job.cube.shape)
        for detections in searched.detections:
            found.add(detections.above(settings), detections.finder)
        report = Report(finders=[finder.name for finder in job.finders])
        result = replace(cube.result, settings=settings, mask=found)
        try:
            return conclude(job, result, cube.blanks, _workspace(job), report, Progress(_Silence()))
        except NothingFoundError:
            return None

    def is_late(self, name: str) -> bool:
        """Return whether a parameter has no say in the search."""
        section = name.partition(".")[0]
        late = section in LATE or name in self._thresholds or name in LATE_ALL_THE_SAME
        return late and name not in EARLY_ALL_THE_SAME

    def _search(self, settings: Settings) -> _Searched:
        """Search, or remember."""
        early = [name for name in self._dimensions if not self.is_late(name)]
        key = tuple(settings.text(name) for name in early)
        if key not in self._searches:
            job = replace(prepare(settings, self._manager, Report(), replacing=True), products=[])
            cube = self._condition(job, [name for name in early if name.partition(".")[0] not in self._finders])
            detections = [self._look(finder, cube, job) for finder in job.finders]
            self._searches[key] = _Searched(job, cube, detections)
        return self._searches[key]

    def _condition(self, job: Job, names: Sequence[str]) -> _Cube:
        """Precondition the cube, or remember; ``names`` are the parameters that have a say in it."""
        key = tuple(job.settings.text(name) for name in names)
        if key not in self._cubes:
            for old in list(self._cubes)[: -CUBES + 1]:
                gone = self._cubes.pop(old)
                self._searches = {early: s for early, s in self._searches.items() if s.cube is not gone}
            self._cubes[key] = _Cube(*begin(job, _workspace(job), Report(), Progress(_Silence())))
        return self._cubes[key]

    def _look(self, finder: Finder, cube: _Cube, job: Job) -> _Detections:
        """Return what a finder detects at the lowest threshold that there will be."""
        searched, name, workspace = cube.result.searched, finder.score_parameter, _workspace(job)
        assert searched is not None
        lowest = job.settings[name]
        if name in self._dimensions:
            lowest = min(lowest, self._dimensions[name].low)
        finder.look(searched, workspace, lambda n: None)
        search = Search(finder, searched, lowest)
        pieces = [search.scored(core) for core in job.tiling.cores(searched, finder.grid(), finder.halo())]
        workspace.release()
        scores = [score for _, score in pieces if score is not None]
        return _Detections(
            finder.name, name, np.concatenate([voxels for voxels, _ in pieces]),
            np.concatenate(scores) if scores else None,
        )  # fmt: skip


def _workspace(job: Job) -> Workspace:
    return job.memory.workspace(job.tiling.wanted[0], None)


class _Silence:
    """Watches and says nothing."""

    def start_stage(self, stage: str, total: int, unit: str) -> None:
        """Do nothing."""

    def advance_stage(self, stage: str, done: int, total: int) -> None:
        """Do nothing."""

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """Do nothing."""
