"""The dilation of SoFiA 2: along the spectrum, then in the plane, as long as the flux grows (spec sofia2 §3.10)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hisf.data.box import Box
from hisf.data.source import Source, SourceList
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.stages.dilate.contract import Dilation

log = logging.getLogger(__name__)


class FluxGrowth(Dilation):
    """Grow each source in catalogue order; voxels of other sources are never taken."""

    name = "sofia2"

    def dilate(self, sources: SourceList, voxels: Voxels, advance: Callable[[int], None]) -> SourceList:
        """Return the grown sources.

        Raises
        ------
        InputError
            The cube is too small for the number of iterations.
        """
        self._check_iterations(voxels)
        grown = SourceList(sources.shape, sources)
        for position, source in enumerate(sources):
            grown.replace(position, self._grow(source, grown, voxels))
            advance(1)
        return grown

    def _check_iterations(self, voxels: Voxels) -> None:
        s = self.settings
        nz, ny, nx = voxels.shape
        for key, size, axes in (
            ("dilation.iterationsXY", max(nx, ny), f"{nx} × {ny} pixels"),
            ("dilation.iterationsZ", nz, f"{nz} channels"),
        ):
            if s[key] >= size:
                raise InputError(f"{key} = {s[key]} is too large for {self.cube.name}, which has {axes}; use fewer.")

    def _grow(self, source: Source, sources: SourceList, voxels: Voxels) -> Source:
        from hisf.kernels.dilate import grow_spatially, grow_spectrally

        s = self.settings
        reach_xy, reach_z = max(0, s["dilation.iterationsXY"]), max(0, s["dilation.iterationsZ"])
        threshold = s["dilation.threshold"]
        nz, ny, nx = voxels.shape
        box = source.box.grow((reach_z, reach_xy, reach_xy), voxels.shape)
        data, labels = voxels.read(box), sources.paint(box)
        spectral = grow_spectrally(
            data, labels, source.label, source.f_sum, threshold, reach_z, box.z0 == 0, box.z1 == nz
        )
        spatial = grow_spatially(
            data, labels, source.label, spectral.f_sum, threshold, reach_xy,
            (box.y0 == 0, box.y1 == ny, box.x0 == 0, box.x1 == nx),
        )  # fmt: skip
        log.debug(
            "source %d: %d voxels joined along z, %d in radius %d",
            source.label, spectral.n_added, spatial.n_added, spatial.radius,
        )  # fmt: skip
        z, y, x = np.nonzero(labels == source.label)
        members = (x + box.x0) + nx * ((y + box.y0) + ny * (z + box.z0))
        return replace(
            source,
            voxels=members,
            box=_box_of(z, y, x).shift(box.z0, box.y0, box.x0),
            n_pix=len(members),
            f_sum=spatial.f_sum,
            f_min=min(source.f_min, spectral.added_min, spatial.added_min),
            f_max=max(source.f_max, spectral.added_max, spatial.added_max),
            flag=source.flag | spectral.flags | spatial.flags,
        )


def _box_of(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> Box:
    """Return the bounding box of voxels."""
    return Box(
        int(z.min()), int(z.max()) + 1, int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1
    )  # fmt: skip
