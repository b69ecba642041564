"""The network as the product runs it: the same answers, fewer passes over memory.

A cell's maps lie side by side, and every convolution goes through oneDNN in one pass, also the
small ones that torch would not give it. Where a norm follows a convolution it is folded into that;
most norms stand before one, behind a ReLU, and cannot be. What is added to a convolution's result
is added while that is near the core.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from muybridge.convolutions import Fused
from muybridge.models.multitask.model import (
    EPS,
    Maps,
    Norm,
    PredictionBlock,
    Residual,
    SeparableResidual,
    Spnet,
)


def swift(network: Spnet, dtype: torch.dtype, device: str) -> Spnet:
    """Make a network that answers as another one does; that stays as it is.

    ``dtype`` is that of all numbers that pictures pass; clips are judged in float32.
    """
    made = copy.deepcopy(network).eval().requires_grad_(False)
    if torch.device(device).type == "cpu":
        fuse(made)
    for part in (made.stem, made.units):
        part.to(dtype)
    made.to(device=device).to(memory_format=torch.channels_last)
    return made


def fuse(module: nn.Module) -> None:
    """Put what is fused in place of residual units, prediction blocks and convolutions."""
    for name, child in module.named_children():
        made = fused(child)
        if made is child:
            fuse(child)
        else:
            setattr(module, name, made)


def fused(module: nn.Module) -> nn.Module:
    """Fuse one module; one of which nothing is known comes back."""
    if isinstance(module, Residual):
        return FusedResidual(module)
    if isinstance(module, SeparableResidual):
        return FusedSeparableResidual(module)
    if isinstance(module, PredictionBlock):
        return FusedPrediction(module)
    return Fused(module) if isinstance(module, nn.Conv2d) else module


class FusedResidual(nn.Module):
    """Do what a residual unit does; without a shortcut the map that it is given is overwritten."""

    def __init__(self, plain: Residual) -> None:
        super().__init__()
        self.norm = plain.norm
        self.narrow = Fused(plain.narrow, frozen(plain.inner_norm), nn.ReLU())
        self.convolution = Fused(plain.convolution)
        self.shortcut = Fused(plain.shortcut) if plain.shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm(x).relu_()
        added = self.shortcut(active) if self.shortcut else x
        return self.convolution(self.narrow(active), added)


class FusedSeparableResidual(nn.Module):
    """Do what a separable residual unit does; the map that it is given stays as it is."""

    def __init__(self, plain: SeparableResidual) -> None:
        super().__init__()
        self.norm = plain.norm
        self.depthwise = Fused(plain.convolution.depthwise)
        self.pointwise = Fused(plain.convolution.pointwise)
        self.shortcut = Fused(plain.shortcut) if plain.shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm(x).relu_()
        if self.shortcut is None:
            return self.pointwise(self.depthwise(active)).add_(x)
        return self.pointwise(self.depthwise(active), self.shortcut(active))


class FusedPrediction(PredictionBlock):
    """Do what a prediction block does; what goes back into the maps is added where they lie."""

    def __init__(self, plain: PredictionBlock) -> None:
        nn.Module.__init__(self)
        for name in ("depth", "own_heat", "own_depth", "more", "heat_back", "depth_back"):
            setattr(self, name, None)
        for name, child in plain.named_children():
            setattr(self, name, child)
        fuse(self)

    def back(self, x: Tensor, seen: Tensor, maps: Maps) -> Tensor:
        if self.more and self.heat_back:
            x = self.heat_back(torch.cat([self.more(seen), maps.heat], 1).relu_(), x)
        return self.depth_back(maps.depth, x) if self.depth_back else x


def frozen(norm: Norm) -> FrozenBatchNorm2d:
    """Make a norm that can be folded."""
    made = FrozenBatchNorm2d(len(norm.weight), EPS)
    made.load_state_dict(norm.state_dict())
    return made
