"""From crops of a person to joints and actions: the network as the product runs it.

Pictures are looked at one by one, each once; clips are then judged from what was seen in theirs,
however much they overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.convolutions import EXACTLY
from muybridge.models.multitask.model import Glance, Spnet
from muybridge.models.multitask.preprocess import normalised
from muybridge.models.multitask.swift import swift

Precision = Literal["float32", "bfloat16"]

AT_ONCE = 8  # pictures on a processor, so that maps stay near the core


@dataclass(frozen=True)
class Seen:
    """Hold what was seen in N crops: the last block's ``poses`` (N, J, D + 1), and glances."""

    poses: NDArray[np.float32]
    glances: list[Glance]


class Predictor:
    """Hold a network ready to run on a device; the one that is given stays as it is.

    ``precision`` is that of the maps, which are nearly all there is to do; the rest is float32.
    """

    def __init__(
        self, network: Spnet, precision: Precision = "float32", device: str = "cpu"
    ) -> None:
        self.device = device
        self.dtype = getattr(torch, precision)
        self.network = swift(network, self.dtype, device)

    @torch.inference_mode()
    @EXACTLY
    def look(self, crops: NDArray[np.uint8]) -> Seen:
        """Find joints in crops (N, S, S, 3), and what actions are judged by."""
        size = AT_ONCE if self.device == "cpu" else max(len(crops), 1)
        pictures = torch.tensor(crops, device=self.device)
        parts = [self.network.look(self._ready(part)) for part in torch.split(pictures, size)]
        poses = torch.cat([part.poses[-1] for part in parts]).float()
        blocks = zip(*(part.glances for part in parts), strict=True)
        return Seen(poses.cpu().numpy(), [joined(block) for block in blocks])

    @torch.inference_mode()
    @EXACTLY
    def judge(self, seen: Seen, clips: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Give the classes' probabilities (M, A), a head each, in clips (M, T) of what was seen."""
        if not len(clips):
            return [np.empty((0, count), np.float32) for count in self.network.config.actions]
        chosen = torch.from_numpy(clips).to(self.device)
        glances = [Glance(g.joints[chosen], g.appearance[chosen]) for g in seen.glances]
        return [head.softmax(1).cpu().numpy() for head in self.network.judge(glances)[-1]]

    def _ready(self, crops: Tensor) -> Tensor:
        return normalised(crops).to(self.dtype)


def joined(glances: Sequence[Glance]) -> Glance:
    """Put what was seen in pictures (N1), (N2), … in a row."""
    fields = zip(*((each.joints, each.appearance) for each in glances), strict=True)
    return Glance(*(torch.cat(each).float() for each in fields))
