"""People in pictures to what the network reads: square crops, and clips of them.

A person's box is made square, what is cut out is black where there is no picture, and PIL makes it
256 x 256 pixels, bilinearly. A clip is some frames, evenly apart, about a video's middle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

SIDE = 256  # pixels of a crop
MARGIN = 1.25  # of a square to a person's box: the authors' is half as large again as their joints


def squares(boxes: Floats, margin: float = 1.0) -> Floats:
    """Make boxes (N, 4), left, top, right, bottom, square about their middles, a pixel at least.

    Squares are ``margin`` times as large.
    """
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=1) * margin / 2
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([middle - half, middle + half], 1)


def crop(picture: Picture, square: Floats, side: int = SIDE) -> Picture:
    """Cut a square (4,) out of a picture (H, W, 3): (side, side, 3)."""
    extent = tuple(float(edge) for edge in square)
    image = Image.fromarray(picture)
    left, top, right, bottom = np.floor(square[:2]).tolist() + np.ceil(square[2:]).tolist()
    around = image.crop((int(left), int(top), int(right), int(bottom)))
    inside = (extent[0] - left, extent[1] - top, extent[2] - left, extent[3] - top)
    return np.asarray(around.resize((side, side), Image.Resampling.BILINEAR, inside))


def frames(count: int, length: int, apart: int) -> NDArray[np.int64]:
    """Choose ``length`` frames of ``count``, ``apart`` from one to the next, about the middle.

    Frames before the first and after the last are those.
    """
    start = (count - ((length - 1) * apart + 1)) // 2
    return np.clip(start + np.arange(length) * apart, 0, count - 1)


def windows(count: int, length: int, stride: int) -> NDArray[np.int64]:
    """Cut ``count`` frames into clips (M, length), ``stride`` from one to the next.

    The last one ends with the last frame; where there are too few frames the last is repeated.
    """
    if count == 0:
        return np.empty((0, length), np.int64)
    last = max(count - length, 0)
    starts = np.unique(np.append(np.arange(0, last + 1, stride), last))
    return np.minimum(starts[:, None] + np.arange(length), count - 1)


def normalised(crops: Tensor) -> Tensor:
    """Make of crops (N, S, S, 3) uint8 what the network reads: (N, 3, S, S), from -1 to 1."""
    return ((crops.float() / 255 - 0.5) * 2).permute(0, 3, 1, 2)
