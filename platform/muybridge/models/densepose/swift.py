"""The network as the product runs it: the same answers, fewer passes over memory, less arithmetic.

Batch norm is folded and a cell's channels lie side by side, on every device. On a CPU ReLUs and
additions are fused into convolutions, boxes are cut out by ``samples`` and the decoder computed
only where people are. In bfloat16 boxes, scores and what follows the last layers stay float32.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from muybridge.models.densepose import crops, samples
from muybridge.models.densepose.backbone import STRIDES
from muybridge.models.densepose.detector import CELLS, Regions
from muybridge.models.densepose.fused import fuse
from muybridge.models.densepose.model import DensePose

Precision = Literal["float32", "bfloat16"]


class Swift(DensePose):
    """Answer as another network does, made for a device; the other stays as it is."""

    def __init__(
        self, network: DensePose, precision: Precision = "float32", device: str = "cpu"
    ) -> None:
        nn.Module.__init__(self)
        self.config = network.config
        for name, part in copy.deepcopy(network).named_children():
            self.add_module(name, part)
        fuse(self)
        self.eval().requires_grad_(False)
        self.to(device, getattr(torch, precision)).to(memory_format=torch.channels_last)
        for last in (self.person_head.logits, self.person_head.moves):
            last.float()
        self.on_cpu = torch.device(device).type == "cpu"
        if self.on_cpu:
            first = self.person_head.first.weight
            by_cell = first.view(len(first), -1, CELLS**2).transpose(1, 2).flatten(1)
            self.person_head.first.weight = nn.Parameter(by_cell, requires_grad=False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        like = self.person_head.first.weight
        ready = pictures.to(like.device, like.dtype, memory_format=torch.channels_last)
        return super().features(ready)

    def look(self, maps: Sequence[Tensor], regions: Sequence[Regions]) -> Tensor:
        if not self.on_cpu:
            return super().look(maps, regions)
        boxes = [each.boxes for each in regions]
        return samples.pool_levels(maps[:4], boxes, STRIDES[:4], CELLS).flatten(1)

    def cut(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        if not self.on_cpu:
            return super().cut(maps, boxes)
        cells = self.config.pooled
        if self.config.decoder:
            return crops.cut(self.decoder, maps, boxes, cells)
        return samples.pool_levels(maps[:4], boxes, STRIDES[:4], cells).permute(0, 3, 1, 2)
