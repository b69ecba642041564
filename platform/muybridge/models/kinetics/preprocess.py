"""From a region of a picture to what a network sees: the steps of its own transforms.

These resize, cut the middle out, and normalise. Resized pictures are whole grey levels in them, so
pictures are kept so until a clip is put together: a quarter of the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import functional

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

STEADY = 0.5  # seconds around a picture within which a person's largest box counts


def small(picture: Picture, transforms: Any) -> Tensor:
    """Bring a picture (H, W, 3) to a network's size: (3, h, w) uint8."""
    pixels = torch.tensor(picture).permute(2, 0, 1)
    resized = functional.resize(
        pixels, transforms.resize_size, transforms.interpolation, antialias=False
    )
    return functional.center_crop(resized, transforms.crop_size)


def together(pictures: Tensor, transforms: Any) -> Tensor:
    """Make of a clip's pictures (T, 3, h, w) uint8 what a network reads: (3, T, h, w)."""
    levels = functional.convert_image_dtype(pictures, torch.float32)
    return functional.normalize(levels, transforms.mean, transforms.std).permute(1, 0, 2, 3)


def around(boxes: Floats, times: Floats, transforms: Any) -> NDArray[np.int64]:
    """Find regions (T, 4) of which a network sees a person in its middle, whole.

    ``boxes`` (T, 4), left, top, right, bottom, are the person's at ``times`` (T,), seconds. So that
    pictures do not pump, a region is as large as the largest box nearby wants it.
    """
    resized, kept = list(transforms.resize_size), transforms.crop_size
    high, wide = resized if len(resized) > 1 else resized * 2
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1), 1.0).astype(float)
    near = abs(times[:, None] - times) <= STEADY
    sides = np.where(near, sides, 0).max(1)
    half = sides[:, None] / 2 * np.array([wide / kept[1], high / kept[0]])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.rint(np.concatenate([middle - half, middle + half], 1)).astype(np.int64)


def cut(picture: Picture, region: NDArray[np.int64]) -> Picture:
    """Cut a region (4,) out of a picture (H, W, 3); what lies outside is black."""
    left, top, right, bottom = region.tolist()
    made = np.zeros((max(bottom - top, 1), max(right - left, 1), 3), np.uint8)
    height, width = picture.shape[:2]
    (up, down), (near, far) = np.clip([(top, bottom), (left, right)], 0, [[height], [width]])
    made[up - top : down - top, near - left : far - left] = picture[up:down, near:far]
    return made
