"""The networks as the product runs them: the same answers with less to do.

Batch norms are folded into the convolutions before them, ReLUs and additions done in place or with
the convolution, a pixel's channels lie side by side. What is not wanted is not computed: the
volumetric network needs no heatmaps. Few pictures are held at a time, so that maps stay near the
core.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.convolutions import Fused, fused_bottleneck, without_norms
from muybridge.models.triangulation.model import Algebraic, Backbone, Confidences
from muybridge.models.triangulation.preprocess import normalised
from muybridge.models.triangulation.volumetric import V2V, Volumetric

AT_ONCE = {"cpu": 4, "cuda": 16}  # pictures


class Looking(nn.Module):
    """Do what a network does with each picture: crops (N, h, w, 3) uint8 to float32 maps and trust.

    Maps (N, C, h/4, w/4) are heatmaps or what is brought into the cube; trust (N, C) is how far
    they are to be trusted, None where the network does not say. ``dtype`` is that of all numbers
    between.
    """

    def __init__(
        self, network: Algebraic | Volumetric, dtype: torch.dtype, parity: bool = True
    ) -> None:
        super().__init__()
        self.dtype, self.parity = dtype, parity
        last = network.narrow if isinstance(network, Volumetric) else network.backbone.heatmaps
        trust = network.confidences
        self.maps = _packed(_resnet(network.backbone), dtype)
        self.enlarged = _packed(
            nn.Sequential(*_upsampling(network.backbone), Fused(copy.deepcopy(last))), dtype
        )
        self.trust = None if trust is None else _packed(_confidences(trust), dtype)
        self.head = None if trust is None else copy.deepcopy(trust.head).float()

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        found = [self._some(part) for part in torch.split(crops, AT_ONCE[crops.device.type])]
        maps, trust = zip(*found, strict=True)
        return torch.cat(maps), None if self.head is None else torch.cat(trust)

    def _some(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        maps = self.maps(normalised(crops, self.parity).to(self.dtype))
        enlarged = self.enlarged(maps).float()
        if self.trust is None or self.head is None:
            return enlarged, None
        return enlarged, self.head(self.trust(maps).mean((2, 3), dtype=torch.float32)).sigmoid()


class Cube(nn.Module):
    """Do what V2V does in a cube (1, C, n, n, n) float32, with numbers of ``dtype`` between."""

    def __init__(self, network: V2V, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.network: Any = without_norms(copy.deepcopy(network)).to(dtype)
        self.network.to(memory_format=torch.channels_last_3d)

    def forward(self, cube: Tensor) -> Tensor:
        given = cube.to(self.dtype).contiguous(memory_format=torch.channels_last_3d)
        return self.network(given).float()


def _packed(layers: nn.Module, dtype: torch.dtype) -> nn.Module:
    return layers.to(dtype).to(memory_format=torch.channels_last)


def _resnet(backbone: Backbone) -> nn.Sequential:
    convolution, norm, relu, pool = backbone.stem
    blocks = (block for stage in backbone.stages for block in stage.children())
    return nn.Sequential(
        Fused(convolution, norm, relu), pool, *(fused_bottleneck(block) for block in blocks)
    )


def _upsampling(backbone: Backbone) -> list[nn.Module]:
    return [*without_norms(copy.deepcopy(backbone.upsampling)).children()]


def _confidences(trust: Confidences) -> nn.Sequential:
    """Drop what is negative with the convolution, which is the same before the pooling as after."""
    first, norm, pool, relu, second, other, *_ = trust.features
    return nn.Sequential(Fused(first, norm, relu), pool, Fused(second, other, relu), pool)
