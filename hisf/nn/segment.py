"""Scores of a cube, patch by patch on a grid that belongs to the cube and not to how it is cut.

A network's score at a voxel depends on all voxels within its field of view, here 245 channels and 98 pixels. Reading
so much around every tile would cost more than the tile, so the score is *defined* by the patch that a voxel lies in:
patches lie on a fixed grid in cube coordinates, see a margin, and are computed whole. Any tile made of whole patches
then has the same scores to the last bit.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import nn

from hisf.data.box import Box, Shape
from hisf.nn.canonical import Sampling
from hisf.nn.memory import reuse_memory
from hisf.nn.normalise import Normalisation

PATCH = (256, 160, 160)  # averaged voxels that a patch answers for; multiples of the stride of the network
MARGIN = (32, 8, 8)  # averaged voxels that it sees beyond, likewise
STRIDE = (32, 8, 8)  # inputs are padded to multiples of it
VALUES_PER_VOXEL = 16  # in memory at once in the slim network, measured: 28 bytes in bfloat16, 58 in float32


class Segmenter:
    """Scores tiles.

    Parameters
    ----------
    network : Module
        (n, 1, z, y, x) and a region (z, y, x) of it to the logits of the region. Not modified.
    sampling : Sampling
    device : device
    precision : dtype
    """

    def __init__(
        self, network: nn.Module, sampling: Sampling, device: torch.device, precision: torch.dtype = torch.float32
    ) -> None:
        self.sampling = sampling
        self._device, self._precision = device, precision
        self._network = copy.deepcopy(network).eval().to(device, precision, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    @property
    def grid(self) -> Shape:
        """Voxels (z, y, x) of the cube from patch to patch."""
        return tuple(p * f for p, f in zip(PATCH, self.sampling.factors, strict=True))  # type: ignore[return-value]

    @property
    def halo(self) -> Shape:
        """Voxels (z, y, x) of the cube that a patch sees beyond its own."""
        return tuple(m * f for m, f in zip(MARGIN, self.sampling.factors, strict=True))  # type: ignore[return-value]

    @property
    def memory(self) -> int:
        """Bytes that a patch takes at its largest, all layers of the network together."""
        voxels = math.prod(p + 2 * m for p, m in zip(PATCH, MARGIN, strict=True))
        return voxels * self._precision.itemsize * VALUES_PER_VOXEL

    def scores(
        self, core: Box, box: Box, data: np.ndarray, normalisation: Normalisation, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the scores of a tile.

        Parameters
        ----------
        core : Box
            Made of whole patches (cut by the edge of the cube).
        box : Box
            The core and the halo, cut by the edge of the cube.
        data : ndarray, shape ``box.shape`` (z, y, x)
            NaN where blank.
        normalisation : Normalisation
            Of the averaged cube.
        out : ndarray of float32, shape ``core.shape``, optional
            Zeros, which become the scores.

        Returns
        -------
        ndarray of float32, shape ``core.shape``
            0 to 1; 0 where blank.
        """
        scores = np.zeros(core.shape, np.float32) if out is None else out
        whole = self.sampling.coarse(core)
        for z0 in range(whole.z0 - whole.z0 % PATCH[0], whole.z1, PATCH[0]):
            for y0 in range(whole.y0 - whole.y0 % PATCH[1], whole.y1, PATCH[1]):
                for x0 in range(whole.x0 - whole.x0 % PATCH[2], whole.x1, PATCH[2]):
                    patch = Box(z0, z0 + PATCH[0], y0, y0 + PATCH[1], x0, x0 + PATCH[2])
                    patch = patch.grow((0, 0, 0), self.sampling.coarse_shape)
                    mine = self.sampling.fine(patch)
                    found = self._patch(patch, box, data, normalisation)
                    if found is not None:
                        part = self.sampling.spread(found, mine.shape)
                        scores[mine.inside(core).slices] = part
        blank = np.isnan(data[core.inside(box).slices])
        if blank.any():
            scores[blank] = 0.0
        return scores

    def _patch(self, patch: Box, box: Box, data: np.ndarray, normalisation: Normalisation) -> np.ndarray | None:
        """Return the scores of a patch of averaged voxels; None where all it sees is blank."""
        seen = patch.grow(MARGIN, self.sampling.coarse_shape)
        tensor = self._input(seen, data[self.sampling.fine(seen).inside(box).slices], normalisation)
        if tensor is None:
            return None
        with torch.inference_mode(), reuse_memory():
            return torch.sigmoid(self._network(tensor, patch.inside(seen).slices)[0, 0].float()).cpu().numpy()

    def _input(self, seen: Box, data: np.ndarray, normalisation: Normalisation) -> torch.Tensor | None:
        """Return what the network sees of a box of averaged voxels; None where it is all blank."""
        values = normalisation.apply(self.sampling.average(data), seen)
        if not values.any():
            return None
        tensor = torch.from_numpy(values)[None, None].to(self._precision)
        beyond = [-n % s for n, s in zip(values.shape, STRIDE, strict=True)]
        if any(beyond):
            tensor = nn.functional.pad(tensor, (0, beyond[2], 0, beyond[1], 0, beyond[0]))
        return tensor.to(self._device).contiguous(memory_format=torch.channels_last_3d)
