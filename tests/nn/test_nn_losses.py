"""Cross-entropy and soft Dice: numbers by hand, ignored voxels, gradients."""

import math

import pytest
import torch

from hisf.nn.losses import dice_bce


def logit(p):
    return math.log(p / (1 - p))


def batch(*values):
    return torch.tensor(values, dtype=torch.float64).reshape(len(values), 1, 1, 1, 1)


def test_by_hand():
    # ŷ = 0.8, 0.4, 0.1 for y = 1, 1, 0
    x, y = batch(logit(0.8), logit(0.4), logit(0.1)), batch(1, 1, 0)
    bce = -(math.log(0.8) + math.log(0.4) + math.log(0.9)) / 3
    dice = 2 * (0.8 + 0.4) / (1.3 + 2)
    assert dice_bce(x, y).item() == pytest.approx(bce + 1 - dice, rel=1e-12)
    assert dice_bce(x, y, None, 0.0, 1.0).item() == pytest.approx(1 - 2.4 / 3.3, rel=1e-12)
    assert dice_bce(x, y, None, 1.0, 0.0).item() == pytest.approx(0.4149, abs=1e-4)
    assert dice_bce(x, y, bce_weight=0.5, dice_weight=3.0).item() == pytest.approx(0.5 * bce + 3 * (1 - dice))


def test_dice_is_of_the_whole_batch_not_the_mean_of_its_crops():
    x = torch.tensor([[logit(0.9)] * 4, [logit(0.5)] * 4]).reshape(2, 1, 4, 1, 1)
    y = torch.tensor([[1.0] * 4, [1.0, 0, 0, 0]]).reshape(2, 1, 4, 1, 1)
    dice = 2 * (4 * 0.9 + 0.5) / (4 * 0.9 + 4 * 0.5 + 5)
    assert dice_bce(x, y, bce_weight=0).item() == pytest.approx(1 - dice, rel=1e-6)


def test_a_perfect_prediction_costs_nothing_and_the_opposite_much():
    y = torch.tensor([1.0, 0, 0, 1]).reshape(1, 1, 4, 1, 1)
    assert dice_bce(40 * (2 * y - 1), y).item() == pytest.approx(0.0, abs=1e-6)
    assert dice_bce(-40 * (2 * y - 1), y).item() == pytest.approx(41.0, rel=1e-6)


def test_without_a_positive_voxel_dice_is_zero():
    x, y = batch(logit(0.8), logit(0.25)), batch(0, 0)
    assert dice_bce(x, y).item() == pytest.approx(-(math.log(0.2) + math.log(0.75)) / 2, rel=1e-12)
    only_ignored = dice_bce(x, batch(1, 0), batch(0, 1))
    assert only_ignored.item() == pytest.approx(-math.log(0.75), rel=1e-12)


def test_ignored_voxels_are_as_if_they_were_not_there():
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2, 1, 4, 5, 6, generator=generator, dtype=torch.float64)
    y = (torch.rand(x.shape, generator=generator) < 0.3).double()
    keep = torch.rand(x.shape, generator=generator) < 0.6
    assert 0 < y[~keep].sum() < (~keep).sum()
    expected = dice_bce(x[keep], y[keep])
    hidden = torch.where(keep, x, torch.full_like(x, math.nan)).requires_grad_()
    loss = dice_bce(hidden, y, keep)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.all(hidden.grad[~keep] == 0)
    assert torch.all(hidden.grad[keep] != 0)
    assert dice_bce(x, y, keep.float()).item() == pytest.approx(expected.item(), rel=1e-12)
    assert dice_bce(x, y, torch.ones_like(x)).item() == pytest.approx(dice_bce(x, y).item(), rel=1e-12)


def test_nothing_valid_is_zero_with_no_gradient():
    x = torch.ones(1, 1, 2, 2, 2, requires_grad=True)
    loss = dice_bce(x, torch.ones_like(x), torch.zeros_like(x))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.all(x.grad == 0)


def test_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 1, 2, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    y = (torch.rand(x.shape, generator=generator) < 0.5).double()
    keep = torch.rand(x.shape, generator=generator) < 0.7
    assert torch.autograd.gradcheck(lambda v: dice_bce(v, y, keep, 0.7, 1.3), (x,))


def test_half_precision_is_summed_in_single():
    x = torch.full((1, 1, 64, 64, 64), -3.0, dtype=torch.bfloat16)
    y = torch.zeros(x.shape)
    y[..., 0] = 1
    p = 1 / (1 + math.exp(3))
    bce = -(math.log(p) / 64 + 63 / 64 * math.log(1 - p))
    dice = 2 * p / 64 / (p + 1 / 64)
    loss = dice_bce(x, y)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(bce + 1 - dice, rel=1e-5)


def test_shapes_must_agree():
    x = torch.zeros(2, 1, 3, 3, 3)
    with pytest.raises(ValueError, match="target has the shape"):
        dice_bce(x, x[:, 0])
    with pytest.raises(ValueError, match="valid has the shape"):
        dice_bce(x, x, x[:1])
