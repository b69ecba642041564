"""Measure how far what the head says of people is from what was annotated.

Four losses, as in Güler et al., "DensePose: Dense Human Pose Estimation in the Wild", CVPR 2018:
of U and V at the annotated points (smooth L1), of the part at these points (cross-entropy), and of
the coarse segmentation over the whole box (cross-entropy). With confidences U and V have one loss,
the negative log-likelihood of Neverova et al., "Correlated Uncertainty for Learning Dense
Correspondences from Noisy Labels", NeurIPS 2019.

Letters: N boxes, A of them annotated, P points, C channels, S the side of the head's maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, grid_sample, smooth_l1_loss, softplus
from torchvision.ops import box_iou

from muybridge.models.densepose.annotations import SQUARE, Person
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.surface import Charts

LEAST_VARIANCE = 0.01  # of a surface coordinate, however sure the network is
OVERLAP = 0.7  # of a box with the annotated one, above which its surface is learnt


@dataclass(frozen=True)
class Weights:
    """Say how much each loss counts; the defaults are those of s1x."""

    uv: float = 0.01
    fine: float = 1.0
    coarse: float = 5.0


S1X = Weights()
CONFIDENT = Weights(uv=0.0005)
LEGACY = Weights(uv=0.1, fine=0.3, coarse=2.0)


def published(config: Config) -> Weights:
    """Give the weights that the published network like this was trained with."""
    if config.confidence != "none":
        return CONFIDENT
    return S1X if config.decoder else LEGACY


@dataclass(frozen=True)
class Targets:
    """Hold what is known of the people in N boxes, all boxes left, top, right, bottom in pixels.

    ``boxes`` (N, 4) are those the head was given; ``row`` (A,) the annotated ones among them,
    ``truth`` (A, 4) the boxes as annotated and ``drawn`` (A, 256, 256) uint8 the hand-drawn parts
    in those. Of each point ``box`` (P,) says which of the N it belongs to, ``place`` (P, 2) is x, y
    in pixels, ``part`` (P,) int64 0 to 24, ``uv`` (P, 2) its surface coordinates.
    """

    boxes: Tensor
    row: Tensor
    truth: Tensor
    drawn: Tensor
    box: Tensor
    place: Tensor
    part: Tensor
    uv: Tensor


@dataclass(frozen=True)
class Sampling:
    """Say between which cells of S x S maps P points lie: bilinear sampling without torch's own.

    ``inside`` (P,) says which points lie in their box. ``low`` and ``high`` (P, 2) int64 are the
    column and row of the cells before and after the point, ``share`` (P, 2) how far it is from the
    former to the latter.
    """

    inside: Tensor
    low: Tensor
    high: Tensor
    share: Tensor


def learnable(boxes: Tensor, truth: Tensor, people: Sequence[Person | None]) -> Tensor:
    """Choose boxes (N, 4) to learn a surface from: annotated, and overlapping their truth (N, 4).

    Returns a mask (N,).
    """
    annotated = torch.tensor([person is not None for person in people], device=boxes.device)
    return annotated.bool() & (box_iou(boxes, truth).diagonal() > OVERLAP)


def targets(people: Sequence[Person | None], truth: Tensor, boxes: Tensor) -> Targets:
    """Gather the annotations of the people in boxes (N, 4), annotated with boxes ``truth`` (N, 4).

    The pixels are the network's, so ``Person.box`` is not looked at. None is somebody who was not
    annotated.
    """
    known = [(row, person) for row, person in enumerate(people) if person is not None]
    device = boxes.device

    def joined(name: str) -> Tensor:
        parts = [getattr(person, name) for _, person in known]
        return torch.from_numpy(np.concatenate(parts or [np.zeros(0, np.float32)])).to(device)

    row = torch.tensor([row for row, _ in known], dtype=torch.int64, device=device)
    counts = torch.tensor([len(person.x) for _, person in known], dtype=torch.int64, device=device)
    box = row.repeat_interleave(counts)
    corner, size = truth[box, :2], truth[box, 2:] - truth[box, :2]
    place = torch.stack([joined("x"), joined("y")], dim=1)
    drawn = np.array([p.drawn for _, p in known], np.uint8).reshape(-1, SQUARE, SQUARE)
    return Targets(
        boxes,
        row,
        truth[row],
        torch.from_numpy(drawn).to(device),
        box,
        corner + place * size / SQUARE,
        joined("part").long(),
        torch.stack([joined("u"), joined("v")], dim=1),
    )


def sampling(known: Targets, side: int) -> Sampling:
    """Find the cells of maps with ``side`` cells that the annotated points lie between."""
    boxes = known.boxes[known.box]
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    offset = known.place - corner
    at = offset * side / size
    low = at.floor().long().clamp(0, side - 1)
    high = (low + 1).clamp(max=side - 1)
    inside = ((offset >= 0) & (offset < size)).all(dim=1)
    return Sampling(inside, low, high, torch.minimum(at, high.float()) - low)


def sampled(maps: Tensor, box: Tensor, points: Sampling) -> Tensor:
    """Read maps (N, C, S, S) at points (P,) of their boxes ``box`` (P,): (P, C)."""
    (left, top), (right, bottom) = points.low.unbind(1), points.high.unbind(1)
    x, y = points.share[:, 0:1], points.share[:, 1:2]
    upper = maps[box, :, top, left] * (1 - x) + maps[box, :, top, right] * x
    lower = maps[box, :, bottom, left] * (1 - x) + maps[box, :, bottom, right] * x
    return upper * (1 - y) + lower * y


def drawn(known: Targets, side: int) -> Tensor:
    """Bring the hand-drawn parts (A, 256, 256) from their boxes to the head's: (A, S, S) int64.

    The nearest cell counts; outside of the annotated box is background.
    """
    boxes, truth = known.boxes[known.row], known.truth
    size = truth[:, 2:] - truth[:, :2]
    first = (boxes[:, :2] - truth[:, :2]) / size * 2 - 1
    last = (boxes[:, 2:] - truth[:, :2]) / size * 2 - 1
    step = torch.arange(side, device=boxes.device)[:, None] / side
    at = first[:, None] + (last - first)[:, None] * step  # (A, S, 2), in -1 to 1 of the true box
    across, down = at[:, None, :, 0], at[:, :, None, 1]
    grid = torch.stack([across.expand(-1, side, -1), down.expand(-1, -1, side)], dim=3)
    maps = known.drawn[:, None].float()
    return grid_sample(maps, grid, mode="nearest", align_corners=True)[:, 0].long()


def losses(charts: Charts, known: Targets, weights: Weights = S1X) -> dict[str, Tensor]:
    """Weigh the losses of N boxes' charts: ``u`` and ``v``, or ``uv``; ``fine``; ``coarse``.

    Those of U and V are summed over the points, the others averaged. Where nothing is annotated
    they are 0, and so are their gradients.
    """
    coarse = weights.coarse * _coarse(charts.coarse, known)
    return {**point_losses(charts, known, weights), "coarse": coarse}


def point_losses(charts: Charts, known: Targets, weights: Weights = S1X) -> dict[str, Tensor]:
    """Weigh the losses at the annotated points alone: ``u`` and ``v``, or ``uv``; ``fine``."""
    points = sampling(known, charts.fine.shape[-1])
    return {
        **_surface(charts, known, points, weights.uv),
        "fine": weights.fine * _fine(charts.fine, known, points),
    }


def _surface(charts: Charts, known: Targets, points: Sampling, weight: float) -> dict[str, Tensor]:
    """Compare U and V at the points on the body that lie in their boxes."""
    body = points.inside & (known.part > 0)

    def read(maps: Tensor) -> Tensor:
        return sampled(maps, known.box, points).gather(1, known.part[:, None])[body, 0]

    wanted = known.uv[body]
    if not charts.sigma_2.numel():
        return {
            name: weight * smooth_l1_loss(read(maps), wanted[:, i], reduction="sum")
            for i, (name, maps) in enumerate((("u", charts.u), ("v", charts.v)))
        }
    miss = torch.stack([read(charts.u), read(charts.v)], dim=1) - wanted
    variance = softplus(read(charts.sigma_2)) + LEAST_VARIANCE
    if charts.kappa_u.numel():
        along = torch.stack([read(charts.kappa_u), read(charts.kappa_v)], dim=1)
    else:
        along = torch.zeros_like(miss)
    return {"uv": weight * surprise(miss, variance, along).sum()}


def surprise(miss: Tensor, variance: Tensor, along: Tensor) -> Tensor:
    """Say how unlikely misses (P, 2) are: (P,) negative log-likelihoods under Gaussians.

    Their covariance is ``variance`` (P,) times unity plus the outer square of ``along`` (P, 2).
    """
    stretched = variance + (along**2).sum(dim=1)
    determinant = variance * stretched
    square = (miss**2).sum(dim=1) / variance - (miss * along).sum(dim=1) ** 2 / determinant
    return 0.5 * (math.log(2 * math.pi) + determinant.log() + square)


def _fine(maps: Tensor, known: Targets, points: Sampling) -> Tensor:
    """Compare the parts at the points that lie in their boxes."""
    logits, part = sampled(maps, known.box, points)[points.inside], known.part[points.inside]
    return cross_entropy(logits, part, reduction="sum") / max(1, len(part))


def _coarse(maps: Tensor, known: Targets) -> Tensor:
    """Compare the segmentation of annotated boxes: drawn parts, or with two channels the body."""
    wanted = drawn(known, maps.shape[-1])
    if maps.shape[1] == 2:
        wanted = (wanted > 0).long()
    total = cross_entropy(maps[known.row], wanted, reduction="sum")
    return total / max(1, wanted.numel())
