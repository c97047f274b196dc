"""The network of FORSKA-Sweden: a 3-D U-Net whose encoder is a ResNet (spec forska §5; Håkansson et al. 2023, §2.2.1).

Where paper and code disagree (§5.2): a 3³ stem by default (the paper) or a 7³ one (their code); max-pooling after the
stem (code); trilinear upsampling (paper) or nearest neighbour (code); random weights; logits as output.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

STRIDE = 32  # of the whole network: five halvings along every axis
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # basic blocks of e1 … e4 by depth (He et al. 2016, Table 1)
ENCODER = (64, 64, 128, 256, 512)  # channels of the stem and of e1 … e4
DECODER = (256, 128, 64, 32, 16)  # channels of d0 … d4
Upsampling = Literal["trilinear", "nearest"]


class BasicBlock(nn.Module):
    """conv 3³–BN–ReLU–conv 3³–BN, plus a shortcut (1³ conv–BN where the shape changes), ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Of the first convolution, along all axes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm3d(outputs)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm3d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs)
            )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, inputs, z, y, x) to (n, outputs, z/stride, y/stride, x/stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class DecoderBlock(nn.Module):
    """Double the grid, append the encoder's features of that grid, then twice conv 3³–BN–ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels; ``inputs`` includes those of the skipped features.
    upsampling : str
        ``trilinear`` (``align_corners=False``) or ``nearest``.
    """

    def __init__(self, inputs: int, outputs: int, upsampling: Upsampling) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode=upsampling)
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv3d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm3d(outputs), nn.ReLU()]
        self.convolve = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        """Map (n, c, z, y, x), and (n, s, 2z, 2y, 2x) if there is a skip, to (n, outputs, 2z, 2y, 2x)."""
        x = self.upsample(x)
        return self.convolve(x if skip is None else torch.cat([x, skip], dim=1))


class ResNetUNet(nn.Module):
    """A voxel-wise classifier: (n, 1, z, y, x), normalised and free of NaN, to logits of the same shape.

    The result is invariant under shifts by multiples of 32 voxels only (§5.3): tiles must begin at such places of the
    cube. A batch of one crop of 32³ cannot be trained on, because its bottleneck is one voxel (torch raises).

    Parameters
    ----------
    depth : int
        18 or 34.
    stem : int
        Size of the first kernel, 3 or 7 (7 as in the authors' code).
    upsampling : str
        ``trilinear`` or ``nearest`` (nearest as in the authors' code).

    Raises
    ------
    ValueError
        An argument is none of these.
    """

    def __init__(self, depth: int, stem: int = 3, upsampling: Upsampling = "trilinear") -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth = {depth} is none of {', '.join(map(str, BLOCKS))}.")
        if stem not in (3, 7):
            raise ValueError(f"stem = {stem} is neither 3 nor 7.")
        if upsampling not in ("trilinear", "nearest"):
            raise ValueError(f"upsampling = {upsampling} is neither trilinear nor nearest.")
        self.stem = nn.Sequential(
            nn.Conv3d(1, ENCODER[0], stem, 2, padding=stem // 2, bias=False), nn.BatchNorm3d(ENCODER[0]), nn.ReLU()
        )
        self.pool = nn.MaxPool3d(3, 2, padding=1)
        stages = []
        for level, number in enumerate(BLOCKS[depth]):
            inputs, outputs = ENCODER[level], ENCODER[level + 1]
            first = BasicBlock(inputs, outputs, 1 if level == 0 else 2)  # e1 is halved by the pooling
            stages.append(nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(number - 1))))
        self.stages = nn.ModuleList(stages)
        skips = (*ENCODER[3::-1], 0)  # e3, e2, e1, stem, and none at full resolution
        deeper = (ENCODER[-1], *DECODER[:-1])
        self.decoder = nn.ModuleList(
            DecoderBlock(a + s, b, upsampling) for a, s, b in zip(deeper, skips, DECODER, strict=True)
        )
        self.head = nn.Conv3d(DECODER[-1], 1, 3, padding=1)
        self._initialise()

    def _initialise(self) -> None:
        """Draw the weights: Kaiming, fan-out; the head, which no ReLU follows, Xavier, so that logits begin near 1."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.xavier_uniform_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, inner: tuple[slice, slice, slice] | None = None) -> torch.Tensor:
        """Return the logits, shape (n, 1, z, y, x) as the input, of any size, or those of a region (z, y, x)."""
        sizes = x.shape[2:]
        features = [self.stem(_pad(x))]
        y = self.pool(features[0])
        for stage in self.stages:
            y = stage(y)
            features.append(y)
        skips = (*features[3::-1], None)
        for block, skip in zip(self.decoder, skips, strict=True):
            y = block(y, skip)
        logits: torch.Tensor = self.head(y)
        logits = logits[:, :, : sizes[0], : sizes[1], : sizes[2]]
        return logits if inner is None else logits[:, :, *inner]


def _pad(x: torch.Tensor) -> torch.Tensor:
    """Reflect (n, c, z, y, x) beyond its upper ends, as often as it takes, to multiples of `STRIDE`.

    Only the upper ends, so that the grid of the network stays where it is in the cube.
    """
    for axis in (2, 3, 4):
        n = x.shape[axis]
        if n % STRIDE:
            period = max(1, 2 * (n - 1))
            place = torch.arange(n + -n % STRIDE, device=x.device) % period
            x = x.index_select(axis, torch.minimum(place, period - place) if n > 1 else place)
    return x
