"""The network as the product runs it: the same answers with less to do.

The backbone's batch norm is folded, its ReLUs and additions fused into the convolutions, a pixel's
channels lie side by side, and only a few pictures are held at a time, so that maps stay near the
core. No layer convolves by tiles: maps are so small that it would be slower. The regressor's rounds
have no activation, so that all three, with the encoder's last layer, are one linear map.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torchvision.models import ResNet

from muybridge.convolutions import Fused, fused_bottleneck
from muybridge.models.vibe.model import ROUNDS, Bodies, Encoder, Regressor, bodies
from muybridge.models.vibe.preprocess import normalised

AT_ONCE = 8  # pictures on a processor; with 32 maps are so large that their memory is made anew


class Features(nn.Module):
    """Do what the backbone does, from crops (N, 224, 224, 3) uint8: (N, 2048) float32.

    ``dtype`` is that of all numbers between.
    """

    def __init__(self, backbone: ResNet, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        stages = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
        layers = nn.Sequential(
            Fused(backbone.conv1, backbone.bn1, backbone.relu),
            nn.MaxPool2d(3, 2, 1),
            *(fused_bottleneck(block) for stage in stages for block in stage),
        )
        self.layers = layers.to(dtype).to(memory_format=torch.channels_last)

    def forward(self, crops: Tensor) -> Tensor:
        size = AT_ONCE if crops.device.type == "cpu" else max(len(crops), 1)
        return torch.cat([self._some(part) for part in torch.split(crops, size)])

    def _some(self, crops: Tensor) -> Tensor:
        maps = self.layers(normalised(crops).to(self.dtype))
        return maps.mean((2, 3), dtype=torch.float32)


class Generated(nn.Module):
    """Do what the generator does: features (N, T, 2048) to bodies, and the state after the last."""

    def __init__(self, encoder: Encoder, regressor: Regressor) -> None:
        super().__init__()
        self.gru = copy.deepcopy(encoder.gru)
        straight, last = linear(regressor), encoder.linear
        self.seen = straight
        self.found = nn.Linear(last.in_features, straight.out_features)
        self.found.weight = nn.Parameter(straight.weight @ last.weight)
        self.found.bias = nn.Parameter(straight.weight @ last.bias)

    def forward(self, features: Tensor, state: Tensor | None = None) -> tuple[Bodies, Tensor]:
        found, state = self.gru(features, state)
        return bodies(self.seen(features) + self.found(found.relu())), state


class Alone(nn.Module):
    """Do what HMR's regressor does; there is no state."""

    def __init__(self, regressor: Regressor) -> None:
        super().__init__()
        self.seen = linear(regressor)

    def forward(self, features: Tensor, state: None = None) -> tuple[Bodies, None]:
        return bodies(self.seen(features)), None


def linear(regressor: Regressor) -> nn.Linear:
    """Make one layer of all rounds: features (..., 2048) to pose, shape and camera (..., 157).

    A round adds A f + B b + c to a body b, whatever the features f: so does the next, to that.
    """
    exact = copy.deepcopy(regressor).double()
    first, second, last = exact.first, exact.second, (exact.pose, exact.shape, exact.camera)
    out = torch.cat([layer.weight for layer in last])
    constant = torch.cat([layer.bias for layer in last])
    constant = constant + out @ (second.weight @ first.bias + second.bias)
    weight = out @ second.weight @ first.weight
    seen, own = weight[:, : -len(weight)], weight[:, -len(weight) :]
    body, factor = exact.mean()[0], torch.zeros_like(seen)
    for _ in range(ROUNDS):
        body = body + own @ body + constant
        factor = factor + own @ factor + seen
    made = nn.Linear(factor.shape[1], factor.shape[0])
    made.weight, made.bias = nn.Parameter(factor), nn.Parameter(body)
    return made.float()
