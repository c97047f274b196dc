"""The ResNet U-Net: golden numbers of spec forska §5.1, any input size, how the weights begin."""

import pytest
import torch
from torch import nn

from hisf.nn.resnet_unet import BasicBlock, ResNetUNet, _pad


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def count(module):
    return sum(p.numel() for p in module.parameters())


def on_meta(*arguments, **options):
    with torch.device("meta"):
        return ResNetUNet(*arguments, **options)


@pytest.mark.parametrize(
    ("depth", "stem", "total"),
    [(18, 7, 42_611_121), (34, 7, 72_920_753), (18, 3, 42_590_897), (34, 3, 72_900_529)],
)
def test_number_of_parameters(depth, stem, total):
    assert count(on_meta(depth, stem)) == total
    assert count(on_meta(depth, stem, upsampling="nearest")) == total


def test_number_of_parameters_of_the_parts():
    net = on_meta(34, 7)
    assert count(net.stem) == 22_080
    assert [count(stage) for stage in net.stages] == [664_320, 3_328_256, 20_388_352, 39_066_624]
    assert [count(block) for block in net.decoder] == [7_078_912, 1_769_984, 442_624, 138_368, 20_800]
    assert count(net.head) == 433


@pytest.mark.parametrize("upsampling", ["trilinear", "nearest"])
@pytest.mark.parametrize("stem", [3, 7])
def test_shapes(stem, upsampling):
    net = on_meta(34, stem, upsampling).eval()
    seen = []
    for part in (net.stem, *net.stages, *net.decoder, net.head):
        part.register_forward_hook(lambda _, inputs, output: seen.append((output.shape[1], *output.shape[2:])))
    net.decoder[0].convolve.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].shape[1]))
    out = net(torch.empty(2, 1, 64, 32, 32, device="meta"))
    assert out.shape == (2, 1, 64, 32, 32)
    assert seen == [
        (64, 32, 16, 16), (64, 16, 8, 8), (128, 8, 4, 4), (256, 4, 2, 2), (512, 2, 1, 1),
        768, (256, 4, 2, 2), (128, 8, 4, 4), (64, 16, 8, 8), (32, 32, 16, 16), (16, 64, 32, 32),
        (1, 64, 32, 32),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(33, 31, 1), (64, 1, 50), (5, 96, 32)])
def test_any_size(shape):
    assert on_meta(18).eval()(torch.empty(1, 1, *shape, device="meta")).shape == (1, 1, *shape)


def test_the_padding_reflects_the_upper_ends():
    x = torch.arange(3.0)[None, None, :, None, None].expand(1, 1, 3, 32, 32)
    padded = _pad(x)
    assert padded.shape == (1, 1, 32, 32, 32)
    assert padded[0, 0, :9, 7, 7].tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert _pad(padded) is padded
    assert torch.equal(_pad(x[:, :, :1])[0, 0, :, 0, 0], torch.zeros(32))
    y = torch.rand(1, 1, 32, 20, 32)
    assert torch.equal(_pad(y)[..., :20, :], y)
    assert torch.equal(_pad(y)[..., 20:, :], y[..., 7:19, :].flip(3))


def test_a_basic_block_by_hand():
    block = BasicBlock(1, 1).eval()
    with torch.no_grad():
        for conv in (block.conv1, block.conv2):
            conv.weight.zero_()
            conv.weight[0, 0, 1, 1, 1] = 2.0
    x = torch.tensor([-1.0, 3.0]).reshape(1, 1, 2, 1, 1)
    scale = 1.0 + block.norm1.eps  # of a variance of 1 in BatchNorm
    out = block(x).flatten().tolist()
    assert out[0] == 0.0  # ReLU after the sum, with the shortcut of -1
    assert out[1] == pytest.approx(3.0 + 12.0 / scale, rel=1e-6)


def test_a_size_that_does_not_fit_is_reflected_and_cropped():
    torch.manual_seed(3)
    net = ResNetUNet(18).eval()
    x = torch.randn(1, 1, 32, 32, 25)
    with torch.inference_mode():
        short, full = net(x), net(torch.cat([x, x[..., 17:24].flip(4)], dim=4))
    assert short.shape == x.shape
    assert short.std() > 1e-3
    assert torch.allclose(short, full[..., :25], rtol=1e-5, atol=1e-6)  # the same sums; threads may order them


def test_initial_weights():
    torch.manual_seed(5)
    net = ResNetUNet(18, 7)
    conv = net.stages[1][0].conv1  # 64 -> 128 channels: fan-out 128 · 27
    assert conv.weight.std().item() == pytest.approx((2 / (128 * 27)) ** 0.5, rel=0.02)
    assert net.head.weight.abs().max().item() <= (6 / (17 * 27)) ** 0.5
    assert net.head.bias.item() == 0.0
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm3d)]
    assert len(norms) == 1 + 2 * 8 + 3 + 2 * 5
    assert all(torch.all(n.weight == 1) and torch.all(n.bias == 0) for n in norms)


def test_gradients_reach_every_parameter():
    torch.manual_seed(1)
    net = ResNetUNet(18)
    net(torch.randn(2, 1, 32, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
    assert all(p.grad.abs().max() > 0 for name, p in net.named_parameters() if name.endswith("weight"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((50,), "depth = 50"), ((18, 5), "stem = 5"), ((18, 3, "cubic"), "upsampling = cubic")],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNetUNet(*arguments)
