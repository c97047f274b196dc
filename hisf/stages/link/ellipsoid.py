"""The linker of SoFiA 2 (spec sofia2 §3.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.stages.link.neighbourhood import NeighbourhoodLinker

if TYPE_CHECKING:
    from hisf.kernels.link import Neighbourhood


class EllipsoidLinker(NeighbourhoodLinker):
    """Join voxels within an ellipsoid: the one axis gets shorter where the other is used."""

    name = "sofia2"

    def neighbourhood(self) -> Neighbourhood:
        """Return the ellipsoid of the merging radii."""
        from hisf.kernels.link import Ellipsoid

        return Ellipsoid(self.settings["linker.radiusXY"], self.settings["linker.radiusZ"])
