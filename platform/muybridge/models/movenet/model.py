"""MoveNet's networks in torch: MobileNetV2, a feature pyramid, and heads that draw maps.

The three share one form (Sandler et al. 2018 for the backbone, Lin et al. 2017 for the pyramid,
Zhou et al. 2019, "Objects as points", for the heads); they differ in width and in which maps they
draw. Batch norms are folded. On a GPU this is the form to have; on a CPU LiteRT is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.models.movenet.checkpoint import Layer

STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)  # of MobileNetV2's blocks
TAPS = (9, 5, 2)  # blocks whose output goes into the pyramid, coarse to fine


class MoveNet(nn.Module):
    """Draw maps of pictures: (N, 3, H, W) of 0 to 255, RGB, to maps (N, C, H / 4, W / 4)."""

    scale: Tensor

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        super().__init__()
        scale = torch.tensor(layers["scale"].weight, dtype=torch.float32)[:, None, None]
        self.register_buffer("scale", scale)
        self.stem = convolution(layers["stem"], 2)
        self.blocks = nn.ModuleList(Block(layers, at, STRIDES[at]) for at in range(len(STRIDES)))
        self.top = convolution(layers["top"])
        self.laterals = nn.ModuleList(convolution(layers[f"lateral.{at}"]) for at in range(4))
        self.mixes = nn.ModuleList(Separable(layers, f"mix.{at}") for at in range(3))
        heads = [name.split(".")[1] for name in layers if name.endswith(".last")]
        self.heads = nn.ModuleDict({name: Head(layers, f"head.{name}") for name in heads})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        x = functional.relu6(self.stem(pictures * self.scale - 1))
        taps = {}
        for at, block in enumerate(self.blocks):
            x = taps[at] = block(x)
        x = self.laterals[0](functional.relu6(self.top(x)))
        for tap, lateral, mix in zip(TAPS, self.laterals[1:], self.mixes, strict=True):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = mix(x + lateral(taps[tap]))
        return {name: head(x) for name, head in self.heads.items()}


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project; add where sizes allow."""

    def __init__(self, layers: Mapping[str, Layer], at: int, stride: int) -> None:
        super().__init__()
        name = f"block.{at}"
        self.expand = convolution(layers[f"{name}.expand"]) if at else None
        self.depthwise = convolution(layers[f"{name}.depthwise"], stride)
        self.project = convolution(layers[f"{name}.project"])

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if x.shape == y.shape and self.expand is not None else y


class Separable(nn.Module):
    """Filter each channel, then mix them."""

    def __init__(self, layers: Mapping[str, Layer], name: str) -> None:
        super().__init__()
        self.depthwise = convolution(layers[f"{name}.depthwise"])
        self.pointwise = convolution(layers[f"{name}.pointwise"])

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.pointwise(self.depthwise(x)))


class Head(nn.Sequential):
    """Draw one map from the pyramid's finest features."""

    def __init__(self, layers: Mapping[str, Layer], name: str) -> None:
        super().__init__(Separable(layers, name), convolution(layers[f"{name}.last"]))


class EvenConv(nn.Conv2d):
    """A convolution of stride 2 as TensorFlow pads it: a row and a column at the end alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, (0, 1, 0, 1)))


def convolution(layer: Layer, stride: int = 1) -> nn.Conv2d:
    """Make a convolution of a layer's values: (O, H, W, I), or (1, H, W, C) a channel each."""
    weight = torch.tensor(layer.weight, dtype=torch.float32)
    depthwise = layer.depthwise
    weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    outputs, inputs, side, _ = weight.shape
    kind, padding = (EvenConv, 0) if stride == 2 else (nn.Conv2d, side // 2)
    groups = outputs if depthwise else 1
    made = kind(
        inputs * groups, outputs, side, stride, padding, groups=groups, bias=layer.bias is not None
    )
    with torch.no_grad():
        made.weight.copy_(weight)
        if layer.bias is not None and made.bias is not None:
            made.bias.copy_(torch.tensor(layer.bias, dtype=torch.float32))
    return made
