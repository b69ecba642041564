"""Convolutions made ready to run: frozen batch norm folded in, the ReLU and an addition fused.

Folding is exact up to rounding: batch norm that is frozen only scales and shifts each channel. So
are the tiles by which wide 3 x 3 kernels may convolve.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FrozenBatchNorm2d

from muybridge.convolutions import quickened
from muybridge.models.densepose.backbone import Block
from muybridge.models.densepose.surface import Charts, Predictor, charted, twice

# oneDNN's convolutions go over the result once, where separate steps do so two or three times.
ONE_PASS = torch.backends.mkldnn.is_available() and hasattr(  # type: ignore[no-untyped-call]
    torch.ops.mkldnn, "_convolution_pointwise_"
)


class Fused(nn.Module):
    """Convolve a map, add another to the result if there is one, and apply a ReLU if asked to.

    The map that is added is overwritten.
    """

    def __init__(self, layers: nn.Sequential, tiled: bool = False) -> None:
        super().__init__()
        self.convolution = quickened(folded(layers)) if tiled else folded(layers)
        self.relu = any(isinstance(layer, nn.ReLU) for layer in layers)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        if ONE_PASS and x.device.type == "cpu" and isinstance(self.convolution, nn.Conv2d):
            return self._one_pass(x, added)
        x = self.convolution(x)
        if added is not None:
            x = added.add_(x)
        return F.relu_(x) if self.relu else x

    def _one_pass(self, x: Tensor, added: Tensor | None) -> Tensor:
        own: Any = self.convolution
        place = (own.padding, own.stride, own.dilation, own.groups)
        relu = "relu" if self.relu else None
        if added is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, own.weight, own.bias, *place, relu or "none", [], ""
            )
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            added, x, own.weight, own.bias, *place, "add", 1.0, relu, [], ""
        )


class FusedBlock(nn.Module):
    """Do what ``Block`` does, in four passes over memory."""

    def __init__(self, block: Block, tiled: bool = False) -> None:
        super().__init__()
        self.conv1, self.conv3 = Fused(block.conv1), Fused(block.conv3)
        self.conv2 = Fused(block.conv2, tiled)
        self.conv3.relu = True
        old = block.shortcut
        self.shortcut = Fused(old) if isinstance(old, nn.Sequential) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # Only a stage's first block gets a map that somebody else needs, and that one projects.
        return self.conv3(self.conv2(self.conv1(x)), self.shortcut(x))


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


def folded(layers: nn.Sequential) -> nn.Conv2d:
    """Return one convolution that does what a convolution and the frozen batch norm after it do."""
    old: Any = layers[0]
    norm = next((layer for layer in layers if isinstance(layer, FrozenBatchNorm2d)), None)
    if norm is None:
        return old
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    new = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding)
    new.weight = nn.Parameter(old.weight * scale[:, None, None, None])
    new.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
    return new


def fuse(network: nn.Module, tiled: bool) -> None:
    """Replace, in place, blocks, convolutions with their norm and ReLU, and the predictor."""
    for name, child in network.named_children():
        if isinstance(child, Block):
            setattr(network, name, FusedBlock(child, tiled))
        elif isinstance(child, Predictor):
            setattr(network, name, AtOnce(child))
        elif isinstance(child, Conv2dNormActivation) and not _regroups(child):
            setattr(network, name, Fused(child, tiled))
        elif isinstance(child, nn.Conv2d) and tiled:
            setattr(network, name, quickened(child))
        else:
            fuse(child, tiled)


def _regroups(layers: nn.Sequential) -> bool:
    return any(isinstance(layer, nn.GroupNorm) for layer in layers)
