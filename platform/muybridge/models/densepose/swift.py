"""The network as the product runs it: the same answers, fewer passes over memory, less arithmetic.

Batch norm is folded and a cell's channels lie side by side, on every device. On a CPU ReLUs and
additions are fused into convolutions, boxes are cut out by ``samples``, the decoder is computed
only where people are, and wide convolutions go by tiles. In bfloat16 the stacked head, which goes
by tiles too, and boxes, scores and what follows the last layers stay float32.
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
from muybridge.models.densepose.surface import Charts

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
        self.on_cpu = torch.device(device).type == "cpu"
        stacked = self.on_cpu and self.config.head == "stack"
        fuse(self.head, tiled=stacked)
        fuse(self, tiled=self.on_cpu and precision == "float32")
        fine: list[nn.Module] = [self.person_head.logits, self.person_head.moves]
        if stacked:
            fine += [self.head, self.predictor]  # direct bfloat16 would be no faster
        if self.on_cpu:
            self._channels_last_in_person_head()
        self.to(device=device).to(memory_format=torch.channels_last)
        self._round(getattr(torch, precision), fine)
        self.eval().requires_grad_(False)

    def _round(self, kind: torch.dtype, fine: Sequence[nn.Module]) -> None:
        """Keep all numbers as this kind but those of some parts."""
        exact = {id(parameter) for part in fine for parameter in part.parameters()}
        for parameter in self.parameters():
            if id(parameter) not in exact:
                parameter.data = parameter.data.to(kind)

    def _channels_last_in_person_head(self) -> None:
        """Have it read cells of 256 channels, as ``look`` cuts them out, not channels of cells."""
        first = self.person_head.first.weight
        by_cell = first.view(len(first), -1, CELLS**2).transpose(1, 2).flatten(1)
        self.person_head.first.weight = nn.Parameter(by_cell)

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

    def chart(self, cut: Tensor) -> Charts:
        return super().chart(cut.type_as(next(self.predictor.parameters())))
