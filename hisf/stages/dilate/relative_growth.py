"""The dilation of SoFiA 1, which FORSKA uses (spec sofia1 §4, forska §9)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hisf.data.cube import Cube
from hisf.data.source import Flag, Source, SourceList
from hisf.data.voxels import Voxels
from hisf.settings import Settings
from hisf.stages.dilate.contract import Dilation
from hisf.stages.dilate.growing import check_iterations, with_grown_mask

log = logging.getLogger(__name__)


class RelativeGrowth(Dilation):
    """Grow each source along the spectrum, then in the plane, while the flux grows by a share of the flux after it.

    One source after the other; voxels of other sources are never taken. What the linker recorded of the flux stays.
    SoFiA 1 does this on the cube without preconditioning, hisf on the searched one.

    Raises
    ------
    InputError
        The cube is too small for the number of iterations.
    """

    name = "sofia1"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        check_iterations(settings, cube)

    def dilate(self, sources: SourceList, voxels: Voxels, advance: Callable[[int], None]) -> SourceList:
        """Return the grown sources."""
        grown = SourceList(sources.shape, sources)
        for position in range(len(grown)):
            grown.replace(position, self._grow(grown[position], grown, voxels))
            advance(1)
        return grown

    def _grow(self, source: Source, sources: SourceList, voxels: Voxels) -> Source:
        from hisf.kernels.dilate_relative import grow_relatively

        s, shape = self.settings, voxels.shape
        reach_xy, reach_z = max(0, s["dilation.iterationsXY"]), max(0, s["dilation.iterationsZ"])
        box = source.box.grow((reach_z, reach_xy, reach_xy), shape)
        edges = (box.z0 == 0, box.z1 == shape[0], box.y0 == 0, box.y1 == shape[1], box.x0 == 0, box.x1 == shape[2])
        labels, data = sources.paint(box), voxels.read(box)
        n_added = 0
        for along_z, reach in ((True, reach_z), (False, reach_xy)):
            steps, n, flags = grow_relatively(
                data, labels, source.label, s["dilation.threshold"], reach, along_z, edges
            )
            log.debug(
                "source %d: %d voxels joined within %d %s", source.label, n, steps, "channels" if along_z else "pixels"
            )
            source, n_added = source.flagged(flags), n_added + n
        if not n_added:
            return source
        source = with_grown_mask(source, labels, box, shape)
        at_rim = source.box.y0 == 0 or source.box.y1 == shape[1] or source.box.x0 == 0 or source.box.x1 == shape[2]
        at_end = source.box.z0 == 0 or source.box.z1 == shape[0]
        return source.flagged(Flag.SPATIAL_EDGE * at_rim | Flag.SPECTRAL_EDGE * at_end)
