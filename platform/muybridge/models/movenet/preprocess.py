"""Pictures to network inputs: whole pictures, tiles of them, and squares round people.

Each keeps its aspect; what lies outside the picture is black.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge.models.movenet.config import STEP

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

CROP = 1.25  # side of the square that is read, in lengths of the longer side of a person's box


def whole(width: int, height: int, longer: int) -> tuple[Array, tuple[int, int]]:
    """Lay the input over a whole picture: its rectangle (4,) in pixels, and its (H, W).

    The picture's longer side gets ``longer`` pixels, a multiple of 32; the shorter side is padded
    evenly to the next multiple.
    """
    scale = longer / max(width, height)
    size = [STEP * math.ceil(round(side * scale) / STEP) for side in (height, width)]
    half = np.array([size[1], size[0]]) / scale / 2
    centre = np.array([width, height]) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32), (size[0], size[1])


def tiles(width: int, height: int, scales: tuple[float, ...], overlap: float) -> Array:
    """Cover a picture with squares (N, 4): left, top, right, bottom in pixels.

    For each scale they have that part of the picture's shorter side as their side, and neighbours
    overlap by at least ``overlap`` of it.
    """
    squares = []
    for scale in scales:
        side = scale * min(width, height)
        squares += [
            (x, y, x + side, y + side)
            for y in _starts(height, side, overlap)
            for x in _starts(width, side, overlap)
        ]
    return np.array(squares, np.float32).reshape(-1, 4)


def _starts(length: float, side: float, overlap: float) -> list[float]:
    count = 1 + math.ceil((length - side) / (side * (1 - overlap)) - 1e-6)
    return [float(at) for at in np.linspace(0, max(length - side, 0), max(count, 1))]


def squares(boxes: Array, margin: float = CROP) -> Array:
    """Draw squares (N, 4) round boxes (N, 4), so many times their longer sides."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = margin / 2 * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0)
    half = np.maximum(half, 1)
    return np.concatenate([centre - half, centre + half], axis=1)


def cut(picture: Picture, region: Array, size: tuple[int, int]) -> Picture:
    """Cut a rectangle (4,) out of a picture (H, W, 3) and scale it to a size (H, W).

    Pillow takes what lies round the rectangle alone: copying a whole picture takes longer than
    scaling a part of it.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = (float(side) for side in region)
    across, down = size[1] / (right - left), size[0] / (bottom - top)
    inside = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    out = np.zeros((*size, 3), np.uint8)
    x0, y0 = round((inside[0] - left) * across), round((inside[1] - top) * down)
    x1, y1 = round((inside[2] - left) * across), round((inside[3] - top) * down)
    if x1 > x0 and y1 > y0:
        reach = 2 + math.ceil(2 / min(across, down))  # of the filter
        x, y = max(int(inside[0]) - reach, 0), max(int(inside[1]) - reach, 0)
        part = picture[y : math.ceil(inside[3]) + reach, x : math.ceil(inside[2]) + reach]
        box = (inside[0] - x, inside[1] - y, inside[2] - x, inside[3] - y)
        image = Image.fromarray(np.ascontiguousarray(part))
        resampling = Image.Resampling.BILINEAR
        out[y0:y1, x0:x1] = image.resize((x1 - x0, y1 - y0), resampling, box, reducing_gap=2)
    return out


def place(points: Array, region: Array, size: tuple[int, int]) -> Array:
    """Map points (N, …, 2) in pixels of an input of a size (H, W) to those of the picture."""
    scale = (region[2:] - region[:2]) / np.array([size[1], size[0]], np.float32)
    return points * scale + region[:2]
