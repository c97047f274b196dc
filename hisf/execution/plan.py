"""What a run is going to take: memory, tiles, passes over the cube."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from hisf.data.box import Shape
from hisf.execution.machine import resident
from hisf.execution.tiling import Tiling
from hisf.execution.workspace import SLAB_BYTES, Memory, Workspace

log = logging.getLogger(__name__)

SLABS = 8  # that are in memory at a time where a cube is streamed, temporary arrays included
SMALLEST_SLAB = 1 << 20


@dataclass(frozen=True)
class MemoryPlan:
    """How the memory of a run is shared out.

    Attributes
    ----------
    limit : int
        Bytes that the run may take.
    base : int
        Bytes that the process takes before it reads the cube, libraries and networks included.
    working : int
        Bytes that the finders need besides tiles.
    workers : int
        Processes beside this one; each takes ``base`` and ``working`` as well.
    slab : int
        Bytes of a slab of whole channels where the cube is streamed.
    cubes : int
        Bytes for arrays of the size of the cube.
    """

    limit: int
    base: int
    working: int
    workers: int
    slab: int
    cubes: int

    @property
    def streams(self) -> int:
        """Bytes of the slabs that are in memory at a time."""
        return SLABS * self.slab

    @property
    def missing(self) -> int:
        """Bytes that the run needs beyond its limit; 0 where it has enough."""
        return max(0, (self.workers + 1) * (self.base + self.working) + self.streams - self.limit)

    def sentence(self) -> str:
        """Return a sentence that tells a user what is too little."""
        each = self.workers + 1
        return (
            f"pipeline.memory allows {self.limit / 1e9:.2f} GB, but this run needs about "
            f"{(self.limit + self.missing) / 1e9:.2f} GB: {each * self.base / 1e9:.2f} for the program, "
            f"{each * self.working / 1e9:.2f} for the finder, {self.streams / 1e9:.2f} for slabs of the cube."
        )

    def tiling(self, wanted: Shape) -> Tiling:
        """Return how tiles are cut so that one in every process fits."""
        return Tiling(self.streams // max(1, self.workers), wanted)

    def workspace(self, channels: int, memory: Memory | None) -> Workspace:
        """Return what lends memory to the stages; workers read a cube by themselves, so none is held for them.

        Parameters
        ----------
        channels : int
            Depth of slabs; 0 leaves it to `slab`.
        memory : Memory, optional
            What an interrupted run left behind.
        """
        return Workspace(0 if self.workers else self.cubes, self.slab, channels=channels, memory=memory)


def plan_memory(limit: int, shape: Shape, itemsize: int, working: int, workers: int = 0) -> MemoryPlan:
    """Share out the memory of a run; warn where it cannot do with so little.

    Parameters
    ----------
    limit : int
        Bytes that the run may take.
    shape : tuple of int
        (z, y, x) of the cube.
    itemsize : int
        Bytes of a voxel.
    working : int
        Bytes that the finders need besides tiles, the greatest of them.
    workers : int
        Processes beside this one.
    """
    base = resident()
    left = limit - base - working - workers * (base + working)
    channel = shape[1] * shape[2] * itemsize
    slab = max(channel, SMALLEST_SLAB, min(SLAB_BYTES, left // (2 * SLABS)))
    slab = min(slab, max(SMALLEST_SLAB, math.prod(shape) * itemsize))
    plan = MemoryPlan(limit, base, working, workers, slab, max(0, left - SLABS * slab))
    if plan.missing:
        log.warning("%s", plan.sentence())
    return plan
