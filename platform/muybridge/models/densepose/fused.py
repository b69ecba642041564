"""The network's convolutions made ready to run: folded, fused, wide ones by tiles if asked to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from muybridge.convolutions import Fused, FusedBlock, quickened
from muybridge.models.densepose.backbone import Block
from muybridge.models.densepose.surface import Charts, Predictor, charted, twice


class AtOnce(nn.Module):
    """Do what a ``Predictor`` does with one convolution for all its maps."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        layers: dict[str, Any] = dict(predictor.named_children())
        self.sizes = {name: layer.out_channels for name, layer in layers.items()}
        weight = torch.cat([layer.weight for layer in layers.values()], dim=1)
        width, channels = weight.shape[:2]
        self.layer = nn.ConvTranspose2d(width, channels, kernel_size=4, stride=2, padding=1)
        self.layer.weight = nn.Parameter(weight)
        self.layer.bias = nn.Parameter(torch.cat([layer.bias for layer in layers.values()]))

    def forward(self, found: Tensor) -> Charts:
        maps = torch.split(twice(self.layer(found).float()), list(self.sizes.values()), dim=1)
        return charted(dict(zip(self.sizes, maps, strict=True)))


def fuse(network: nn.Module, tiled: bool) -> None:
    """Replace, in place, blocks, convolutions with their norm and ReLU, and the predictor."""
    for name, child in network.named_children():
        if isinstance(child, Block):
            setattr(network, name, _fused(child, tiled))
        elif isinstance(child, Predictor):
            setattr(network, name, AtOnce(child))
        elif isinstance(child, Conv2dNormActivation) and not _regroups(child):
            setattr(network, name, Fused(*child, tiled=tiled))
        elif isinstance(child, nn.Conv2d) and tiled:
            setattr(network, name, quickened(child))
        else:
            fuse(child, tiled)


def _fused(block: Block, tiled: bool) -> FusedBlock:
    """Fuse a block; only a stage's first gets a map that somebody else needs: that one projects."""
    old = block.shortcut
    return FusedBlock(
        Fused(*block.conv1),
        Fused(*block.conv2, tiled=tiled),
        Fused(*block.conv3, nn.ReLU()),
        Fused(*old) if isinstance(old, nn.Sequential) else old,
    )


def _regroups(layers: nn.Sequential) -> bool:
    return any(isinstance(layer, nn.GroupNorm) for layer in layers)
