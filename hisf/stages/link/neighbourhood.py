"""Linking by a neighbourhood: what the linkers of SoFiA 1 and SoFiA 2 have in common (spec sofia2 §3.8)."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Box
from hisf.data.mask_store import MaskStore
from hisf.data.source import Flag, Source, SourceList
from hisf.data.voxels import Voxels
from hisf.errors import TooManySourcesError
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.link.contract import Advance, Linker

if TYPE_CHECKING:
    from hisf.kernels.link import Neighbourhood

log = logging.getLogger(__name__)


class NeighbourhoodLinker(Linker):
    """Join voxels in the neighbourhood of each other, drop objects outside the size limits, record what is left.

    The mask is read slab by slab, from the last channel down; work and memory grow with the detected voxels.
    """

    @abstractmethod
    def neighbourhood(self) -> Neighbourhood:
        """Return which voxels belong together, by the merging radii of the settings."""

    def link(
        self, mask: MaskStore, voxels: Voxels, rms: float, blanks: bool, workspace: Workspace, advance: Advance
    ) -> SourceList:
        """Link the detected voxels; labels count from 1 in the order of the highest voxel, channels first."""
        from hisf.kernels.link import VoxelLinker, offsets
        from hisf.kernels.objects import filling_order, group_voxels, object_statistics
        from hisf.kernels.reliability import COFACTORS

        s = self.settings
        neighbourhood = self.neighbourhood()
        linker = VoxelLinker(voxels.shape, neighbourhood)
        pieces = [np.empty(0)]
        for box, index in mask.slabs(workspace.depth(voxels)):
            values = voxels.read(box).reshape(-1)[index - box.z0 * voxels.shape[1] * voxels.shape[2]]
            keep = np.isfinite(values)
            if s["linker.positivity"]:
                keep &= values >= 0
            linker.add(index[keep])
            pieces.append(values[keep].astype(np.float64))
            advance(box.size)
        index, label, count = linker.finish()
        if count > np.iinfo(np.int32).max:
            raise TooManySourcesError(f"{count} objects were linked, more than labels can count; raise the threshold.")
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.concatenate(pieces[::-1]) * np.divide(1.0, rms)
        order, start = group_voxels(label, count)
        found = object_statistics(index, values, order, start, voxels.shape)
        kept = np.flatnonzero(passes(found, s))
        log.info("linker: %d voxels in %d objects, %d within the limits", len(index), count, len(kept))
        near = offsets(neighbourhood)
        negative = kept[found["f_sum"][kept] < 0]
        parameters = len(s["reliability.parameters"])
        if s["reliability.enable"] and len(negative) <= parameters <= COFACTORS:
            # so few that the last bits of their sums decide the reliability (kernels.reliability.inverse)
            for k in negative:
                members = order[start[k] : start[k + 1]]
                filled = members[filling_order(index[members], near, voxels.shape)]
                found["f_sum"][k] = np.cumsum(values[filled])[-1]
        sources = []
        for new, old in enumerate(kept, 1):
            source = _source(new, index[order[start[old] : start[old + 1]]], found, int(old), voxels)
            if blanks and self._near_blank(source, voxels, near):
                source = source.flagged(Flag.BLANK)
            sources.append(source)
        return SourceList(voxels.shape, sources)

    @staticmethod
    def _near_blank(source: Source, voxels: Voxels, near: np.ndarray) -> bool:
        """Return whether a blank voxel lies within the linking neighbourhood of the source."""
        from hisf.kernels.objects import near_blank

        if not len(near):
            return False
        reach_z, reach_y, reach_x = np.abs(near).max(0)
        box = source.box.grow((int(reach_z), int(reach_y), int(reach_x)), voxels.shape)
        blank = ~np.isfinite(voxels.read(box))
        return bool(blank.any()) and near_blank(source.member(box, voxels.shape), blank, near)


def passes(found: dict[str, np.ndarray], settings: Settings) -> np.ndarray:
    """Return which objects are within the limits of size, voxels, filling factor and sign (spec sofia2 §3.8).

    Parameters
    ----------
    found : dict of ndarray, shape (n,) each
        From `object_statistics`.
    settings : Settings
    """
    extent = {a: found[f"{a}_max"] - found[f"{a}_min"] + 1 for a in "xyz"}
    volume = extent["x"] * extent["y"] * extent["z"]
    fill = found["n_pix"] / np.maximum(volume, 1)
    limits = [(extent[a], settings[f"linker.minSize{k}"], settings[f"linker.maxSize{k}"]) for a, k in _SIZES]
    limits.append((found["n_pix"], settings["linker.minPixels"], settings["linker.maxPixels"]))
    keep = np.ones(len(volume), bool)
    for values, low, high in limits:
        keep &= values >= low
        if high:
            keep &= values <= high
    if settings["linker.minFill"] > 0:
        keep &= fill >= settings["linker.minFill"]
    if settings["linker.maxFill"] > 0:
        keep &= fill <= settings["linker.maxFill"]
    if not (settings["linker.keepNegative"] or settings["reliability.enable"]):
        keep &= ~(found["f_sum"] < 0)
    return keep


_SIZES = (("x", "XY"), ("y", "XY"), ("z", "Z"))


def _source(label: int, members: np.ndarray, found: dict[str, np.ndarray], k: int, voxels: Voxels) -> Source:
    nz, ny, nx = voxels.shape
    at = {name: int(found[name][k]) for name in ("x_min", "x_max", "y_min", "y_max", "z_min", "z_max", "n_pix")}
    box = Box(at["z_min"], at["z_max"] + 1, at["y_min"], at["y_max"] + 1, at["x_min"], at["x_max"] + 1)
    flag = Flag(0)
    if box.x0 == 0 or box.y0 == 0 or box.x1 == nx or box.y1 == ny:
        flag |= Flag.SPATIAL_EDGE
    if box.z0 == 0 or box.z1 == nz:
        flag |= Flag.SPECTRAL_EDGE
    flux = {name: float(found[name][k]) for name in ("f_sum", "f_min", "f_max", "mean", "m2", "m3", "m4")}
    n_pix = at["n_pix"]
    return Source(
        label,
        members,
        box,
        n_pix=n_pix,
        linked=n_pix,
        linker_label=label,
        fill=n_pix / box.size,
        flag=int(flag),
        f_sum=flux["f_sum"],
        f_min=flux["f_min"],
        f_max=flux["f_max"],
        mean=flux["mean"],
        m2=flux["m2"],
        m3=flux["m3"],
        m4=flux["m4"],
    )
