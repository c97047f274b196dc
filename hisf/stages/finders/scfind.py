"""The smooth-and-clip finder, S+C (spec sofia2 §3.6; Serra et al. 2015, §2.2)."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np

from hisf.data.box import Box, Tile
from hisf.data.cube import Cube
from hisf.data.mask_store import raster
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import IndexRangeError, InputError
from hisf.execution.statistics import cube_noise
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.finders.contract import Advance, Finder
from hisf.stages.precondition.noise_model import measure_noise

log = logging.getLogger(__name__)


class SmoothAndClip(Finder):
    """Smooth with every combination of spatial and spectral kernels and clip each result at its own noise.

    Voxels found with one kernel are set to a low level of their sign before the next kernel smooths, so the order of
    the kernels matters and the noise of each is a property of the whole cube. The search therefore happens in `look`,
    kernel by kernel, streamed in slabs from the last channel down, which is the direction of SoFiA's running sums:
    the result has the same bits however the cube is cut. `find` hands out the tiles of the mask.

    Raises
    ------
    IndexRangeError
        There are no kernels.
    InputError
        A kernel does not fit into the cube.
    """

    name = "scfind"
    portable = reads_tiles = False
    mask: np.ndarray

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self._check_kernels()

    def kernels(self) -> list[tuple[float, int]]:
        """Return the (spatial FWHM, spectral width) pairs in the order in which they are applied."""
        spatial, spectral = self.settings["scfind.kernelsXY"], self.settings["scfind.kernelsZ"]
        return [(xy, z) for xy in sorted(spatial) for z in sorted(spectral)]

    def arrays(self) -> tuple[int, ...]:
        """Return the bytes of the mask and of the smoothed cube."""
        voxels = int(np.prod(self.cube.shape))
        smooths = any(fwhm or width for fwhm, width in self.kernels())
        return (voxels, voxels * self.cube.dtype.itemsize) if smooths else (voxels,)

    def passes(self) -> int:
        """Return the noise measurement and one pass per kernel."""
        return 1 + len(self.kernels())

    def look(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Search the cube.

        Raises
        ------
        InputError
            The noise is 0 or cannot be measured.
        """
        s = self.settings
        noise = cube_noise(voxels, workspace, s["scfind.statistic"], s["scfind.fluxRange"], advance)
        self.mask = workspace.allocate(voxels.shape, np.dtype(np.bool_))
        smoothed: np.ndarray | None = None
        for fwhm, width in self.kernels():
            if (fwhm or width) and smoothed is None:
                smoothed = workspace.allocate(voxels.shape, voxels.dtype)
            search = partial(self._search, voxels, smoothed, fwhm, width, noise, workspace)
            self._mark(workspace.remember(f"{self.name} kernel {fwhm:g} × {width}", search), voxels, workspace)
            advance(int(np.prod(voxels.shape)))

    def find(self, tile: Tile) -> np.ndarray:
        """Return the mask of the tile."""
        return self.mask[tile.box.slices]

    def _search(
        self, voxels: Voxels, smoothed: np.ndarray | None, fwhm: float, width: int, noise: float, workspace: Workspace
    ) -> np.ndarray:
        """Search with one kernel, add to the mask and return the raster indices of all of it, ascending."""
        s = self.settings
        copy, level = voxels, noise
        if smoothed is not None and (fwhm or width):
            self._smooth(voxels, smoothed, fwhm, width, noise, workspace)
            copy = ArrayVoxels(smoothed)
            if s["scaleNoise.enable"] and s["scaleNoise.scfind"]:
                copy = workspace.transform(copy, measure_noise(copy, s, workspace).divide)
            level = cube_noise(copy, workspace, s["scfind.statistic"], s["scfind.fluxRange"])
        return self._clip(copy, level, workspace, f"kernel {fwhm:g} × {width}")

    def _mark(self, found: np.ndarray, voxels: Voxels, workspace: Workspace) -> None:
        """Set the mask to voxels that a run before this one found."""
        plane = voxels.shape[1] * voxels.shape[2]
        for box in workspace.slabs(voxels):
            low, high = np.searchsorted(found, (box.z0 * plane, box.z1 * plane))
            self.mask[box.slices].reshape(-1)[found[low:high] - box.z0 * plane] = True

    def _check_kernels(self) -> None:
        nz, ny, nx = self.cube.shape
        for key, sizes, limit, axes in (
            ("scfind.kernelsXY", self.settings["scfind.kernelsXY"], min(nx, ny), f"{nx} × {ny} pixels"),
            ("scfind.kernelsZ", self.settings["scfind.kernelsZ"], nz, f"{nz} channels"),
        ):
            if not len(sizes):
                raise IndexRangeError(f"{key} is empty; give at least one kernel, 0 for no smoothing.")
            wrong = [size for size in sizes if not 0 <= size < limit]
            if wrong:
                raise InputError(
                    f"{key} = {self.settings.text(key)}: kernel {wrong[0]:g} does not fit, {self.cube.name} has {axes} "
                    f"and a kernel must be at least 0 and smaller than {limit}."
                )
            if key.endswith("XY") and any(0 < size < 3 for size in sizes):
                log.warning("%s: a kernel below 3 pixels smooths nothing (1, 2) or like 3 pixels.", key)

    def _smooth(
        self, voxels: Voxels, out: np.ndarray, fwhm: float, width: int, noise: float, workspace: Workspace
    ) -> None:
        """Fill ``out`` with the cube smoothed by one kernel, found voxels replaced, blanks restored."""
        from hisf.kernels.clip import blank_like, copy_replaced
        from hisf.kernels.smooth import smooth_planes, smooth_spectra

        depth, ny, nx = voxels.shape
        half = width // 2
        level = self.settings["scfind.replacement"] * noise
        above: np.ndarray | None = None
        bottom = depth  # channels from here on have been smoothed spatially
        planes = np.empty((0, ny, nx), voxels.dtype)
        for box in workspace.slabs(voxels):
            reach = max(0, box.z0 - half)
            fresh = Box(reach, bottom, 0, ny, 0, nx)
            whole = box.shape == voxels.shape  # a cube in memory: one slab, smoothed in place
            target = out if whole else np.empty(fresh.shape, voxels.dtype)
            source = voxels.read(fresh)
            if level >= 0:
                copy_replaced(source, self.mask[fresh.slices], level, target)
            else:
                target[...] = source
            if fwhm and target.size:
                smooth_planes(target, fwhm, out=target)
            keep = planes[: max(0, min(depth, box.z1 + half + 1) - bottom)]
            planes = target if whole else np.concatenate([target, keep])
            bottom = reach
            result = out[box.slices]
            if half:
                smooth_spectra(planes, half, box.z0, box.z1, reach, depth, above, result)
                above = result[0].copy()
            elif not whole:
                result[...] = planes[box.z0 - reach : box.z1 - reach]
            blank_like(result, source if whole else voxels.read(box))

    def _clip(self, voxels: Voxels, noise: float, workspace: Workspace, kernel: str) -> np.ndarray:
        """Add the voxels above the threshold to the mask; return the raster indices of the mask, ascending."""
        from hisf.kernels.clip import clip

        threshold = self.settings["scfind.threshold"] * noise
        if not threshold > 0:
            raise InputError(
                f"scfind.threshold: the noise of {self.cube.name} is {noise:g} ({kernel}), so that no threshold can be "
                "set; the cube may be blank or constant."
            )
        found = [np.empty(0, np.int64)]
        for box in workspace.slabs(voxels):
            mask = self.mask[box.slices]
            clip(voxels.read(box), threshold, mask)
            found.append(raster(box, mask, voxels.shape))
        log.info("S+C %s: rms %g", kernel, noise)
        return np.concatenate(found[::-1])
