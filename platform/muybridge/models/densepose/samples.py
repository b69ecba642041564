"""Cut boxes out of maps by naming the cells that count and how much, then adding them up.

It is RoIAlign with 2 x 2 samples a cell and no half-pixel shift, as ``boxes.pool`` does, but reads
maps that keep a cell's channels side by side. On a CPU that is several times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from muybridge.models.densepose.boxes import levels

PER_CELL = 4  # samples of a cell along one axis, 2, times the two cells of the map next to each


@dataclass(frozen=True)
class Axis:
    """Hold for R boxes and S cells along one axis of a map where to look (R, S, 4), how much."""

    index: Tensor
    weight: Tensor


def axis(starts: Tensor, ends: Tensor, cells: int, length: int) -> Axis:
    """Say where boxes from ``starts`` to ``ends`` (R,), in map cells, look on a map that long."""
    step = (ends - starts).clamp(min=1) / cells
    offsets = torch.arange(2 * cells, device=starts.device) / 2 + 0.25
    at = starts[:, None] + offsets * step[:, None]
    inside = (at >= -1) & (at <= length)
    low = at.clamp(min=0).long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    share = torch.where(low < length - 1, at.clamp(min=0) - low, torch.zeros_like(at))
    weight = torch.stack([1 - share, share], -1) * inside[..., None] / 2
    index = torch.stack([low, high], -1)
    shape = (len(starts), cells, PER_CELL)
    return Axis(index.reshape(shape), weight.reshape(shape))


def pool(table: Tensor, rows: Axis, columns: Axis, width: int, first: Tensor) -> Tensor:
    """Add up rows of a table (cells of maps, C), maps that many cells wide: (R, S, S, C).

    ``first`` (R,) says at which row of the table the map of a box begins.
    """
    index = rows.index[:, :, None, :, None] * width + columns.index[:, None, :, None, :]
    weight = rows.weight[:, :, None, :, None] * columns.weight[:, None, :, None, :]
    boxes, cells = rows.index.shape[:2]
    if not boxes:
        return table.new_zeros(0, cells, cells, table.shape[1])
    flat = (index + first[:, None, None, None, None]).reshape(-1, PER_CELL**2)
    given = weight.reshape(-1, PER_CELL**2).to(table.dtype)
    total = F.embedding_bag(flat, table, per_sample_weights=given, mode="sum")
    return total.view(boxes, cells, cells, -1)


def pool_levels(
    maps: Sequence[Tensor], boxes: Sequence[Tensor], strides: Sequence[int], cells: int
) -> Tensor:
    """Cut boxes (R, 4) a picture out of the maps that fit their sizes: (all R, S, S, C)."""
    every = torch.cat(list(boxes))
    counts = torch.tensor([len(mine) for mine in boxes])
    picture = torch.arange(len(boxes)).repeat_interleave(counts)
    level = levels(every)
    pooled = maps[0].new_zeros(len(every), cells, cells, maps[0].shape[1])
    for number, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        mine = (level == number).nonzero()[:, 0]
        height, width = features.shape[2:]
        left, top, right, bottom = (every[mine] / stride).unbind(1)
        rows = axis(top, bottom, cells, height)
        columns = axis(left, right, cells, width)
        first = picture[mine] * (height * width)
        pooled[mine] = pool(table(features), rows, columns, width, first)
    return pooled


def table(features: Tensor) -> Tensor:
    """Return a map (N, C, H, W) as rows of channels (N * H * W, C), without a copy if it may be."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
