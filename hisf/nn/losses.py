"""The loss of FORSKA-Sweden: cross-entropy and soft Dice (spec forska §6; Håkansson et al. 2023, Eq. 4).

Eq. 4 as printed lacks the minus sign of the cross-entropy and the 2 of the Dice coefficient; both are here (§16).
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

SMALLEST = 1e-7  # of the denominator of the Dice coefficient, as in the authors' code


def dice_bce(
    logits: torch.Tensor,
    target: torch.Tensor,
    valid: torch.Tensor | None = None,
    bce_weight: float = 1.0,
    dice_weight: float = 1.0,
) -> torch.Tensor:
    """Return ``bce_weight · BCE + dice_weight · (1 − D)`` of a batch taken as one set of voxels.

    ``BCE`` is the mean of −[y log ŷ + (1 − y) log(1 − ŷ)] and ``D = 2 Σ ŷ y / (Σ ŷ + Σ y)``, ŷ the sigmoid of the
    logits. Without a positive voxel the Dice term is 0, and so is everything without a valid one.

    Parameters
    ----------
    logits : Tensor, shape (n, 1, z, y, x) or any other
        Any floating-point type; sums are made in float32 at least. May be NaN where not valid.
    target : Tensor, of the same shape
        1 in galaxies, 0 elsewhere.
    valid : Tensor, of the same shape, optional
        0 (or False) where a voxel is ignored: it enters neither term, nor any gradient.
    bce_weight, dice_weight : float

    Returns
    -------
    Tensor, no dimensions

    Raises
    ------
    ValueError
        The shapes differ.
    """
    for name, other in (("target", target), ("valid", valid)):
        if other is not None and other.shape != logits.shape:
            raise ValueError(f"{name} has the shape {tuple(other.shape)}, the logits {tuple(logits.shape)}.")
    kind = torch.promote_types(logits.dtype, torch.float32)
    logits, target = logits.to(kind), target.to(kind)
    if valid is None:
        number = torch.tensor(float(logits.numel()), dtype=kind, device=logits.device)
        probability = torch.sigmoid(logits)
        entropy = binary_cross_entropy_with_logits(logits, target, reduction="sum")
    else:
        keep = valid > 0
        number = keep.sum().to(kind)
        # NaN · 0 is NaN: ignored logits are replaced before, and what they contribute is left out after
        logits = torch.where(keep, logits, torch.zeros_like(logits))
        target = torch.where(keep, target, torch.zeros_like(target))
        probability = torch.sigmoid(logits) * keep
        entropy = (binary_cross_entropy_with_logits(logits, target, reduction="none") * keep).sum()
    bce = entropy / number.clamp(min=1.0)
    positive = target.sum()
    dice = 2.0 * (probability * target).sum() / (probability.sum() + positive).clamp(min=SMALLEST)
    return bce_weight * bce + dice_weight * torch.where(positive > 0, 1.0 - dice, torch.zeros_like(dice))
