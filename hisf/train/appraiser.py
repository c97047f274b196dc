"""Training of the appraising network on the segmenter's detections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import nn

from hisf.nn.appraiser import OFFSETS, UNITS
from hisf.nn.cutouts import CUT
from hisf.train.candidates import Candidates
from hisf.train.loop import Losses

DETECTIONS = 48  # in a batch
WEIGHTS = (0.1, 0.1, 0.1, 0.3, 0.2, 0.3, 0.2)  # of the values in the loss
ANGLE_WEIGHT = 0.4


@dataclass(frozen=True)
class Tensors:
    """A batch as the network takes it, and the truth."""

    data: torch.Tensor
    numbers: torch.Tensor
    real: torch.Tensor
    values: torch.Tensor
    receding: torch.Tensor


def joined(parts: list[Candidates]) -> Candidates:
    """Return the detections of several fields as one."""
    full = [part for part in parts if len(part.real)]
    return Candidates(*(np.concatenate([getattr(part, f.name) for part in full]) for f in fields(Candidates)))


def batch_of(candidates: Candidates, chosen: np.ndarray, rng: np.random.Generator | None) -> Tensors:
    """Return detections as tensors, each turned and mirrored at random unless ``rng`` is None."""
    n = len(chosen)
    data = np.empty((n, 2, *CUT), np.float32)
    values, receding = candidates.values[chosen].copy(), candidates.receding[chosen].copy()
    for k, number in enumerate(chosen):
        cut, weight = candidates.data[number].astype(np.float32), candidates.weight[number].astype(np.float32)
        if rng is not None:
            cut, weight = _turn(rng, cut, weight, values[k], receding[k])
        data[k, 0], data[k, 1] = cut, weight[:, None, None]
    return Tensors(
        torch.from_numpy(data).contiguous(memory_format=torch.channels_last_3d),
        torch.from_numpy(candidates.numbers[chosen]),
        torch.from_numpy(candidates.real[chosen]),
        (torch.from_numpy(values) - torch.tensor(OFFSETS)) / torch.tensor(UNITS),
        torch.from_numpy(receding),
    )


def _turn(
    rng: np.random.Generator, cut: np.ndarray, weight: np.ndarray, values: np.ndarray, receding: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn a cut-out, and its place (z, y, x from the middle) and receding side (x, y) in place."""
    for _ in range(int(rng.integers(4))):
        cut = np.rot90(cut, 1, (1, 2))
        values[1], values[2] = -values[2], values[1]
        receding[0], receding[1] = receding[1], -receding[0]
    if rng.random() < 0.5:
        cut, values[2], receding[0] = cut[:, :, ::-1], -values[2], -receding[0]
    if rng.random() < 0.5:
        cut, weight, values[0] = cut[::-1], weight[::-1], -values[0]
        receding *= -1.0
    return cut, weight


def appraisal_loss(precision: torch.dtype, device: torch.device) -> Callable[[nn.Module, Tensors], Losses]:
    """Return the loss of a batch: cross-entropy, and likelihoods of the values where a galaxy is."""

    def loss(network: nn.Module, batch: Tensors) -> Losses:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logit, median, scale, vector = network(batch.data.to(device), batch.numbers.to(device))
        real, values, receding = batch.real.to(device), batch.values.to(device), batch.receding.to(device)
        count = real.sum().clamp_min(1.0)
        weights = torch.tensor(WEIGHTS, device=device)
        laplace = (values - median).abs() * torch.exp(-scale) + scale
        length = torch.sqrt(vector.square().sum(1) + 1e-12)
        # ln of the normalisation of the von Mises distribution: ln I0(k) = ln(e^-k I0(k)) + k
        mises = torch.log(torch.special.i0e(length)) + length - (vector * receding).sum(1)
        return {
            "cross-entropy": nn.functional.binary_cross_entropy_with_logits(logit, real),
            "values": (laplace * weights).sum(1).mul(real).sum() / count,
            "angle": ANGLE_WEIGHT * mises.mul(real).sum() / count,
        }

    return loss
