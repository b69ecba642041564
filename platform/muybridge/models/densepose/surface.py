"""What surface a person shows: the decoder, the two heads, and the maps they end in.

Güler et al., "DensePose" (2018); the decoder is the semantic branch of Kirillov et al., "Panoptic
Feature Pyramid Networks" (2019), the second head Chen et al., "Rethinking Atrous Convolution"
(2017), and the confidences Neverova et al., "Correlated Uncertainty" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from muybridge.models.densepose.config import Config

PARTS = 25  # background and 24 parts of the body
RATES = (6, 12, 56)  # how far apart the cells lie that the DeepLab head looks at
LEAST_CONFIDENCE = 0.01  # added to a segment's confidence
GROUPS = partial(nn.GroupNorm, 32)


@dataclass(frozen=True)
class Charts:
    """Say for N people what each of S x S cells of their box shows; S is four times ``pooled``.

    ``coarse`` (N, 2 or 15, S, S) holds logits of background and body, ``fine`` (N, 25, S, S)
    those of background and parts, ``u`` and ``v`` (N, 25, S, S) surface coordinates for each part.
    What the network says of their spread, as it leaves its last layer, is in ``sigma_2``,
    ``kappa_u`` and ``kappa_v`` (N, 25, S, S), or (0,) where it has no such layer.
    """

    coarse: Tensor
    fine: Tensor
    u: Tensor
    v: Tensor
    sigma_2: Tensor
    kappa_u: Tensor
    kappa_v: Tensor


def relu_convolution(inputs: int, outputs: int) -> Conv2dNormActivation:
    """Make a 3x3 convolution with bias and a ReLU."""
    return Conv2dNormActivation(inputs, outputs, 3, norm_layer=None)


def group_convolution(
    inputs: int, outputs: int, kernel: int = 3, rate: int = 1
) -> Conv2dNormActivation:
    """Make a convolution, norm over groups of channels, and a ReLU."""
    return Conv2dNormActivation(inputs, outputs, kernel, dilation=rate, norm_layer=GROUPS)


def twice(x: Tensor) -> Tensor:
    """Double a map's height and width, bilinearly."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """Add up the pyramid's maps p2 to p5 at stride 4: (N, 256, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        steps = (1, 1, 2, 3)  # convolutions of p2 to p5; after each but p2's the size doubles
        self.levels = nn.ModuleList(
            nn.Sequential(*(relu_convolution(256, 256) for _ in range(count))) for count in steps
        )
        self.last = nn.Conv2d(256, 256, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        first, *others = self.levels
        total = first(maps[0])
        for steps, x in zip(others, maps[1:4], strict=True):
            for step in steps.children():
                x = twice(step(x))
            total = total + x
        return self.last(total)


class Pyramid(nn.Module):
    """Look at cells (N, 256, S, S) near and far at once: (N, 256, S, S)."""

    def __init__(self) -> None:
        super().__init__()
        self.near = group_convolution(256, 256, 1)
        self.far = nn.ModuleList(group_convolution(256, 256, rate=rate) for rate in RATES)
        self.whole = group_convolution(256, 256, 1)
        self.project = nn.Conv2d(5 * 256, 256, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.whole(x.mean((2, 3), keepdim=True)).expand_as(x)
        seen = [self.near(x), *(layer(x) for layer in self.far), mean]
        return F.relu_(self.project(torch.cat(seen, dim=1)))


class Head(nn.Module):
    """Turn cut out people (N, 256, S, S) into (N, width, S, S)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        deeplab = config.head == "deeplab"
        self.pyramid: nn.Module = Pyramid() if deeplab else nn.Identity()
        layer = group_convolution if deeplab else relu_convolution
        self.layers = nn.Sequential(
            *(layer(config.width if n else 256, config.width) for n in range(config.layers))
        )

    def forward(self, people: Tensor) -> Tensor:
        return self.layers(self.pyramid(people))


class Predictor(nn.Module):
    """Turn what a head found (N, width, S, S) into charts of 4 S x 4 S cells."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.coarse = _upward(config.width, config.coarse_channels)
        self.fine = _upward(config.width, PARTS)
        self.u = _upward(config.width, PARTS)
        self.v = _upward(config.width, PARTS)
        if config.confidence != "none":
            self.sigma_2 = _upward(config.width, PARTS)
        if config.confidence == "anisotropic":
            self.kappa_u = _upward(config.width, PARTS)
            self.kappa_v = _upward(config.width, PARTS)
        if config.segment_confidence:
            self.fine_confidence = _upward(config.width, 1)
            self.coarse_confidence = _upward(config.width, 1)

    def forward(self, found: Tensor) -> Charts:
        return charted({name: twice(layer(found)) for name, layer in self.named_children()})


def charted(maps: Mapping[str, Tensor]) -> Charts:
    """Make charts of the maps (N, ., S, S) that a predictor's layers give, by the layers' names."""
    coarse, fine = maps["coarse"], maps["fine"]
    if "fine_confidence" in maps:
        coarse = coarse * _confidence(maps["coarse_confidence"])
        fine = fine * _confidence(maps["fine_confidence"])
    nothing = coarse.new_empty(0)
    names = ("u", "v", "sigma_2", "kappa_u", "kappa_v")
    return Charts(coarse, fine, *(maps.get(name, nothing) for name in names))


def _upward(width: int, channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(width, channels, kernel_size=4, stride=2, padding=1)


def _confidence(x: Tensor) -> Tensor:
    return F.softplus(x) + LEAST_CONFIDENCE
