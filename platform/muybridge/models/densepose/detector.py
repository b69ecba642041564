"""Where people are: regions worth a look, then what is in them.

Ren et al., "Faster R-CNN" (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.ops import batched_nms

from muybridge.models.densepose import boxes as box
from muybridge.models.densepose.backbone import STRIDES
from muybridge.models.densepose.config import Config

Size = tuple[int, int]  # height and width of a picture in the network's pixels, without padding
REGION_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
PERSON_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
CELLS = 7  # a region is looked at in as many cells a side


@dataclass(frozen=True)
class Regions:
    """Boxes (R, 4) in the network's pixels that may hold somebody, best first; logits (R,)."""

    boxes: Tensor
    logits: Tensor


@dataclass(frozen=True)
class People:
    """Boxes (N, 4) in the network's pixels, scores (N,), best first; each one's region (N,)."""

    boxes: Tensor
    scores: Tensor
    region: Tensor


class RegionHead(nn.Module):
    """Say for each anchor of a map (N, 256, H, W) whether it holds something, and how to move it.

    Returns logits (N, H * W * 3) and moves (N, H * W * 3, 4), by row, column, ratio.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(256, 256, 3, padding=1)
        self.logits = nn.Conv2d(256, len(box.RATIOS), 1)
        self.moves = nn.Conv2d(256, len(box.RATIOS) * 4, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu_(self.conv(features))
        logits = self.logits(x).permute(0, 2, 3, 1).flatten(1)
        moves = self.moves(x).permute(0, 2, 3, 1).unflatten(3, (-1, 4)).flatten(1, 3)
        return logits, moves


def propose(
    maps: Sequence[Tensor],
    found: Sequence[tuple[Tensor, Tensor]],
    sizes: Sequence[Size],
    config: Config,
) -> list[Regions]:
    """Choose each picture's regions out of what ``RegionHead`` found in the maps p2 to p6."""
    grids = [
        box.anchors(features.shape[2], features.shape[3], stride).to(features.device)
        for features, stride in zip(maps, STRIDES, strict=True)
    ]
    return [
        _chosen([(logits[i], moves[i]) for logits, moves in found], grids, size, config)
        for i, size in enumerate(sizes)
    ]


def _chosen(
    found: Sequence[tuple[Tensor, Tensor]], grids: Sequence[Tensor], size: Size, config: Config
) -> Regions:
    boxes, logits, levels = [], [], []
    for level, ((all_logits, moves), grid) in enumerate(zip(found, grids, strict=True)):
        best = all_logits.float().topk(min(config.proposals_per_level, len(all_logits)))
        boxes.append(box.decode(moves[best.indices].float(), grid[best.indices], REGION_WEIGHTS))
        logits.append(best.values)
        levels.append(torch.full_like(best.indices, level))
    every, scores, level_of = box.clip(torch.cat(boxes), size), torch.cat(logits), torch.cat(levels)
    sound = torch.isfinite(scores) & (every[:, 2:] > every[:, :2]).all(1)
    every, scores, level_of = every[sound], scores[sound], level_of[sound]
    kept = batched_nms(every, scores, level_of, config.proposal_overlap)[: config.proposals]
    return Regions(every[kept], scores[kept])


class PersonHead(nn.Module):
    """Look at regions cut out of the pyramid (R, 256, 7, 7).

    Returns logits (R, 2) of being a person and of being background, and moves (R, 4).
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(256 * CELLS**2, 1024)
        self.second = nn.Linear(1024, 1024)
        self.logits = nn.Linear(1024, 2)
        self.moves = nn.Linear(1024, 4)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu_(self.second(F.relu_(self.first(regions.flatten(1)))))
        x = x.type_as(self.logits.weight)  # which may be kept finer than the rest
        return self.logits(x), self.moves(x)


def people(regions: Regions, logits: Tensor, moves: Tensor, size: Size, config: Config) -> People:
    """Choose the people among a picture's regions (R), by logits (R, 2) and moves (R, 4)."""
    scores = logits.float().softmax(-1)[:, 0]
    boxes = box.clip(box.decode(moves.float(), regions.boxes, PERSON_WEIGHTS), size)
    sound = torch.isfinite(scores) & torch.isfinite(boxes).all(1)
    index = (sound & (scores > config.min_score)).nonzero()[:, 0]
    one_class = torch.zeros_like(index)
    kept = batched_nms(boxes[index], scores[index], one_class, config.detection_overlap)
    index = index[kept[: config.detections]]
    return People(boxes[index], scores[index], index)
