"""The motion discriminator: tell people's real motions from those that a network made up.

A recurrent network reads the motion; self-attention says which frames its verdict rests on
(Kocabas et al., CVPR 2020, section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

BODY = slice(6, 75)  # of theta (camera 3, root 3, body 69, betas 10): what is judged


@dataclass(frozen=True)
class Config:
    """Give the network's sizes; the defaults are the article's.

    ``values`` is how many numbers a frame of a motion has, ``width`` how many a recurrent state and
    a layer of the attention. ``pool`` is how the states of all frames become one: weighed by
    attention, their mean beside their maximum (``concat``), or the last one.
    """

    values: int = 69
    width: int = 1024
    layers: int = 2
    pool: Literal["attention", "concat", "last"] = "attention"
    dropout: float = 0.2


class Discriminator(nn.Module):
    """Score motions: near 1 for a real one, near 0 for one that was made up.

    Shapes: (N, T, 69) axis-angles of the 23 joints below the root, in radians, in; (N, 1) out.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.gru = nn.GRU(config.values, config.width, config.layers, batch_first=True)
        self.pool, width = _pool(config)
        self.fc = nn.Linear(width, 1)

    def forward(self, motions: Tensor) -> Tensor:
        states, _ = self.gru(motions)  # (N, T, width)
        return self.fc(self.pool(states))


class Attention(nn.Module):
    """Weigh frames: (N, T, width) in, their weighted sum (N, width) out."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        widths = (width, width, 1)
        layers = [
            part
            for outputs in widths
            for part in (nn.Linear(width, outputs), nn.Tanh(), nn.Dropout(dropout))
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, states: Tensor) -> Tensor:
        shares = self.scores(states).softmax(1)
        return (shares[..., None] * states).sum(1)

    def scores(self, states: Tensor) -> Tensor:
        """Say how much each frame matters, between -1 and 1: (N, T)."""
        return self.layers(states).squeeze(2)


class MeanAndMost(nn.Module):
    """Put the mean of what is positive beside the maximum: (N, T, width) in, (N, 2 width) out."""

    def forward(self, states: Tensor) -> Tensor:
        positive = states.relu()
        return torch.cat([positive.mean(1), positive.amax(1)], 1)


class Last(nn.Module):
    """Take the last frame's state, which has read all before: (N, T, width) in, (N, width) out."""

    def forward(self, states: Tensor) -> Tensor:
        return states[:, -1]


def _pool(config: Config) -> tuple[nn.Module, int]:
    """Make what turns the states of all frames into one, and say how wide that is."""
    if config.pool == "attention":
        return Attention(config.width, config.dropout), config.width
    return (MeanAndMost(), 2 * config.width) if config.pool == "concat" else (Last(), config.width)
