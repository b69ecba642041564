"""Learnable triangulation of human pose, algebraic (Iskakov et al., ICCV 2019).

One network looks at every picture by itself. Its heatmaps say where a joint is, a second head how
far that is to be trusted, and weighted linear triangulation (Hartley and Zisserman, 12.2) makes
points of both; all of it can be differentiated. The backbone is that of Xiao et al., "Simple
Baselines for Human Pose Estimation" (2018), with a ResNet-152.

Letters: N pictures, B people at moments, V views, J joints. Points are in metres. Places are in
pixels of the network's picture whose first pixel's *centre* is 0, and a heatmap's cell i is pixel
4 i: so the authors count, and so the weights were taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck

MAPS = 2048  # channels of the ResNet's last maps
SHARPNESS = 100  # by which heatmaps are multiplied before the softmax
DOUBT = 1e-5  # added to confidences, so that none is 0
MM = 1000  # in a metre; the equations are solved in mm


@dataclass(frozen=True)
class Config:
    """Give the network's sizes; the defaults are the article's.

    ``blocks`` are the ResNet's in each of its four stages, ``width`` is that of the maps with four
    pixels a cell.
    """

    joints: int = 17
    blocks: tuple[int, int, int, int] = (3, 8, 36, 3)
    width: int = 256


@dataclass(frozen=True)
class Found:
    """Hold what was found: ``points`` (B, J, 3) float64 metres, and what they were made of.

    ``places`` (B, V, J, 2) in pixels, and ``confidences`` (B, V, J), which add up to 1 over views.
    """

    points: Tensor
    places: Tensor
    confidences: Tensor


class Algebraic(nn.Module):
    """Find joints in pictures (B, V, 3, h, w), normalised, of at least two views.

    ``projections`` (B, V, 3, 4) map metres in the world to pixels of the network's pictures.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.confidences = Confidences(config.joints)

    def forward(self, pictures: Tensor, projections: Tensor) -> Found:
        maps = self.backbone.maps(pictures.flatten(0, 1))
        found = (self.backbone.heat(maps), self.confidences(maps))
        heat, trust = (each.view(*pictures.shape[:2], *each.shape[1:]) for each in found)
        return triangulated(heat, trust, projections, pictures.shape[-2:])


class Backbone(nn.Module):
    """Say of pictures (N, 3, h, w), normalised, where joints are: heatmaps (N, J, h/4, w/4)."""

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        made = ResNet(Bottleneck, list(config.blocks))
        self.stem = nn.Sequential(made.conv1, made.bn1, made.relu, made.maxpool)
        self.stages = nn.Sequential(made.layer1, made.layer2, made.layer3, made.layer4)
        widths = (MAPS, config.width, config.width)
        self.upsampling = nn.Sequential(
            *(layer for width in widths for layer in _doubling(width, config.width))
        )
        self.heatmaps = nn.Conv2d(config.width, config.joints, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.heat(self.maps(pictures))

    def maps(self, pictures: Tensor) -> Tensor:
        """Read pictures (N, 3, h, w): (N, 2048, h/32, w/32)."""
        return self.stages(self.stem(pictures))

    def features(self, maps: Tensor) -> Tensor:
        """Enlarge the ResNet's maps: (N, width, h/4, w/4)."""
        return self.upsampling(maps)

    def heat(self, maps: Tensor) -> Tensor:
        """Make heatmaps (N, J, h/4, w/4) of the ResNet's maps."""
        return self.heatmaps(self.features(maps))


class Confidences(nn.Module):
    """Say of the ResNet's maps (N, 2048, h, w), at least 4 x 4, how far to trust them: (N, J).

    From 0 to 1. There is one for each joint, or for each channel of the maps that are unprojected.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_halving(MAPS, 512), *_halving(512, 256))
        self.head = nn.Sequential(
            nn.Linear(256, 512),
            nn.ReLU(inplace=True),
            nn.Linear(512, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, outputs),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.head(self.features(maps).mean((2, 3))).sigmoid()


def triangulated(heat: Tensor, trust: Tensor, projections: Tensor, size: Sequence[int]) -> Found:
    """Make joints of heatmaps (B, V, J, h', w') of pictures of a size (h, w), and trust in them.

    The trust (B, V, J) is from 0 to 1.
    """
    confidences = normed(trust)
    places = pixels(centre(spread(heat)), heat.shape[-2:], size)
    return Found(linear(places, projections, confidences), places, confidences)


def spread(heat: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """Make of heatmaps (..., h, w) how likely a joint is in each cell; they add up to 1."""
    return (heat * sharpness).flatten(-2).softmax(-1).view_as(heat)


def centre(masses: Tensor) -> Tensor:
    """Find the centre of mass (..., 2), x and y in cells, of maps (..., h, w)."""
    height, width = masses.shape[-2:]
    across, down = torch.arange(width).to(masses), torch.arange(height).to(masses)
    x, y = (masses.sum(-2) * across).sum(-1), (masses.sum(-1) * down).sum(-1)
    return torch.stack([x, y], -1) / masses.sum((-2, -1))[..., None]


def pixels(cells: Tensor, small: Sequence[int], size: Sequence[int]) -> Tensor:
    """Turn places (..., 2) in cells of maps (h', w') into pixels of pictures (h, w)."""
    return cells * cells.new_tensor([size[1] / small[1], size[0] / small[0]])


def normed(trust: Tensor) -> Tensor:
    """Compare views: confidences (B, V, J) that add up to 1, but for a little, over them."""
    return trust / trust.sum(1, keepdim=True) + DOUBT


def linear(places: Tensor, projections: Tensor, confidences: Tensor) -> Tensor:
    """Triangulate places (B, V, J, 2): points (B, J, 3) float64, in the projections' metres.

    Each view says of X = (X₁, X₂, X₃, 1) in mm that x (p₃·X) = p₁·X and y (p₃·X) = p₂·X, so much as
    its confidence is; of all X of length 1 the one is taken that errs least. Both are homogeneous,
    and in other units another X would err least: the weights were taught in mm.
    """
    projections = projections.double() / projections.new_tensor([MM, MM, MM, 1]).double()
    weights = confidences.double()[..., None, None]
    first, last = projections[:, :, None, :2], projections[:, :, None, 2:]  # (B, V, 1, 2 or 1, 4)
    rows = (places.double()[..., None] * last - first) * weights  # (B, V, J, 2, 4)
    found = torch.linalg.svd(rows.transpose(1, 2).flatten(2, 3), full_matrices=False)[2][..., -1, :]
    return found[..., :3] / found[..., 3:] / MM


def _doubling(before: int, after: int) -> tuple[nn.Module, ...]:
    """Make maps of twice the size."""
    return (
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def _halving(before: int, after: int) -> tuple[nn.Module, ...]:
    """Make maps of half the size."""
    return (
        nn.Conv2d(before, after, 3, padding=1),
        nn.BatchNorm2d(after),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
    )
