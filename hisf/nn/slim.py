"""The default network: a shallow anisotropic 3-D U-Net for lines that are long in frequency and small on the sky.

What was weighed: HI lines have a median width of 25 channels in a disc of two pixels (spec forska §18), so five
isotropic halvings (§5) spend their parameters where a galaxy has left one voxel. Here the first halving is spectral,
the sky is halved three times, the spectrum five times, and the decoder ends at the coarser grid: the head answers for
the voxels of a cell at once (sub-voxel convolution), which costs a tenth of a full-resolution decoder.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hisf.nn.memory import borrow

CHANNELS = (16, 32, 48, 64, 64)  # after each halving
STRIDES = ((2, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 1, 1))
MULTIPLE = (32, 8, 8)  # inputs are padded to multiples of the whole stride
CELL = (4, 2, 2)  # voxels of a cell of the grid that the decoder ends on
SIGHT = 3  # cells that its last three convolutions see on either side
FEWEST = 1 << 14  # voxels of a grid from which on hisf's own convolutions gain more than a call of them costs
PIECE = 6  # channels after two halvings that are computed at once


Region = tuple[slice, slice, slice]


class Block(nn.Module):
    """Two convolutions with a shortcut: conv–BN–ReLU–conv–BN, added, ReLU."""

    def __init__(self, channels: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        pad = kernel[0] // 2, kernel[1] // 2, kernel[2] // 2
        self.a = nn.Conv3d(channels, channels, kernel, padding=pad, bias=False)
        self.norm_a = nn.BatchNorm3d(channels)
        self.b = nn.Conv3d(channels, channels, kernel, padding=pad, bias=False)
        self.norm_b = nn.BatchNorm3d(channels)

    def fuse(self) -> None:
        """Take the normalisations, as they are after training, into the convolutions."""
        self.a, self.norm_a = fuse_conv_bn_eval(self.a, self.norm_a), nn.Identity()  # type: ignore[assignment]
        self.b, self.norm_b = fuse_conv_bn_eval(self.b, self.norm_b), nn.Identity()  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape; without gradients they may take the place of ``x``."""
        return convolve(self.b, self.norm_b, convolve(self.a, self.norm_a, x), x)


class Down(nn.Module):
    """Halve: a strided convolution, BN, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        pad = kernel[0] // 2, kernel[1] // 2, kernel[2] // 2
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, padding=pad, bias=False)
        self.norm = nn.BatchNorm3d(outputs)

    def fuse(self) -> None:
        """Take the normalisation, as it is after training, into the convolution."""
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features on the coarser grid."""
        return convolve(self.conv, self.norm, x)

    def within(self, x: torch.Tensor) -> torch.Tensor:
        """Return features where the kernel lies within the channels of ``x``, which are not padded."""
        return convolve(self.conv, self.norm, x, padding=(0, *self.conv.padding[1:]))


def convolve(
    conv: nn.Conv3d,
    norm: nn.Module,
    x: torch.Tensor,
    shortcut: torch.Tensor | None = None,
    padding: tuple[int, int, int] | None = None,
) -> torch.Tensor:
    """Return ReLU(norm(conv(x)) + shortcut), with another padding (z, y, x) where one is given.

    On a processor a network without normalisations (`fused`) does that in one pass of oneDNN, in the place of the
    shortcut, as `torch.compile` has it: a fifth faster, by the passes and by the fresh memory that are saved, and
    because PyTorch by itself takes a slow path for small grids. Where it counts in float32 with AVX2, most convolutions
    are made with fewer multiplications (`hisf.kernels.convolution`), which takes half the time.
    """
    pad: tuple[int, ...] = conv.padding if padding is None else padding  # type: ignore[assignment]
    if isinstance(norm, nn.Identity) and _in_one_pass(x):
        if _is_minimal(conv, pad, x):
            return _convolve_minimally(conv, x, shortcut)
        how = conv.weight, conv.bias, pad, conv.stride, conv.dilation, conv.groups
        if shortcut is None:
            return torch.ops.mkldnn._convolution_pointwise(x, *how, "relu", [], "")
        return torch.ops.mkldnn._convolution_pointwise_.binary(shortcut, x, *how, "add", 1.0, "relu", [], "")
    y = norm(nn.functional.conv3d(x, conv.weight, conv.bias, conv.stride, pad, conv.dilation, conv.groups))
    return torch.relu_(y if shortcut is None else y + shortcut)


def _in_one_pass(x: torch.Tensor) -> bool:
    if x.device.type != "cpu" or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return False
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise_"):
        return False
    return x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _counts_in_avx2(x: torch.Tensor) -> bool:
    """Return whether hisf's own kernels are the faster ones; with wider vectors oneDNN makes up for it."""
    return x.dtype == torch.float32 and torch.backends.cpu.get_cpu_capability() == "AVX2"


