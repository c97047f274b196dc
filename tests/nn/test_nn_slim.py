"""Convolution, sum and ReLU in one pass: the same function as one after the other."""

import pytest
import torch

from hisf.nn import slim
from hisf.nn.slim import Block, Down, SlimUNet, fused


def trained(part, seed):
    """Give a part the weights and statistics of something that has been trained."""
    torch.manual_seed(seed)
    for tensor in part.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.ndim == 1 else torch.randn_like(tensor) * 0.05)
    return part.eval()


@pytest.mark.parametrize(
    "part",
    [
        Block(16, (3, 3, 3)), Block(48, (5, 3, 3)), Down(1, 16, (7, 3, 3), (2, 1, 1)), Down(32, 48, (3, 3, 3), (2, 2, 2))
    ],
    ids=["block", "long block", "stem", "down"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(1, 1, 1), (8, 4, 6), (14, 9, 11)])
def test_one_pass_is_the_same_function(part, size, monkeypatch):
    part = trained(part, 3)
    channels = part.a.in_channels if isinstance(part, Block) else part.conv.in_channels
    x = torch.randn(2, channels, *size).contiguous(memory_format=torch.channels_last_3d)
    given = x.clone()
    with torch.no_grad():
        before = part(x)  # with its normalisations
        fused(part)
        assert slim._in_one_pass(x) == torch.backends.mkldnn.is_available()
        found = part(x)
        monkeypatch.setattr(slim, "_in_one_pass", lambda x: False)
        apart = part(x)
    assert torch.equal(x, given)
    # float32 sums of up to 2160 products in another order
    torch.testing.assert_close(found, apart, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, before, rtol=1e-5, atol=1e-5)


def test_training_goes_its_own_way():
    """With gradients nothing is done in one pass: every weight learns."""
    network = fused(trained(SlimUNet(), 5))
    network(torch.randn(1, 1, 32, 8, 8)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
