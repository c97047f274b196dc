"""The dilation of SoFiA 2: along the spectrum, then in the plane, as long as the flux grows (spec sofia2 §3.10)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.source import Source, SourceList
from hisf.data.voxels import Voxels
from hisf.settings import Settings
from hisf.stages.dilate.contract import Dilation
from hisf.stages.dilate.growing import check_iterations, with_grown_mask

if TYPE_CHECKING:
    from hisf.kernels.dilate import SpatialGrowth, SpectralGrowth

log = logging.getLogger(__name__)


class FluxGrowth(Dilation):
    """Grow each source in catalogue order; voxels of other sources are never taken.

    Raises
    ------
    InputError
        The cube is too small for the number of iterations.
    """

    name = "sofia2"

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        check_iterations(settings, cube)

    def dilate(self, sources: SourceList, voxels: Voxels, advance: Callable[[int], None]) -> SourceList:
        """Return the grown sources."""
        grown = SourceList(sources.shape, sources)
        for position in range(len(grown)):  # all sources along z before any in the plane
            grown.replace(position, self._grow_spectrally(grown[position], grown, voxels))
        for position in range(len(grown)):
            grown.replace(position, self._grow_spatially(grown[position], grown, voxels))
            advance(1)
        return grown

    def _grow_spectrally(self, source: Source, sources: SourceList, voxels: Voxels) -> Source:
        from hisf.kernels.dilate import grow_spectrally

        reach = max(0, self.settings["dilation.iterationsZ"])
        box = source.box.grow((reach, 0, 0), voxels.shape)
        labels = sources.paint(box)
        growth = grow_spectrally(
            voxels.read(box), labels, source.label, source.f_sum, self.settings["dilation.threshold"], reach,
            box.z0 == 0, box.z1 == voxels.shape[0],
        )  # fmt: skip
        log.debug("source %d: %d voxels joined along z", source.label, growth.n_added)
        return _grown(source, labels, box, growth, voxels)

    def _grow_spatially(self, source: Source, sources: SourceList, voxels: Voxels) -> Source:
        from hisf.kernels.dilate import grow_spatially

        reach = max(0, self.settings["dilation.iterationsXY"])
        _, ny, nx = voxels.shape
        box = source.box.grow((0, reach, reach), voxels.shape)
        labels = sources.paint(box)
        growth = grow_spatially(
            voxels.read(box), labels, source.label, source.f_sum, self.settings["dilation.threshold"], reach,
            (box.y0 == 0, box.y1 == ny, box.x0 == 0, box.x1 == nx),
        )  # fmt: skip
        log.debug("source %d: %d voxels joined within radius %d", source.label, growth.n_added, growth.radius)
        return _grown(source, labels, box, growth, voxels)


def _grown(
    source: Source, labels: np.ndarray, box: Box, growth: SpectralGrowth | SpatialGrowth, voxels: Voxels
) -> Source:
    """Return the source with the voxels that carry its label in ``labels``, and what they add to its flux."""
    if not growth.n_added:
        return source.flagged(growth.flags)
    return replace(
        with_grown_mask(source, labels, box, voxels.shape),
        f_sum=growth.f_sum,
        f_min=min(source.f_min, growth.added_min),
        f_max=max(source.f_max, growth.added_max),
        flag=source.flag | growth.flags,
    )
