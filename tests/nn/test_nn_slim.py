"""Convolution, sum and ReLU in one pass: the same function as one after the other."""

import copy

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
        Block(16, (3, 3, 3)), Block(48, (5, 3, 3)), Down(1, 16, (7, 3, 3), (2, 1, 1)),
        Down(32, 48, (3, 3, 3), (2, 2, 2)),
    ],
    ids=["block", "long block", "stem", "down"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(1, 1, 1), (8, 4, 6), (14, 9, 11)])
@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_one_pass_is_the_same_function(part, size, capability, monkeypatch):
    """That of oneDNN, and on a processor with AVX2 the one with fewer multiplications, where the kernel allows."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(slim, "FEWEST", 0)
    part = trained(copy.deepcopy(part), 3)
    channels = part.a.in_channels if isinstance(part, Block) else part.conv.in_channels
    x = torch.randn(2, channels, *size).contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad():
        before = part(x)  # with its normalisations
        part.fuse()
        assert slim._in_one_pass(x) == torch.backends.mkldnn.is_available()
        found = part(x.clone(memory_format=torch.preserve_format))
        monkeypatch.setattr(slim, "_in_one_pass", lambda x: False)
        apart = part(x)
    # float32 sums of up to 2160 products in another order, twice
    scale = float(before.abs().max())
    torch.testing.assert_close(found, apart, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(found, before, rtol=0, atol=1e-5 * scale)


def test_training_goes_its_own_way():
    """With gradients nothing is done in one pass, in place or by pieces: every weight learns."""
    network = trained(SlimUNet(), 5).train()
    network(torch.randn(2, 1, 64, 16, 16)).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("shape", [(32, 8, 8), (64, 24, 40), (160, 16, 16)])
@pytest.mark.parametrize("piece", [1, 5, 6])
@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_the_first_halvings_by_pieces_have_the_bits_of_the_whole(shape, piece, capability, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(slim, "FEWEST", 0)
    network = fused(trained(SlimUNet(), 7)).to(memory_format=torch.channels_last_3d)
    x = torch.randn(2, 1, *shape).contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        monkeypatch.setattr(slim, "PIECE", 1000)
        whole = network._begin(x).clone()  # the memory is used again
        monkeypatch.setattr(slim, "PIECE", piece)
        assert torch.equal(network._begin(x), whole)
        apart = network.down1(network.stem(x))
        torch.testing.assert_close(whole, apart, rtol=0, atol=1e-5 * float(apart.abs().max()))
        assert capability == "AVX2" or torch.equal(whole, apart)


@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 64), slice(0, 48), slice(0, 48)),
        (slice(32, 64), slice(16, 40), slice(7, 9)),
        (slice(33, 34), slice(47, 48), slice(0, 1)),
        (slice(0, 40), slice(13, 48), slice(21, 32)),
    ],
)
@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_logits_of_a_region_have_the_bits_of_the_whole(region, capability, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(slim, "FEWEST", 0)
    network = fused(trained(SlimUNet(), 9)).to(memory_format=torch.channels_last_3d)
    x = torch.randn(1, 1, 64, 48, 48).contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        whole, found = network(x), network(x, region)
    assert whole.shape == x.shape
    assert whole.std() > 0
    assert torch.equal(found, whole[:, :, *region])
