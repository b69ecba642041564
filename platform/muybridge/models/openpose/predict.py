"""Pictures to people: canvases, the network, the assembly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from muybridge.convolutions import quickened
from muybridge.models.openpose.postprocess import People, Thresholds, assemble
from muybridge.models.openpose.preprocess import averaged, canvases, prepared

Precision = Literal["float32", "bfloat16"]

LARGE = ("conv1_", "conv2_")  # layers at the picture's size and at half of it gain nothing by tiles


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


def ready(network: nn.Module, precision: Precision, device: str = "cpu") -> nn.Module:
    """Move a network to where it runs, in the form in which it runs fastest."""
    if precision == "bfloat16":
        network = network.to(torch.bfloat16)
    elif device == "cpu":
        network = swift(network)
    return network.to(device).to(memory_format=torch.channels_last)


def swift(network: nn.Module) -> nn.Module:
    """Replace the convolutions of a network that gain by tiles; for float32 on a processor."""
    for name, layer in list(network.named_children()):
        if isinstance(layer, nn.Conv2d) and not name.startswith(LARGE):
            setattr(network, name, quickened(layer))
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
