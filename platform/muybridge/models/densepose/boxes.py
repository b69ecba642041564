"""Boxes (N, 4) as left, top, right, bottom in the network's pixels: made, moved, cut out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_area, clip_boxes_to_image, roi_align

RATIOS = (0.5, 1.0, 2.0)  # height to width of an anchor
LARGEST = math.log(1000 / 16)  # how much a regression may enlarge a side
Weights = tuple[float, float, float, float]
CANONICAL_SIDE, CANONICAL_LEVEL = 224, 2  # pixels of a box that belongs to p4, the third level


def cell_anchors(side: int) -> Tensor:
    """Return the anchors (3, 4) of a square of ``side`` pixels round the origin, one a ratio."""
    rows = []
    for ratio in RATIOS:
        width = math.sqrt(side**2 / ratio)
        height = width * ratio
        rows.append((-width / 2, -height / 2, width / 2, height / 2))
    return torch.tensor(rows)


def anchors(height: int, width: int, stride: int) -> Tensor:
    """Return a map's anchors (height * width * 3, 4), by row, column, ratio.

    The square of an anchor has eight cells a side and is centred on its cell's top left corner.
    """
    y, x = torch.meshgrid(
        torch.arange(height) * stride, torch.arange(width) * stride, indexing="ij"
    )
    corners = torch.stack([x, y, x, y], -1).float()
    return (corners[:, :, None] + cell_anchors(8 * stride)).reshape(-1, 4)


def decode(moves: Tensor, boxes: Tensor, weights: Weights) -> Tensor:
    """Move boxes (N, 4) by what a network found (N, 4): shifts in box sides, logarithms of growth.

    The network's numbers are ``weights`` times as large.
    """
    dx, dy, dw, dh = (moves / moves.new_tensor(weights)).unbind(-1)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    x = dx * width + (boxes[:, 0] + 0.5 * width)
    y = dy * height + (boxes[:, 1] + 0.5 * height)
    width = dw.clamp(max=LARGEST).exp() * width
    height = dh.clamp(max=LARGEST).exp() * height
    return torch.stack(
        [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height], dim=-1
    )


def encode(boxes: Tensor, targets: Tensor, weights: Weights) -> Tensor:
    """Return the moves (N, 4) that ``decode`` would need to bring boxes (N, 4) onto targets."""
    size, goal = boxes[:, 2:] - boxes[:, :2], targets[:, 2:] - targets[:, :2]
    shift = (targets[:, :2] + 0.5 * goal - boxes[:, :2] - 0.5 * size) / size
    return torch.cat([shift, (goal / size).log()], dim=-1) * boxes.new_tensor(weights)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes (N, 4) off at the borders of a picture of ``size`` (height, width)."""
    return clip_boxes_to_image(boxes, size)


def levels(boxes: Tensor) -> Tensor:
    """Return for each box (N, 4) the level (N,) it is cut out of: 0 for p2 to 3 for p5."""
    side = box_area(boxes).sqrt() / CANONICAL_SIDE
    return (CANONICAL_LEVEL + torch.log2(side + 1e-8)).floor().clamp(0, 3).long()


def pool(features: Tensor, boxes: Sequence[Tensor], stride: int, cells: int) -> Tensor:
    """Cut boxes (a list of (R, 4), one a picture) out of a map (N, C, H, W): (all R, C, S, S).

    Each of the S x S cells is the mean of 2 x 2 samples, and corners are not shifted by half a
    pixel.
    """
    return _aligned(features, list(boxes), stride, cells)


def pool_levels(
    maps: Sequence[Tensor], boxes: Sequence[Tensor], strides: Sequence[int], cells: int
) -> Tensor:
    """Cut each box out of the map that fits its size: (all R, C, S, S)."""
    level = levels(torch.cat(list(boxes)))
    owner = torch.cat([torch.full((len(b),), i) for i, b in enumerate(boxes)]).to(level.device)
    rows = torch.cat([owner[:, None].to(boxes[0]), torch.cat(list(boxes))], dim=1)
    pooled = maps[0].new_zeros(len(rows), maps[0].shape[1], cells, cells)
    for number, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        mine = (level == number).nonzero()[:, 0]
        pooled[mine] = _aligned(features, rows[mine], stride, cells)
    return pooled


def _aligned(features: Tensor, rows: Tensor | list[Tensor], stride: int, cells: int) -> Tensor:
    fine = features.float()  # as the boxes are, whatever the network runs in
    cut = roi_align(fine, rows, cells, 1 / stride, sampling_ratio=2, aligned=False)
    return cut.to(features.dtype)