def _is_minimal(conv: nn.Conv3d, pad: tuple[int, ...], x: torch.Tensor) -> bool:
    """Return whether a convolution is one of `hisf.kernels.convolution`, and faster there than by oneDNN."""
    kernel, (outputs, inputs) = conv.kernel_size, conv.weight.shape[:2]
    return (
        _counts_in_avx2(x)
        and math.prod(x.shape[2:]) >= FEWEST
        and kernel[0] % 2 == 1
        and kernel[1:] == (3, 3)
        and pad == (kernel[0] // 2, 1, 1)
        and conv.stride == conv.dilation == (1, 1, 1)
        and conv.groups == 1
        and inputs % 8 == outputs % 16 == 0
    )


def _convolve_minimally(conv: nn.Conv3d, x: torch.Tensor, shortcut: torch.Tensor | None) -> torch.Tensor:
    """Return ReLU(conv(x) + shortcut), in the place of the shortcut; without one, only until it is called again."""
    from hisf.kernels.convolution import convolve as convolve_grid
    from hisf.kernels.convolution import transform_weights

    points = getattr(conv, "minimal_weights", None)
    if points is None:
        points = conv.minimal_weights = transform_weights(conv.weight.detach().numpy())  # type: ignore[assignment]
    assert conv.bias is not None
    if shortcut is None:
        out = borrow("between two convolutions", (x.shape[0], conv.out_channels, *x.shape[2:]))
        assert out.data_ptr() != x.data_ptr()  # two in a row, without a shortcut, need another place
    else:
        out = shortcut.contiguous(memory_format=torch.channels_last_3d)
    for given, made in zip(x.contiguous(memory_format=torch.channels_last_3d), out, strict=True):
        values, results = (grid.permute(1, 2, 3, 0).numpy() for grid in (given, made))
        convolve_grid(values, points, conv.bias.detach().numpy(), results, shortcut is not None)
    return out


class Up(nn.Module):
    """Refine: a 1³ convolution, nearest neighbour, added to the features of the finer grid, a block."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int], kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv3d(inputs, outputs, 1)
        self.block = Block(outputs, kernel)

    def forward(self, x: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Return features of the finer grid."""
        x = self.conv(x)
        if not (_in_one_pass(x) and _counts_in_avx2(x)):
            x = nn.functional.interpolate(x, scale_factor=self.stride, mode="nearest")
            return self.block(x.add_(fine))
        total = borrow("on the finer grid", tuple(fine.shape))
        within = x[:, :, :, None, :, None, :, None]
        torch.add(within, self._apart(fine, x.shape[2:]), out=self._apart(total, x.shape[2:]))
        return self.block(total)

    def _apart(self, grid: torch.Tensor, cells: tuple[int, ...]) -> torch.Tensor:
        """Return a view with two axes for every one of the sky and the spectrum: cells, and what is within one."""
        for axis, size, part in zip((2, 4, 6), cells, self.stride, strict=True):
            grid = grid.unflatten(axis, (size, part))
        return grid


def fused(network: nn.Module) -> nn.Module:
    """Return a trained network of `Block` and `Down` parts without normalisations: the same function, and faster."""
    for part in network.modules():
        if isinstance(part, (Block, Down)):
            part.fuse()
    return network


def _cells(part: slice, size: int, cell: int) -> slice:
    """Return the cells that the logits of a part of an axis depend on, an even number from an even one."""
    low, high = max(0, part.start // cell - SIGHT), min(size // cell, -(-part.stop // cell) + SIGHT)
    return slice(low - low % 2, high + high % 2)


class SlimUNet(nn.Module):
    """A voxel-wise classifier of HI cubes.

    Input (n, 1, z, y, x), each channel in units of its own noise, blank voxels 0; sizes multiples of `MULTIPLE`.
    Output (n, 1, z, y, x): logits; voxels of a pair of channels share one.
    """

    def __init__(self) -> None:
        super().__init__()
        c, s = CHANNELS, STRIDES
        self.stem = Down(1, c[0], (7, 3, 3), s[0])
        self.down1, self.enc1 = Down(c[0], c[1], (3, 3, 3), s[1]), Block(c[1], (3, 3, 3))
        self.down2, self.enc2 = (
            Down(c[1], c[2], (3, 3, 3), s[2]),
            nn.Sequential(Block(c[2], (5, 3, 3)), Block(c[2], (3, 3, 3))),
        )
        self.down3, self.enc3 = Down(c[2], c[3], (3, 3, 3), s[3]), Block(c[3], (3, 3, 3))
        self.down4, self.enc4 = Down(c[3], c[4], (3, 3, 3), s[4]), Block(c[4], (3, 3, 3))
        self.up3 = Up(c[4], c[3], s[4], (3, 3, 3))
        self.up2 = Up(c[3], c[2], s[3], (3, 3, 3))
        self.up1 = Up(c[2], c[1], s[2], (3, 3, 3))
        self.head = nn.Conv3d(c[1], 8, 3, padding=1)  # one logit per voxel of the grid after the first halving

    def forward(self, x: torch.Tensor, inner: Region | None = None) -> torch.Tensor:
        """Return the logits, or those of a region (z, y, x) alone, to the same bits and with less work."""
        x1 = self.enc1(self._begin(x))
        x2 = self.enc2(self.down2(x1))
        x3 = self.enc3(self.down3(x2))
        x4 = self.enc4(self.down4(x3))
        y = self.up2(self.up3(x4, x3), x2)
        region = inner or (slice(0, x.shape[2]), slice(0, x.shape[3]), slice(0, x.shape[4]))
        seen = tuple(_cells(part, n, f) for part, n, f in zip(region, x.shape[2:], CELL, strict=True))
        y = y[:, :, *(slice(c.start // 2, c.stop // 2) for c in seen)].contiguous(memory_format=torch.channels_last_3d)
        cells = self.head(self.up1(y, x1[:, :, *seen]))
        n, _, z, h, w = cells.shape
        fine = cells.view(n, 2, 2, 2, z, h, w).permute(0, 4, 1, 5, 2, 6, 3).reshape(n, 1, 2 * z, 2 * h, 2 * w)
        logits = nn.functional.interpolate(fine, scale_factor=(2, 1, 1), mode="nearest")
        begin = [c.start * f for c, f in zip(seen, CELL, strict=True)]
        return logits[:, :, *(slice(p.start - b, p.stop - b) for p, b in zip(region, begin, strict=True))]

    def _begin(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features after the first two halvings.

        On a processor and without gradients by pieces of channels, so that those of the stem, by far the largest, never
        exist at once: less memory, and time saved on clearing it. Bits are those of the whole.
        """
        if x.device.type != "cpu" or torch.is_grad_enabled() or self.training:
            return self.down1(self.stem(x))
        if isinstance(self.stem.norm, nn.Identity) and _in_one_pass(x) and _counts_in_avx2(x) and x.shape[4] >= 12:
            return self._begin_directly(x)
        depth = x.shape[2] // 4
        result = []
        for low in range(0, depth, PIECE):
            high = min(depth, low + PIECE)
            first, last = 4 * low - 5, 4 * high + 2  # the channels that are seen, by both kernels
            fine = self.stem.within(_channels(x, first, last))
            if low == 0:
                fine[:, :, 0] = 0  # what lies before the first channel is nothing, and not the stem of nothing
            result.append(self.down1.within(fine))
        return torch.cat(result, 2)

    def _begin_directly(self, x: torch.Tensor) -> torch.Tensor:
        """Do the same by a kernel that takes the one channel of the input, and strides, better than oneDNN."""
        from hisf.kernels.convolution import convolve_strided

        stem, down = (
            (part.conv.weight.detach().numpy(), part.conv.bias.detach().numpy(), stride)  # type: ignore[union-attr]
            for part, stride in zip((self.stem, self.down1), STRIDES, strict=False)
        )
        n, _, nz, ny, nx = x.shape
        out = borrow("after two halvings", (n, CHANNELS[1], nz // 4, ny // 2, nx // 2))
        fine = np.zeros((2 * PIECE + 1, ny + 2, nx + 2, CHANNELS[0]), np.float32)  # zeros around it
        for given, made in zip(nn.functional.pad(x, (1, 1, 1, 1)), out.permute(0, 2, 3, 4, 1).numpy(), strict=True):
            for low in range(0, len(made), PIECE):
                high = min(len(made), low + PIECE)
                seen = _channels(given[None], 4 * low - 5, 4 * high + 2)[0, 0, ..., None].contiguous().numpy()
                part = fine[: 2 * (high - low) + 1]
                convolve_strided(seen, *stem, part[:, 1:-1, 1:-1])
                if low == 0:
                    part[0] = 0  # as above
                convolve_strided(part, *down, made[low:high])
        return out


def _channels(x: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """Return channels of (n, c, z, y, x), and zeros for those that there are not."""
    seen = x[:, :, max(0, first) : min(x.shape[2], last)]
    if first < 0 or last > x.shape[2]:
        seen = nn.functional.pad(seen, (0, 0, 0, 0, max(0, -first), max(0, last - x.shape[2])))
    return seen
