"""Charts to surfaces: for every pixel of a person's box the part of the body and where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from muybridge.models.densepose.surface import Charts


@dataclass(frozen=True)
class Surface:
    """Hold what a person's box (4,) of int32 left, top, right, bottom shows, in picture pixels.

    ``parts`` (h, w) are 0 for background and 1 to 24, ``uv`` (h, w, 2) the coordinates on the part
    as 0 to 255 for 0 to 1.
    """

    box: NDArray[np.int32]
    parts: NDArray[np.uint8]
    uv: NDArray[np.uint8]


def to_size(boxes: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Bring boxes (N, 4) from a picture scaled to ``old`` (height, width) to one of ``new``."""
    (old_height, old_width), (height, width) = old, new
    moved = boxes * boxes.new_tensor([width / old_width, height / old_height] * 2)
    return clip_boxes_to_image(moved, new)


def whole(boxes: Tensor) -> list[tuple[int, int, int, int]]:
    """Return boxes (N, 4) as whole left, top, width, height, each cut short: sides may be 0."""
    corner, side = boxes[:, :2].long(), (boxes[:, 2:] - boxes[:, :2]).long()
    return [(x, y, w, h) for x, y, w, h in torch.cat([corner, side], 1).tolist()]


def chart(charts: Charts, number: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the parts (h, w) of one person and where on them each pixel lies (2, h, w).

    A box without height or width counts as a pixel high or wide. Where no body is seen all are
    0; else coordinates are as the network gives them, mostly 0 to 1.
    """

    size = max(height, 1), max(width, 1)

    def at_pixels(maps: Tensor) -> Tensor:
        one = maps[number : number + 1].float()
        return F.interpolate(one, size, mode="bilinear", align_corners=False)[0]

    body = at_pixels(charts.coarse).argmax(0) > 0
    parts = at_pixels(charts.fine).argmax(0) * body
    uv = torch.stack([at_pixels(maps).gather(0, parts[None])[0] for maps in (charts.u, charts.v)])
    return parts.to(torch.uint8), uv * (parts > 0)


def surfaces(charts: Charts, boxes: Tensor) -> list[Surface]:
    """Turn the charts of N people into surfaces; boxes (N, 4) are in picture pixels."""
    return [_surface(charts, number, *box) for number, box in enumerate(whole(boxes))]


def _surface(charts: Charts, number: int, x: int, y: int, width: int, height: int) -> Surface:
    parts, uv = chart(charts, number, height, width)
    box = np.array([x, y, x + parts.shape[1], y + parts.shape[0]], np.int32)
    return Surface(box, parts.cpu().numpy(), quantised(uv).permute(1, 2, 0).cpu().numpy())


def quantised(uv: Tensor) -> Tensor:
    """Return coordinates as bytes: 255 times as large, cut short and held within 0 to 255."""
    return (uv * 255).clamp(0, 255).to(torch.uint8)
