"""The appraising network at work: cut-outs to values, uncertainties and a calibrated confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hisf.nn.appraiser import OFFSETS, UNITS, VALUES, Appraiser
from hisf.nn.slim import fused
from hisf.nn.weights import Weights

# half of the interval that holds 68.3 % of a Laplace distribution, in its scale
ONE_SIGMA = -math.log(1.0 - 0.682689492)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the network says of n cut-outs.

    Attributes
    ----------
    logit : ndarray, shape (n,)
        Not calibrated.
    values, errors : dict of str to ndarray, shape (n,)
        By `VALUES`: medians and 1-sigma uncertainties, in voxels of the cut-out, deg, and logarithms.
    receding : ndarray, shape (n, 2)
        Unit vectors (x, y) to the receding side.
    off_receding : ndarray, shape (n,)
        Circular standard deviation, rad.
    """

    logit: np.ndarray
    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    receding: np.ndarray
    off_receding: np.ndarray


class Judge:
    """Runs the appraising network of a weights file.

    Raises
    ------
    InputError
        The file does not hold the network.
    """

    def __init__(self, weights: Weights, device: torch.device, precision: torch.dtype) -> None:
        network = fused(weights.into(Appraiser(), "appraiser"))
        self._network = network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self._device, self._precision = device, precision
        self._calibration: Mapping[str, Any] = weights.about.get("calibration", {})
        self._stretch: Mapping[str, float] = weights.about.get("stretch", {})

    def look(self, data: Sequence[np.ndarray], numbers: Sequence[np.ndarray]) -> Judgement:
        """Return what the network says of cut-outs, each (2, z, y, x), and their numbers."""
        if not len(data):
            empty = np.empty(0)
            none = dict.fromkeys(VALUES, empty)
            return Judgement(empty, none, none, np.empty((0, 2)), empty)
        stack = torch.from_numpy(np.stack(data)).to(self._device).contiguous(memory_format=torch.channels_last_3d)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._precision, enabled=self._precision != torch.float32),
        ):
            logit, median, scale, vector = self._network(stack, torch.from_numpy(np.stack(numbers)).to(self._device))
        median = (median.double().cpu() * torch.tensor(UNITS) + torch.tensor(OFFSETS)).numpy()
        spread = ONE_SIGMA * (torch.exp(scale.double().cpu()) * torch.tensor(UNITS)).numpy()
        vector = vector.double().cpu()
        length = vector.norm(dim=1)
        concentration = length / self._stretch.get("angle", 1.0) ** 2
        mean = torch.special.i1e(concentration) / torch.special.i0e(concentration)
        off = torch.sqrt(-2.0 * torch.log(mean.clamp(1e-6, 1.0)))
        return Judgement(
            logit.double().cpu().numpy(),
            {name: median[:, k] for k, name in enumerate(VALUES)},
            {name: spread[:, k] * self._stretch.get(name, 1.0) for k, name in enumerate(VALUES)},
            (vector / length.clamp_min(1e-9)[:, None]).numpy(),
            off.numpy(),
        )

    def confidence(self, logit: float, found_by: Sequence[str], finders: Sequence[str]) -> float:
        """Return the probability that a source is a galaxy.

        Parameters
        ----------
        logit : float
        found_by : sequence of str
            The finders that detected it.
        finders : sequence of str
            Those that ran.
        """
        c = self._calibration
        x = float(np.interp(logit, *np.transpose(c["curve"]))) if "curve" in c else logit
        others = [name for name in finders if name != "cnn"]
        if "cnn" in finders and others:  # agreement is evidence, disagreement too
            agreed = "cnn" in found_by and any(name in found_by for name in others)
            x += c.get("agreed" if agreed else "alone" if "cnn" in found_by else "missed", 0.0)
        return 1.0 / (1.0 + math.exp(-min(max(x, -60.0), 60.0)))
