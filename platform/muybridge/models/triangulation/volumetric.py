"""Learnable triangulation of human pose, volumetric (Iskakov et al., ICCV 2019).

What the backbone sees in every view is brought together in a cube about the pelvis, where
V2V-PoseNet (Moon et al., CVPR 2018), an encoder and decoder of 3-D convolutions, says how likely
each joint is in each cell. The point is the mean of the cells, so weighed.

Letters: B people at moments, V views, J joints, n cells along an edge, a multiple of 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from muybridge.models.triangulation import volumes
from muybridge.models.triangulation.model import Backbone, Confidences, Config

WIDTHS = (32, 64, 128, 128, 128, 128)  # of the encoder's volumes, from the largest to the smallest


@dataclass(frozen=True)
class Space:
    """Give the cube's sizes; the defaults are those of the published weights.

    ``side`` is in metres, ``channels`` are the cube's. Under ``parity`` maps are read with the two
    slips with which the published weights were taught (``volumes``).
    """

    cells: int = 64
    side: float = 2.5
    channels: int = 32
    aggregation: volumes.Aggregation = "softmax"
    parity: bool = True


class Volumetric(nn.Module):
    """Find joints (B, J, 3), metres, in pictures (B, V, 3, h, w), normalised, about a point (B, 3).

    ``projections`` (B, V, 3, 4) map metres in the world to pixels of the network's pictures, and
    ``axes`` (3, 3) has in its columns where the cube's axes point; the last is to be upright.
    """

    def __init__(self, config: Config = Config(), space: Space = Space()) -> None:
        super().__init__()
        self.space = space
        self.backbone = Backbone(config)
        self.narrow = nn.Conv2d(config.width, space.channels, 1)
        self.network = V2V(space.channels, config.joints)
        trusting = space.aggregation in ("conf", "conf_norm")
        self.confidences = Confidences(space.channels) if trusting else None

    def forward(
        self, pictures: Tensor, projections: Tensor, centres: Tensor, axes: Tensor | None = None
    ) -> Tensor:
        people = zip(pictures, projections, centres, strict=True)
        return torch.stack([self.person(*person, axes) for person in people])

    def person(
        self, pictures: Tensor, projections: Tensor, centre: Tensor, axes: Tensor | None = None
    ) -> Tensor:
        """Find one person's joints (J, 3) in pictures (V, 3, h, w)."""
        maps, trust = self.seen(pictures)
        smaller = small(projections, pictures.shape[-2:], maps.shape[-2:])
        return located(self.network, maps, trust, smaller, centre, axes, self.space)[0]

    def seen(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read pictures (V, 3, h, w): maps (V, C, h/4, w/4), and how far to trust them (V, C)."""
        maps = self.backbone.maps(pictures)
        trust = self.confidences(maps) if self.confidences else None
        return self.narrow(self.backbone.features(maps)), trust


def located(
    network: nn.Module,
    maps: Tensor,
    trust: Tensor | None,
    projections: Tensor,
    centre: Tensor,
    axes: Tensor | None,
    space: Space,
) -> tuple[Tensor, Tensor]:
    """Find one person's joints (J, 3) in maps (V, C, h, w), to whose cells ``projections`` map.

    And how far the cells that may be it lie apart: the standard deviation along an axis (J,). Cells
    are placed about the person, so that float32 is exact wherever in the world that is.
    """
    moved = projections.double().clone()
    moved[:, :, 3] += moved[:, :, :3] @ centre.double()
    turn = torch.eye(3).to(maps) if axes is None else axes.to(maps)
    cells = volumes.cube(torch.zeros(3).to(maps), turn, space.side, space.cells)
    cube = volumes.filled(maps, moved.to(maps), cells, space.aggregation, trust, space.parity)
    likely = volumes.spread(network(cube[None])[0])
    points = volumes.expected(likely, cells)
    squared = volumes.expected(likely, cells.square()) - points.square()
    return points.double() + centre.double(), squared.mean(1).clamp(min=0).sqrt()


def small(projections: Tensor, pictures: Sequence[int], maps: Sequence[int]) -> Tensor:
    """Make of projections (V, 3, 4) to pixels of pictures (h, w) those to cells of such maps."""
    scale = [maps[1] / pictures[1], maps[0] / pictures[0], 1]
    return projections * projections.new_tensor(scale)[:, None]


class V2V(nn.Module):
    """Say of cubes (B, C, n, n, n) where joints are: logits (B, J, n, n, n)."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.front = nn.Sequential(
            Basic(channels, 16, 7), Residual(16, 32), Residual(32, 32), Residual(32, 32)
        )
        self.middle = Hourglass()
        self.back = nn.Sequential(Residual(32, 32), Basic(32, 32, 1), Basic(32, 32, 1))
        self.last = nn.Conv3d(32, joints, 1)

    def forward(self, cubes: Tensor) -> Tensor:
        return self.last(self.back(self.middle(self.front(cubes))))


class Hourglass(nn.Module):
    """Look at cubes (B, 32, n, n, n) at six sizes, the smallest n / 32, and give the same shape."""

    def __init__(self) -> None:
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.skips = nn.ModuleList(Residual(large, large) for large, _ in steps)
        self.encoders = nn.ModuleList(Residual(large, less) for large, less in steps)
        self.smallest = Residual(WIDTHS[-1], WIDTHS[-1])
        self.decoders = nn.ModuleList(Residual(less, less) for _, less in steps)
        self.upsampling = nn.ModuleList(Doubling(less, large) for large, less in steps)
        self.pool = nn.MaxPool3d(2)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for skip, encoder in zip(self.skips, self.encoders, strict=True):
            kept.append(skip(x))
            x = encoder(self.pool(x))
        x = self.smallest(x)
        for level in reversed(range(len(kept))):
            x = self.upsampling[level](self.decoders[level](x)) + kept.pop()
        return x


class Residual(nn.Module):
    """Convolve twice by 3 x 3 x 3 and add what was given, convolved if widths differ."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv3d(before, after, 3, padding=1),
            nn.BatchNorm3d(after),
            nn.ReLU(inplace=True),
            nn.Conv3d(after, after, 3, padding=1),
            nn.BatchNorm3d(after),
        )
        self.shortcut = (
            nn.Identity()
            if before == after
            else nn.Sequential(nn.Conv3d(before, after, 1), nn.BatchNorm3d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.branch(x) + self.shortcut(x)).relu()


class Basic(nn.Sequential):
    """Convolve, normalise, and drop what is negative."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__(
            nn.Conv3d(before, after, kernel, padding=kernel // 2),
            nn.BatchNorm3d(after),
            nn.ReLU(inplace=True),
        )


class Doubling(nn.Sequential):
    """Make cubes of twice as many cells along each edge."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.ConvTranspose3d(before, after, 2, 2), nn.BatchNorm3d(after), nn.ReLU(inplace=True)
        )
