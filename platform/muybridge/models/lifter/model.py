"""The lifter of Martinez, Hossain, Romero and Little: a small residual network of plain layers.

"A simple yet effective baseline for 3d human pose estimation" (2017), figure 2: a first layer, then
blocks of two layers with what went in added to what comes out, then a last linear layer. A layer is
linear, batch norm, ReLU, dropout.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """Size a lifter; as it stands, the published one: 16 joints in and out, 4,291,632 numbers."""

    inputs: int = 32
    outputs: int = 48
    width: int = 1024
    blocks: int = 2
    dropout: float = 0.5


class Lifter(nn.Module):
    """Lift what is seen (N, inputs) to three dimensions (N, outputs), both normalised."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.first = layer(config.inputs, config.width, config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, config.dropout) for _ in range(config.blocks)
        )
        self.last = nn.Linear(config.width, config.outputs)

    def forward(self, seen: Tensor) -> Tensor:
        x = self.first(seen)  # (N, width)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


class Block(nn.Module):
    """Two layers, and what went in added to what comes out, (N, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(layer(width, width, dropout), layer(width, width, dropout))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Make one layer: linear, batch norm, ReLU, dropout."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout)
    )
