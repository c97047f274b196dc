"""What a run would take, told before it begins: memory, tiles, passes over the file, scratch space, time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from hisf.data.box import Box, Shape
from hisf.data.mask_store import MaskStore
from hisf.errors import HisfError
from hisf.execution.progress import Progress
from hisf.execution.statistics import survey
from hisf.pipeline import Job, Report, prepare
from hisf.plugins import PluginManager
from hisf.settings import COMMAND_LINE, Settings
from hisf.stages.finders.contract import Finder
from hisf.stages.finders.mask import InputMask
from hisf.stages.finders.run import run_finders
from hisf.stages.precondition.chain import precondition

PIECE = 1 << 23  # voxels that are searched to see how long it takes
LEAST = 64  # of them along each axis, where the cube has so many


@dataclass(frozen=True)
class FinderPlan:
    """How a finder goes over the cube.

    Attributes
    ----------
    name : str
    tiles : int
    shape : tuple of int
        (z, y, x) of a tile that no edge cuts.
    halo : tuple of int
        (z, y, x) that are read beyond a tile.
    passes : int
        Times that the whole cube is read before the first tile.
    read : int
        Bytes read from the file, halos included; 0 where the cube lies in memory.
    scratch : int
        Bytes in scratch files.
    """

    name: str
    tiles: int
    shape: Shape
    halo: Shape
    passes: int
    read: int
    scratch: int


@dataclass(frozen=True)
class Plan:
    """What a run would take.

    Attributes
    ----------
    job : Job
    size : int
        Bytes of the cube in memory.
    held : bool
        Whether it lies in memory as a whole.
    finders : list of FinderPlan
    passes : int
        Times that the stages before the finders read the whole cube.
    """

    job: Job
    size: int
    held: bool
    finders: list[FinderPlan]
    passes: int

    @property
    def read(self) -> int:
        """Bytes read from the file before sources are linked."""
        return self.size if self.held else self.passes * self.size + sum(f.read for f in self.finders)

    @property
    def scratch(self) -> int:
        """Bytes in scratch files."""
        return sum(f.scratch for f in self.finders)


def make_plan(job: Job) -> Plan:
    """Say what a run would take; nothing but the header has been read.

    Parameters
    ----------
    job : Job
    """
    cube, memory = job.cube, job.memory
    size = math.prod(cube.shape) * cube.dtype.itemsize
    room = 0 if memory.workers or job.tiling.wanted[0] else memory.cubes
    held = size <= room
    room -= size if held else 0
    finders = []
    for finder in _searchers(job):
        kept = 0
        for array in finder.arrays():
            kept += array if array > room else 0
            room -= array if array <= room else 0
        finders.append(_finder_plan(job, finder, held, kept))
    searching = sum(step.searching for step in job.steps)
    return Plan(job, size, held, finders, 1 + searching)


def _finder_plan(job: Job, finder: Finder, held: bool, scratch: int) -> FinderPlan:
    cube, grid, halo = job.cube, finder.grid(), finder.halo()
    whole = held and grid == (1, 1, 1) and not any(job.tiling.wanted)
    shape = cube.shape if whole else job.tiling.shape(cube, grid, halo)
    tiles = math.prod(-(-n // s) for n, s in zip(cube.shape, shape, strict=True))
    once = math.prod(_with_halo(n, s, h) for n, s, h in zip(cube.shape, shape, halo, strict=True))
    size = math.prod(cube.shape) * cube.dtype.itemsize
    read = 0 if held else finder.passes() * size + (once * cube.dtype.itemsize if finder.reads_tiles else 0)
    return FinderPlan(finder.name, tiles, shape, halo, finder.passes(), read, scratch)


def _with_halo(size: int, step: int, halo: int) -> int:
    """Return the voxels along an axis that all its tiles read together."""
    return sum(min(size, a + step + halo) - max(0, a - halo) for a in range(0, size, step))


def _searchers(job: Job) -> list[Finder]:
    return [finder for finder in job.finders if finder.name != InputMask.name]


def piece_of(job: Job) -> Box:
    """Return a box in the middle of the cube on which the time of a run can be measured, in cube coordinates.

    It has about 8 million voxels, and at least one piece of every finder's grid with its halo.
    """
    cube = job.cube.shape
    shape = [min(n, LEAST) for n in cube]
    for finder in _searchers(job):
        needed = zip(cube, finder.grid(), finder.halo(), strict=True)
        shape = [max(s, min(n, g + 2 * h if g > 1 else s)) for s, (n, g, h) in zip(shape, needed, strict=True)]
    while math.prod(shape) < PIECE and any(s < n for s, n in zip(shape, cube, strict=True)):
        axis = min((k for k in range(3) if shape[k] < cube[k]), key=lambda k: shape[k] / cube[k])
        shape[axis] = min(cube[axis], 2 * shape[axis])
    low = [(n - s) // 2 for n, s in zip(cube, shape, strict=True)]
    return Box(*(edge for a, s in zip(low, shape, strict=True) for edge in (a, a + s)))


def rehearse(plan: Plan, settings: Settings, manager: PluginManager) -> float:
    """Return about how many seconds the run would take on this machine until sources are linked.

    A piece in the middle of the cube is searched twice, the first time to warm up.

    Parameters
    ----------
    plan : Plan
    settings : Settings
        Of the run.
    manager : PluginManager

    Returns
    -------
    float
        NaN where the piece cannot be searched by itself.
    """
    cube, piece = plan.job.cube, piece_of(plan.job)
    place = piece.shift(cube.region.z0, cube.region.y0, cube.region.x0)
    region = f"{place.x0},{place.x1 - 1},{place.y0},{place.y1 - 1},{place.z0},{place.z1 - 1}"
    part = settings.replace("input.region", region, COMMAND_LINE)
    seconds = float("nan")
    try:
        for _ in range(2):
            job = prepare(part, manager, Report(), replacing=True)
            start = time.perf_counter()
            _search(job, plan.held)
            seconds = time.perf_counter() - start
    except HisfError:
        return float("nan")
    return seconds * math.prod(cube.shape) / piece.size


def _search(job: Job, held: bool) -> MaskStore:
    """Search a piece in the way of the run, from memory or from the file."""
    workspace, progress = job.memory.workspace(0 if held else job.cube.shape[0], None), Progress(_Silence())
    searched = precondition(job.cube, job.steps, workspace, progress)
    survey(searched, workspace)
    return run_finders(_searchers(job), searched, workspace, progress, job.tiling)


class _Silence:
    """Watches and says nothing."""

    def start_stage(self, stage: str, total: int, unit: str) -> None:
        """Do nothing."""

    def advance_stage(self, stage: str, done: int, total: int) -> None:
        """Do nothing."""

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """Do nothing."""


def lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what a plan says, as pairs of a heading and a sentence."""
    job, memory = plan.job, plan.job.memory
    nz, ny, nx = job.cube.shape
    yield "cube", f"{job.cube.name}, {nx} × {ny} × {nz} voxels (x, y, z), {_bytes(plan.size)} in memory"
    yield (
        "memory",
        f"{_bytes(memory.limit)}: program {_bytes(memory.base)}, finder {_bytes(memory.working)}"
        + (f", both also in each of {memory.workers} workers" if memory.workers else "")
        + f", slabs {_bytes(memory.streams)}, arrays of the size of the cube {_bytes(memory.cubes)}",
    )
    stays = "is read once and lies in memory" if plan.held else "stays in the file and is read again whenever needed"
    yield "data", f"the cube {stays}"
    for finder in plan.finders:
        z, y, x = finder.shape
        halo = " × ".join(str(n) for n in reversed(finder.halo))
        tiles = f"{_count(finder.tiles, 'tile')} of at most {x} × {y} × {z} voxels (x, y, z)"
        beyond = f" with a halo of {halo}" if any(finder.halo) else ""
        yield finder.name, f"{_count(finder.passes, 'pass')} over the cube, then {tiles}{beyond}"
    yield "reading", f"{_bytes(plan.read)} from the file until sources are linked"
    if plan.scratch:
        yield "scratch", f"{_bytes(plan.scratch)} in the folder for temporary files"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _count(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number} {what}{'' if number == 1 else 'es' if what.endswith('s') else 's'}"


def _bytes(size: float) -> str:
    for unit, power in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= power:
            return f"{size / power:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"
