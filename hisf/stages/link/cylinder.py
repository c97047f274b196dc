"""The linker of SoFiA 1, which FORSKA uses (spec sofia1 §3, forska §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hisf.stages.link.neighbourhood import NeighbourhoodLinker

if TYPE_CHECKING:
    from hisf.kernels.link import Neighbourhood


class CylinderLinker(NeighbourhoodLinker):
    """Join voxels within a circle on the sky and, whatever their distance there, within the radius in frequency.

    The sources are those of SoFiA 1, with the limits of SoFiA 2; they are numbered as in SoFiA 2.
    """

    name = "cylinder"

    def neighbourhood(self) -> Neighbourhood:
        """Return the cylinder of the merging radii."""
        from hisf.kernels.link import Cylinder

        return Cylinder(self.settings["linker.radiusXY"], self.settings["linker.radiusZ"])
