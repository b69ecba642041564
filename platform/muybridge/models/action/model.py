"""A small classifier of motion: three layers over time, what they found at most and on average."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from muybridge.labels import LABELS
from muybridge.models.action.preprocess import CHANNELS


@dataclass(frozen=True)
class Config:
    """Size a classifier; layers see moments that are 1, 2, 4 apart, and it 15 together."""

    inputs: int = CHANNELS
    outputs: int = len(LABELS["motion"])
    width: int = 64
    taps: int = 3
    apart: tuple[int, ...] = (1, 2, 4)
    dropout: float = 0.4


class Classifier(nn.Module):
    """Classify windows (N, T, inputs): one number a label (N, outputs), before the softmax."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.BatchNorm1d(config.inputs, affine=False)
        widths = (config.inputs, *(config.width for _ in config.apart))
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, config.taps, dilation=apart)
            for inputs, outputs, apart in zip(widths, widths[1:], config.apart, strict=False)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.last = nn.Linear(config.width * 2, config.outputs)

    def forward(self, seen: Tensor) -> Tensor:
        x = self.norm(seen.mT)  # (N, inputs, T)
        for layer in self.layers:
            x = layer(x).relu()
        x = torch.cat([x.mean(2), x.amax(2)], 1)  # (N, 2 * width)
        return self.last(self.dropout(x))
