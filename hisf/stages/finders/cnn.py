"""The network finder (Håkansson et al. 2023; spec forska), with hisf's own network by default."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hisf.data.box import Shape, Tile
from hisf.data.cube import Cube
from hisf.data.voxels import Voxels
from hisf.errors import InputError
from hisf.execution.workspace import Workspace
from hisf.settings import Settings
from hisf.stages.finders.contract import Advance, Finder

if TYPE_CHECKING:
    from hisf.nn.normalise import Normalisation

log = logging.getLogger(__name__)


class Network(Finder):
    """Score every voxel with a 3-D segmentation network and detect those above ``cnn.threshold``.

    Where sources are to be judged by the reliability, the cube with its sign turned is searched too, so that there are
    negative detections to learn from; the pipeline switches it off where the network's confidence judges.

    Raises
    ------
    FileAccessError, InputError
        The weights cannot be read, or are those of another network.
    """

    name = "cnn"
    score_parameter = "cnn.threshold"
    normalisation: Normalisation

    def __init__(self, settings: Settings, cube: Cube) -> None:
        from hisf.nn.architectures import load_segmenter
        from hisf.nn.canonical import sampling_of
        from hisf.nn.machine import prepare
        from hisf.nn.segment import Segmenter
        from hisf.nn.weights import read_weights

        super().__init__(settings, cube)
        path = settings["cnn.weights"]
        weights = read_weights(Path(path) if path else None)
        wanted = settings["cnn.architecture"]
        if weights.about["architecture"] != wanted:
            raise InputError(
                f"cnn.architecture = {wanted} ({settings.origin('cnn.architecture')}), but {weights.path.name} holds "
                f"{weights.about['architecture']}; train {wanted} with `hisf train` and name its file in cnn.weights."
            )
        device, precision = prepare(settings)
        self.sampling = sampling_of(cube)
        self._segmenter = Segmenter(load_segmenter(weights), self.sampling, device, precision)
        self._both = settings["reliability.enable"]
        log.info(
            "cnn: %s on %s in %s, sampling × 1/%d × 1/%d × 1/%d (z, y, x)",
            wanted, device, str(precision).removeprefix("torch."), *self.sampling.factors,
        )  # fmt: skip

    def grid(self) -> Shape:
        """Return the size of the patches that scores are defined on."""
        return self._segmenter.grid

    def halo(self) -> Shape:
        """Return the margin that a patch sees."""
        return self._segmenter.halo

    def memory(self) -> int:
        """Return the bytes of the layers of the network for one patch."""
        return self._segmenter.memory

    def passes(self) -> int:
        """Return the measurement of the noise."""
        return 1

    def look(self, voxels: Voxels, workspace: Workspace, advance: Advance) -> None:
        """Measure the noise of every channel.

        Raises
        ------
        InputError
            No channel has noise.
        """
        from hisf.nn.architectures import NORMALISATIONS
        from hisf.nn.canonical import AveragedVoxels
        from hisf.nn.normalise import measure_normalisation

        kind, factor = NORMALISATIONS[self.settings["cnn.architecture"]], int(np.prod(self.sampling.factors))
        averaged = AveragedVoxels(voxels, self.sampling)
        self.normalisation = measure_normalisation(kind, averaged, lambda n: advance(n * factor))
        if self.normalisation.flagged.all():
            raise InputError(f"The network cannot measure the noise of {self.cube.name}; is it blank or constant?")

    def scores(self, tile: Tile, out: np.ndarray | None = None) -> np.ndarray:
        """Return the scores of the core of a tile, 0 to 1: float32, its shape; in ``out``, zeros, if it is there."""
        return self._segmenter.scores(tile.core, tile.box, tile.data, self.normalisation, out)

    def find(self, tile: Tile) -> np.ndarray:
        """Return the scores of the core, the larger of the two where both signs are searched; 0 in the halo."""
        scores = np.zeros(tile.data.shape, np.float32)
        self.scores(tile, scores[tile.inner])
        if self._both:
            turned = Tile(tile.core, tile.box, -tile.data)
            scores[tile.inner] = np.fmax(scores[tile.inner], self.scores(turned))
        return scores
