"""The decoder computed only where people are, with the same result.

What is pooled at stride 4 depends on the cells under a box and few round it. Everything at strides
16 and 32 is computed whole, it is little; what is at strides 8 and 4 only in windows round people.
Three further steps change nothing but rounding: maps that are doubled in size are added up first;
the last 1 x 1 convolution comes after pooling, which is a weighted sum of cells as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from muybridge.models.densepose import samples
from muybridge.models.densepose.backbone import STRIDES
from muybridge.models.densepose.samples import Axis
from muybridge.models.densepose.surface import Decoder, twice

HALO = 1  # cells round a window that a 3x3 convolution sees


@dataclass(frozen=True)
class Window:
    """Hold a part of a map: rows ``top`` to ``bottom``, columns ``left`` to ``right``, in cells."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def cost(self) -> int:
        """The cells that a convolution there reads."""
        return (self.bottom - self.top + 2 * HALO) * (self.right - self.left + 2 * HALO)

    def __or__(self, other: Window) -> Window:
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def halved(self, height: int, width: int) -> Window:
        """Return the part of a map half as large, this high and wide, that doubling it reads."""
        return Window(
            max(self.top // 2 - 1, 0),
            min(self.bottom // 2 + 1, height),
            max(self.left // 2 - 1, 0),
            min(self.right // 2 + 1, width),
        )


def cut(decoder: Decoder, maps: Sequence[Tensor], boxes: Sequence[Tensor], cells: int) -> Tensor:
    """Cut people, boxes (R, 4) a picture, out of the decoder's map: (all R, 256, S, S)."""
    pooled = [
        _cut(decoder, [features[number : number + 1] for features in maps[:4]], mine, cells)
        for number, mine in enumerate(boxes)
    ]
    return torch.cat(pooled).permute(0, 3, 1, 2)


def _cut(decoder: Decoder, maps: Sequence[Tensor], boxes: Tensor, cells: int) -> Tensor:
    """Cut a picture's people (R, 4) out: (R, S, S, 256)."""
    height, width = maps[0].shape[2:]
    left, top, right, bottom = (boxes / STRIDES[0]).unbind(1)
    rows = samples.axis(top, bottom, cells, height)
    columns = samples.axis(left, right, cells, width)
    pooled = maps[0].new_zeros(len(boxes), cells, cells, maps[0].shape[1])
    if not len(boxes):
        return pooled
    half = _half(decoder, maps)
    for window, mine in merged(windows(rows, columns), Window(0, height, 0, width)):
        pooled[mine] = _pooled(decoder, maps, half, window, _of(rows, mine), _of(columns, mine))
    weight = rows.weight.sum(2)[:, :, None] * columns.weight.sum(2)[:, None, :]
    last: Any = decoder.last
    bias = last.bias * weight[..., None].to(pooled.dtype)  # a sample outside the map counts nothing
    return F.linear(pooled, last.weight[:, :, 0, 0]) + bias


def _of(axis: Axis, mine: Sequence[int]) -> Axis:
    return Axis(axis.index[list(mine)], axis.weight[list(mine)])


def windows(rows: Axis, columns: Axis) -> list[Window]:
    """Return for each box the window it reads, from even to even cells."""
    ends = [(axis.index.amin((1, 2)), axis.index.amax((1, 2)) + 1) for axis in (rows, columns)]
    low, high = zip(*ends, strict=True)
    even = torch.stack(
        [low[0] // 2 * 2, -(-high[0] // 2) * 2, low[1] // 2 * 2, -(-high[1] // 2) * 2]
    )
    return [Window(*corners) for corners in even.T.tolist()]


def merged(parts: Sequence[Window], whole: Window) -> list[tuple[Window, list[int]]]:
    """Put windows together where one costs no more than two; each comes with its boxes' numbers."""
    groups = [(window, [number]) for number, window in enumerate(parts)]
    while pair := _pair(groups):
        (first, mine), (second, others) = (groups.pop(place) for place in pair)
        groups.append((first | second, mine + others))
    if sum(window.cost for window, _ in groups) > whole.cost:
        return [(whole, list(range(len(parts))))]
    return groups


def _pair(groups: Sequence[tuple[Window, list[int]]]) -> tuple[int, int] | None:
    """Return the places, higher one first, of two windows that one should replace."""
    for second in range(len(groups)):
        for first in range(second):
            one, two = groups[first][0], groups[second][0]
            if (one | two).cost <= one.cost + two.cost:
                return second, first
    return None


def _half(decoder: Decoder, maps: Sequence[Tensor]) -> list[tuple[nn.Module, Tensor]]:
    """Return the last convolution of p3, p4 and p5 with the map at stride 8 that it reads."""
    inputs = []
    for steps, x in zip(list(decoder.levels)[1:], maps[1:], strict=True):
        *early, last = steps.children()
        for step in early:
            x = twice(step(x))
        inputs.append((last, x))
    return inputs


def _pooled(
    decoder: Decoder,
    maps: Sequence[Tensor],
    half: Sequence[tuple[nn.Module, Tensor]],
    window: Window,
    rows: Axis,
    columns: Axis,
) -> Tensor:
    """Sum up the levels in one window and pool there, before the last convolution."""
    inner = window.halved(*half[0][1].shape[2:])
    first, *others = (_convolved(layer, x, inner) for layer, x in half)
    doubled = twice(sum(others, first))
    top, left = window.top - 2 * inner.top, window.left - 2 * inner.left
    height, width = window.bottom - window.top, window.right - window.left
    finest = _convolved(decoder.levels[0], maps[0], window)
    finest += doubled[:, :, top : top + height, left : left + width]
    return samples.pool(
        samples.table(finest),
        Axis(rows.index - window.top, rows.weight),
        Axis(columns.index - window.left, columns.weight),
        width,
        torch.zeros(len(rows.index), dtype=torch.long),
    )


def _convolved(layer: nn.Module, x: Tensor, window: Window) -> Tensor:
    """Apply a 3x3 convolution and its ReLU in a window of a map (1, C, H, W) only."""
    top, left = max(window.top - HALO, 0), max(window.left - HALO, 0)
    part = x[:, :, top : window.bottom + HALO, left : window.right + HALO]
    made = layer(part)
    top, left = window.top - top, window.left - left
    bottom, right = top + window.bottom - window.top, left + window.right - window.left
    return made[:, :, top:bottom, left:right]
