"""Pictures to network inputs: onto a canvas of the network's size, in blue, green and red.

The authors' way: the picture keeps its shape, its upper left pixel stays where it is, and what of
the canvas it does not cover is black. Their pixels lie at whole numbers; ours, at +0.5, come back
by ``Canvas.back``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from muybridge.models.openpose.model import STRIDE
from muybridge.models.openpose.sampling import along, cubic, linear, resampled

STEP = 16  # pixels that the sides of a canvas are multiples of
FINE = 32  # the authors warp by OpenCV, which reads at multiples of a pixel's 32nd part
SMALLER = 0.25  # by which part of the first canvas each further one is smaller


@dataclass(frozen=True)
class Canvas:
    """Say how large a network's input is, in pixels, and how a picture lies on it.

    ``scale`` is the canvas's pixels to one of the picture, ``back`` the picture's to one of the
    canvas.
    """

    height: int
    width: int
    scale: float
    back: float


def canvases(height: int, width: int, rows: int, scales: int = 1) -> list[Canvas]:
    """Lay out a picture of this size on canvases: the first has so many ``rows``."""
    wide = max(STEP * round(rows * width / height / STEP), STEP)
    first = _canvas(height, width, rows, wide)
    parts = [1 - SMALLER * at for at in range(1, scales)]
    sizes = [(_whole(rows * part), _whole(wide * part)) for part in parts]
    rest = [replace(_canvas(height, width, *size), back=first.back) for size in sizes]
    return [first, *rest]


def _whole(length: float) -> int:
    return max(int(length) // STEP * STEP, STEP)


def _canvas(height: int, width: int, rows: int, columns: int) -> Canvas:
    scale = min((columns - 1) / max(width - 1, 1), (rows - 1) / max(height - 1, 1))
    shown = round(scale * width), round(scale * height)
    back = min((width - 1) / max(shown[0] - 1, 1), (height - 1) / max(shown[1] - 1, 1))
    return Canvas(rows, columns, scale, back or 1.0)


def prepared(pictures: Tensor, canvas: Canvas, shades: tuple[float, float]) -> Tensor:
    """Put pictures (N, H, W, 3) RGB uint8 on a canvas: (N, 3, h, w) B, G, R.

    ``shades`` are the factor and the offset that make input of grey levels.
    """
    read = cubic if canvas.scale > 1 else linear
    grey = pictures
    for axis, size in ((1, canvas.height), (2, canvas.width)):
        at = torch.arange(size, dtype=torch.float64) / canvas.scale
        at = (at * FINE).round_() / FINE
        taps = read(at).within(pictures.shape[axis])
        grey = along(grey, axis, taps.to(pictures.device))
    grey = grey.round_().clamp_(0, 255)
    factor, offset = shades
    return grey.flip(3).permute(0, 3, 1, 2).mul(factor).add_(offset)


def averaged(maps: list[Tensor], canvases: list[Canvas]) -> Tensor:
    """Average the maps (N, C, h, w) of a picture's canvases, in the cells of the first."""
    total = maps[0]
    for other, canvas in zip(maps[1:], canvases[1:], strict=True):
        rows, columns = (
            cubic(_cells(size, canvas.scale / canvases[0].scale)).to(total.device)
            for size in total.shape[2:]
        )
        total = total + resampled(other, rows, columns)
    return total / len(maps)


def _cells(count: int, ratio: float) -> Tensor:
    """Find cells (count,) of one canvas on another that is ``ratio`` times as large."""
    middle = (STRIDE - 1) / 2  # of the first cell, in pixels from the first pixel's centre
    pixel = torch.arange(count, dtype=torch.float64) * STRIDE + middle
    return (pixel * ratio - middle) / STRIDE
