"""Training of the segmentation network: cross-entropy and soft Dice (spec forska §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from hisf.nn.losses import dice_bce
from hisf.nn.normalise import LIMIT
from hisf.train.crops import Batch
from hisf.train.loop import Losses

ENTROPY_WEIGHT = 5.0  # against Dice: few voxels are galaxies, so their mean cross-entropy is small
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def tensors(batch: Batch) -> Tensors:
    """Return data, target and valid voxels as the network takes them."""
    data = torch.from_numpy(np.clip(batch.data, -LIMIT, LIMIT)).contiguous(memory_format=torch.channels_last_3d)
    return data, torch.from_numpy(batch.target), torch.from_numpy(batch.valid)


def segmentation_loss(
    precision: torch.dtype, device: torch.device, architecture: str = "slim"
) -> Callable[[nn.Module, Tensors], Losses]:
    """Return the loss of a batch as a function of network and batch; equal weights for the networks of the paper."""
    entropy_weight = ENTROPY_WEIGHT if architecture == "slim" else 1.0

    def loss(network: nn.Module, batch: Tensors) -> Losses:
        data, target, valid = (t.to(device) for t in batch)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = network(data)
        logits = logits.float()
        return {
            "cross-entropy": dice_bce(logits, target, valid, entropy_weight, 0.0),
            "dice": dice_bce(logits, target, valid, 0.0, 1.0),
        }

    return loss


def voxel_precision(network: nn.Module, batches: Sequence[Tensors], precision: torch.dtype) -> float:
    """Return the average precision over voxels: the area under precision against recall; 0 without a galaxy."""
    device = next(network.parameters()).device
    scores, truths = [], []
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
        for data, target, valid in batches:
            logits = network(data.to(device)).float().cpu()
            scores.append(logits[valid > 0])
            truths.append(target[valid > 0])
    order = torch.argsort(torch.cat(scores), descending=True)
    hits = torch.cat(truths)[order].double()
    precise = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precise * hits).sum() / hits.sum().clamp_min(1.0))
