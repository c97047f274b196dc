"""Where the galaxies of a catalogued cube are, box by box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hisf.data.box import Box, Shape
from hisf.nn.target import Drawing, Galaxy, extent, target_mask, wedge


class Scene:
    """Where the galaxies of a cube are.

    Parameters
    ----------
    galaxies : sequence of Galaxy
        To be found.
    shape : tuple of int
        Of the cube (z, y, x).
    draw : callable
        One of `hisf.nn.target.DRAWINGS`.
    ignored : sequence of Galaxy
        Too faint to be found, but not to be learnt as background either (§4, design lesson).
    """

    def __init__(
        self, galaxies: Sequence[Galaxy], shape: Shape, draw: Drawing = wedge, ignored: Sequence[Galaxy] = ()
    ) -> None:
        self.galaxies, self.ignored = list(galaxies), list(ignored)
        self.shape, self.draw = shape, draw
        self._extents = [_ends(group) for group in (self.galaxies, self.ignored)]

    def target(self, box: Box) -> np.ndarray:
        """Return the mask of the galaxies in a box of the cube, bool, shape ``box.shape`` (z, y, x)."""
        return self._mask(self.galaxies, self._extents[0], box)

    def doubtful(self, box: Box) -> np.ndarray:
        """Return the mask of the ignored galaxies without that of the others, likewise."""
        return self._mask(self.ignored, self._extents[1], box) & ~self.target(box)

    def is_free(self, box: Box) -> bool:
        """Return whether a box holds no voxel of any galaxy, ignored ones included."""
        return not any(
            self._mask(group, ends, box).any()
            for group, ends in zip((self.galaxies, self.ignored), self._extents, strict=True)
        )

    def own_mask(self, galaxy: int) -> tuple[Box, np.ndarray] | None:
        """Return the mask of one galaxy, clipped to the cube, and its box; None where no voxel is in the cube."""
        box, mask = self.draw(self.galaxies[galaxy])
        clipped = box.grow((0, 0, 0), self.shape)
        if not clipped.size:
            return None
        mask = mask[clipped.inside(box).slices]
        return (clipped, mask) if mask.any() else None

    def _mask(self, galaxies: Sequence[Galaxy], ends: np.ndarray, box: Box) -> np.ndarray:
        low, high = np.array([box.z0, box.y0, box.x0]), np.array([box.z1, box.y1, box.x1])
        near = np.flatnonzero(((ends[:, :, 0] < high) & (low < ends[:, :, 1])).all(1))
        return target_mask([galaxies[int(n)] for n in near], self.shape, box, self.draw)


def _ends(galaxies: Sequence[Galaxy]) -> np.ndarray:
    """Return the extents of galaxies, shape (n, 3, 2): axes (z, y, x), first and last + 1."""
    boxes = [extent(galaxy) for galaxy in galaxies]
    return np.array([(b.z0, b.z1, b.y0, b.y1, b.x0, b.x1) for b in boxes], np.int64).reshape(-1, 3, 2)
