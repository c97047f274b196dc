"""The smooth-and-clip finder, S+C (spec sofia2 §3.6; Serra et al. 2015, §2.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from hisf.data.box import Box, Tile, slabs
from hisf.data.cube import Cube
from hisf.data.voxels import ArrayVoxels, Voxels
from hisf.errors import IndexRangeError, InputError
from hisf.execution.statistics import Sampler, cube_noise
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.finders.contract import Advance, Finder
from hisf.stages.finders.smoothing import BLOCK, Buffers, buffer_bytes, smoothed_slabs
from hisf.stages.precondition.noise_model import measure_noise

log = logging.getLogger(__name__)

# a cube, slab by slab from the last channel down, and where it is above what the function returns, if that is known
Passing = Callable[[Callable[[], float]], Iterator[tuple[Box, np.ndarray, np.ndarray | None]]]
PRUDENCE = 0.9  # what the first slabs promise of the noise of the cube is believed to this degree


class SmoothAndClip(Finder):
    """Smooth with every combination of spatial and spectral kernels and clip each result at its own noise.

    Voxels found with one kernel are set to a low level of their sign before the next kernel smooths, so the order of
    the kernels matters, and the noise of each is that of the whole smoothed cube. The search therefore happens in
    `look`, kernel by kernel, streamed from the last channel down, which is the direction of SoFiA's running sums: the
    result has the same bits however the cube is cut. `find` hands out the tiles of the mask.

    A smoothed cube is never kept. Its noise is known when it has passed; until then whatever may lie above the
    threshold is noted, by the noise that its first slabs promise. Where they promised too much, it passes once more.

    Raises
    ------
    IndexRangeError
        There are no kernels.
    InputError
        A kernel does not fit into the cube.
    """

    name = "scfind"
    portable = reads_tiles = False

    def __init__(self, settings: Settings, cube: Cube) -> None:
        super().__init__(settings, cube)
        self._check_kernels()
        self._shape = cube.shape
        self.found = np.empty(0, np.int64)  # raster indices, ascending

    def kernels(self) -> list[tuple[float, int]]:
        """Return the (spatial FWHM, spectral width) pairs in the order in which they are applied."""
        spatial, spectral = self.settings["scfind.kernelsXY"], self.settings["scfind.kernelsZ"]
        return [(xy, z) for xy in sorted(spatial) for z in sorted(spectral)]

    def memory(self) -> int:
        """Return the bytes of the channels that are smoothed together."""
        return buffer_bytes(self.cube.shape, self.cube.dtype.itemsize, max(width for _, width in self.kernels()))

    def arrays(self) -> tuple[int, ...]:
        """Return the bytes of the smoothed cube, which is kept only where its noise is to be scaled."""
        return (int(np.prod(self.cube.shape)) * self.cube.dtype.itemsize,) if self._scales else ()

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
        smoothed = workspace.allocate(voxels.shape, voxels.dtype) if self._scales else None
        buffers = Buffers(voxels.shape, voxels.dtype, max(width for _, width in self.kernels()))
        for fwhm, width in self.kernels():
            search = partial(self._search, voxels, buffers, smoothed, fwhm, width, noise, workspace)
            self.found = workspace.remember(f"{self.name} kernel {fwhm:g} × {width}", search)
            advance(int(np.prod(voxels.shape)))

    def find(self, tile: Tile) -> np.ndarray:
        """Return the mask of the tile."""
        box, (_, ny, nx) = tile.box, self._shape
        low, high = np.searchsorted(self.found, (box.z0 * ny * nx, box.z1 * ny * nx))
        rest, x = np.divmod(self.found[low:high], nx)
        z, y = np.divmod(rest, ny)
        inside = (y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1)
        mask = np.zeros(box.shape, np.bool_)
        mask[z[inside] - box.z0, y[inside] - box.y0, x[inside] - box.x0] = True
        return mask

    @property
    def _scales(self) -> bool:
        """Whether the noise of smoothed cubes is scaled before they are clipped."""
        s = self.settings
        smooths = any(fwhm or width for fwhm, width in self.kernels())
        return s["scaleNoise.enable"] and s["scaleNoise.scfind"] and smooths

    def _search(
        self,
        voxels: Voxels,
        buffers: Buffers,
        smoothed: np.ndarray | None,
        fwhm: float,
        width: int,
        noise: float,
        workspace: Workspace,
    ) -> np.ndarray:
        """Search with one kernel and return the raster indices of all that was found until now, ascending."""
        from hisf.kernels.clip import union

        kernel = f"kernel {fwhm:g} × {width}"
        if not (fwhm or width):
            threshold = self._threshold(noise, kernel)
            found = _joined(_above(*slab, threshold)[0] for slab in _slabs(voxels, workspace, lambda: threshold))
            return union(self.found, found)
        passing: Passing = partial(
            smoothed_slabs, voxels, buffers, self.found, fwhm, width, self.settings["scfind.replacement"] * noise
        )
        if smoothed is not None:
            for box, values, _ in passing(lambda: np.inf):
                smoothed[box.slices] = values
                workspace.release()
            scaled: Voxels = ArrayVoxels(smoothed)
            scaled = workspace.transform(scaled, measure_noise(scaled, self.settings, workspace).divide)
            passing = partial(_slabs, scaled, workspace)
        return union(self.found, self._clip(passing, voxels, noise, kernel))

    def _clip(self, passing: Passing, voxels: Voxels, noise: float, kernel: str) -> np.ndarray:
        """Return the raster indices of what lies above the threshold of a smoothed cube, ascending."""
        s = self.settings
        smooth, plain = (Sampler(voxels.shape, s["scfind.statistic"], s["scfind.fluxRange"]) for _ in range(2))
        limit = 0.0
        noted: list[tuple[np.ndarray, np.ndarray]] = []

        def promise() -> float:
            return limit

        for box, values, flags in passing(promise):
            smooth.take(values, box)
            known = limit > 0
            if not known and not np.isnan(values).all():
                plain.take(voxels.read(box), box)
                promised = noise * smooth.noise() / (plain.noise() or np.nan)
                limit = PRUDENCE * s["scfind.threshold"] * promised if promised > 0 else np.inf
            if limit:
                noted.append(_above(box, values, flags if known else None, limit))
        threshold = self._threshold(smooth.noise(), kernel)
        if threshold < limit:
            log.debug("S+C %s: the first slabs promised too much noise, the cube passes again", kernel)
            noted = [_above(*slab, threshold) for slab in passing(lambda: threshold)]
        return _joined(index[np.abs(value.astype(np.float64)) > threshold] for index, value in noted)

    def _threshold(self, noise: float, kernel: str) -> float:
        """Return the threshold for a noise, which is logged.

        Raises
        ------
        InputError
            It is not positive.
        """
        threshold = float(self.settings["scfind.threshold"] * noise)
        if not threshold > 0:
            raise InputError(
                f"scfind.threshold: the noise of {self.cube.name} is {noise:g} ({kernel}), so that no threshold can be "
                "set; the cube may be blank or constant."
            )
        log.info("S+C %s: rms %g", kernel, noise)
        return threshold

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


def _slabs(
    voxels: Voxels, workspace: Workspace, limit: Callable[[], float]
) -> Iterator[tuple[Box, np.ndarray, np.ndarray | None]]:
    """Yield a cube slab by slab."""
    for slab in workspace.slabs(voxels):
        depth = max(1, BLOCK // (slab.size // slab.shape[0] * voxels.dtype.itemsize))
        for box in slabs(slab.shape, depth):
            box = box.shift(slab.z0, 0, 0)
            yield box, np.ascontiguousarray(voxels.read(box)), None


def _above(box: Box, values: np.ndarray, flags: np.ndarray | None, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the raster indices, and the values, of what lies above a threshold in a slab of whole channels."""
    from hisf.kernels.clip import above

    index, value = above(values, threshold, flags)
    return index + box.z0 * values.shape[1] * values.shape[2], value


def _joined(indices: Iterable[np.ndarray]) -> np.ndarray:
    """Return the indices of slabs that came from the last channel down as one ascending list."""
    return np.concatenate([np.empty(0, np.int64), *[*indices][::-1]])
