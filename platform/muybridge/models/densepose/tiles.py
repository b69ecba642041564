"""A 3x3 convolution by tiles, with fewer multiplications.

Winograd's algorithm (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): a
tile of cells, two wider than its output, is turned into as many numbers a channel, the channels
are mixed for each of these numbers on its own, and what comes out is turned into the output's
cells. Outputs of 2 x 2 cells take 4 multiplications a cell instead of 9 and are rounded hardly
worse than in the direct way; those of 4 x 4 take 2.25 and are rounded three times as coarsely.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


@dataclass(frozen=True)
class Turns:
    """Hold what turns lines: input (S + 2, S + 2), kernel (S + 2, 3), output (S, S + 2)."""

    input: Tensor
    kernel: Tensor
    output: Tensor


# fmt: off
TURNS = {  # by the side of a tile's output, in cells
    2: Turns(
        torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
        torch.tensor([[2.0, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2,
        torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]]),
    ),
    4: Turns(
        torch.tensor([
            [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
        ]),
        torch.tensor([
            [6.0, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24],
        ]) / 24,
        torch.tensor([
            [1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1],
        ]),
    ),
}
# fmt: on


class Tiled(nn.Module):
    """Convolve maps (N, C, H, W) with a 3x3 kernel by tiles of ``side``, and apply a ReLU.

    H and W are multiples of ``side``.
    """

    def __init__(self, convolution: nn.Conv2d, side: int) -> None:
        super().__init__()
        self.side = side
        turn = TURNS[side].kernel.double()
        kernel = turn @ convolution.weight.double() @ turn.T  # (out, in, side + 2, side + 2)
        self.kernel = nn.Parameter(kernel.permute(2, 3, 0, 1).flatten(0, 1).float().contiguous())
        bias = convolution.bias
        self.bias = bias if bias is not None else nn.Parameter(torch.zeros(len(kernel)))

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        side, turns = self.side, TURNS[self.side]
        tiles = (height // side, width // side)
        cells = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        parts = cells.unfold(1, side + 2, side).unfold(2, side + 2, side)  # (N, ., ., C, ., .)
        lines = parts.permute(4, 5, 0, 1, 2, 3).reshape((side + 2) ** 2, -1)
        turned = (torch.kron(turns.input, turns.input) @ lines).view(len(lines), -1, channels)
        mixed = torch.stack([F.linear(*pair) for pair in zip(turned, self.kernel, strict=True)])
        made = torch.kron(turns.output, turns.output) @ mixed.flatten(1)
        made = made.view(side, side, count, *tiles, -1).permute(2, 3, 0, 4, 1, 5)
        made = made.reshape(count, height, width, -1)
        return F.relu_(made + self.bias).permute(0, 3, 1, 2)
