"""The network that judges a cut-out and says what galaxy is in it.

Every value comes with its uncertainty: the outputs are the parameters of a Laplace distribution (median and scale),
for the position angle of a von Mises distribution (a vector whose length is the concentration).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hisf.nn.cutouts import CHANNELS, CUT, NUMBERS
from hisf.nn.slim import Block, Down

# values in the order of the outputs, and what one unit of an output is
VALUES = ("z", "y", "x", "flux", "size", "inclination", "width")
UNITS = (4.0, 1.0, 1.0, 1.0, 1.0, 20.0, 1.0)  # channels, pixels, pixels, ln, ln, deg, ln
OFFSETS = (0.0, 0.0, 0.0, 5.5, 1.2, 55.0, 3.2)  # where training begins
LEAST_SCALE = -4.0  # ln of the least uncertainty in units of an output


class Appraiser(nn.Module):
    """Cut-outs (n, 2, z, y, x) and numbers (n, 4) to logit (n,), medians (n, 7), ln scales (n, 7), vectors (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        c = (16, 32, 48, 64)
        self.stem = Down(CHANNELS, c[0], (7, 3, 3), (2, 1, 1))
        self.down1, self.block1 = Down(c[0], c[1], (3, 3, 3), (2, 2, 2)), Block(c[1], (3, 3, 3))
        self.down2 = Down(c[1], c[2], (3, 3, 3), (2, 2, 2))
        self.block2 = nn.Sequential(Block(c[2], (3, 3, 3)), Block(c[2], (3, 3, 3)))
        self.down3, self.block3 = Down(c[2], c[3], (3, 3, 3), (2, 2, 2)), Block(c[3], (3, 3, 3))
        cells = (CUT[0] // 16) * math.ceil(CUT[1] / 8) * math.ceil(CUT[2] / 8)
        self.flat = nn.Linear(c[3] * cells + NUMBERS, 192)
        self.drop = nn.Dropout(0.1)
        self.hidden = nn.Linear(192, 96)
        self.out = nn.Linear(96, 1 + 2 * len(VALUES) + 2)

    def forward(
        self, data: torch.Tensor, numbers: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logit, medians, ln scales (both in units of the outputs) and vector (x, y) of the receding side."""
        x = self.block1(self.down1(self.stem(data)))
        x = self.block2(self.down2(x))
        x = self.block3(self.down3(x))
        x = torch.cat([x.flatten(1).float(), numbers], 1)
        x = self.drop(torch.relu(self.flat(x)))
        x = self.out(torch.relu(self.hidden(x))).float()
        n = len(VALUES)
        return x[:, 0], x[:, 1 : 1 + n], x[:, 1 + n : 1 + 2 * n].clamp(LEAST_SCALE, 3.0), x[:, 1 + 2 * n :]
