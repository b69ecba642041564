"""Pictures to people: canvases, the network, the assembly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from muybridge.convolutions import Fourier, Winograd
from muybridge.models.openpose.postprocess import People, Thresholds, assemble
from muybridge.models.openpose.preprocess import averaged, canvases, prepared

Precision = Literal["float32", "bfloat16"]

WIDE = 1 << 14  # channels in times channels out from which a 3 x 3 kernel gains by tiles
FULL, HALF = "conv1_", "conv2_"  # layers at the picture's size and at half of it gain nothing


@dataclass(frozen=True)
class Options:
    """Say how to look: ``height`` is that of the network's input in pixels, a multiple of 16.

    Of several ``scales`` each is a quarter of the first smaller than the one before, and the maps
    are averaged.
    """

    height: int = 368
    scales: int = 1
    precision: Precision = "float32"
    thresholds: Thresholds = field(default_factory=Thresholds)


def ready(network: nn.Module, precision: Precision) -> nn.Module:
    """Move a network to where it runs, in the form in which it runs fastest."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "bfloat16":
        network = network.to(torch.bfloat16)
    elif device == "cpu":
        network = swift(network)
    return network.to(device).to(memory_format=torch.channels_last)


def swift(network: nn.Module) -> nn.Module:
    """Replace the convolutions of a network that gain by tiles; for float32 on a processor."""
    for name, layer in list(network.named_children()):
        if isinstance(layer, nn.Conv2d):
            if layer.kernel_size == (7, 7):
                setattr(network, name, Fourier(layer))
            elif layer.kernel_size == (3, 3) and _gains(name, layer):
                setattr(network, name, Winograd(layer))
    return network


@torch.inference_mode()
def maps(network: Any, pictures: Tensor, options: Options) -> tuple[Tensor, float]:
    """Give the maps (N, channels, h, w) of pictures (N, H, W, 3) RGB uint8.

    Also says what a pixel of the network's input spans in the pictures.
    """
    weight = next(iter(network.state_dict().values()))
    sizes = canvases(pictures.shape[1], pictures.shape[2], options.height, options.scales)
    seen = []
    for canvas in sizes:
        given = prepared(pictures.to(weight.device), canvas, network.shades)
        seen.append(network(given.to(weight.dtype)).float())
    return averaged(seen, sizes), sizes[0].back


def see(network: Any, pictures: Tensor, options: Options) -> list[People]:
    """Find the people in each of the pictures (N, H, W, 3) RGB uint8."""
    found, scale = maps(network, pictures, options)
    return [assemble(one, network.body, scale, options.thresholds) for one in found]


def _gains(name: str, layer: nn.Conv2d) -> bool:
    return layer.in_channels * layer.out_channels >= WIDE and not name.startswith((FULL, HALF))
