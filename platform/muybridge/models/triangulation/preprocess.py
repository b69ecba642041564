"""People in pictures to what the networks read: square crops, and the cameras of the crops.

The authors cut a box of whole pixels out of a picture without the lens, black where there is none,
and resize it as OpenCV's INTER_AREA does: a pixel of a smaller picture is the mean of what it
covers; if the picture becomes larger on either axis, each pixel mixes two neighbours.

They count pixels from the first one's centre, so their cameras' middle lies half a pixel off ours,
and they crop and scale it as it stands.

**Colours.** They read pictures as blue, green, red, and give each the mean and spread of red,
green, blue. All their published weights were taught so, the algebraic, the volumetric and the
backbone alone: it is the default, and ``parity=False`` is for weights that were not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from muybridge.geometry.cameras import Camera

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

SIDE = 384  # pixels of a crop
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue


def squares(boxes: Floats, scale: float = 1) -> NDArray[np.int64]:
    """Make boxes (N, 4), left, top, right, bottom, square, of whole pixels and ``scale`` larger."""
    return scaled(squared(np.rint(boxes).astype(np.int64)), scale)


def squared(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Widen boxes (N, 4) about their middle until they are square."""
    low, high = boxes[:, :2], boxes[:, 2:]
    side = (high - low).max(1, keepdims=True)
    start = np.where(high - low < side, (low + high) // 2 - side // 2, low)
    return np.concatenate([start, start + side], 1)


def scaled(boxes: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    """Scale boxes (N, 4) about their middle; a pixel at least is left."""
    low, high = boxes[:, :2], boxes[:, 2:]
    size = np.maximum((scale * (high - low)).astype(np.int64), 1)
    start = (low + high) // 2 - size // 2
    return np.concatenate([start, start + size], 1)


def crop(picture: Picture, box: NDArray[np.int64], side: int = SIDE) -> Picture:
    """Cut a box (4,) out of a picture (H, W, 3) and resize it: (side, side, 3)."""
    left, top, right, bottom = (int(each) for each in box)
    cut = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    rows, columns = _shares(bottom - top, right - left, side)
    rows = rows[:, max(-top, 0) : max(-top, 0) + len(cut)]
    columns = columns[:, max(-left, 0) : max(-left, 0) + cut.shape[1]]
    mixed = np.einsum("yh,hwc->ywc", rows, cut.astype(np.float32), optimize=True)
    return np.rint(np.einsum("xw,ywc->yxc", columns, mixed, optimize=True)).astype(np.uint8)


def straightened(picture: Picture, camera: Camera) -> Picture:
    """Show a picture (H, W, 3) as it were without the lens; black where the lens shows nothing."""
    if not camera.distortion.any():
        return picture
    height, width, _ = picture.shape
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float()  # it may not be writable
    places = _sources(camera, width, height)[None]
    shown = functional.grid_sample(pixels, places, align_corners=False)[0]
    return shown.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def bent(places: Floats, camera: Camera) -> Floats:
    """Move places (..., 2) in a picture without the lens to where the lens shows them."""
    if not camera.distortion.any():
        return places
    here = replace(camera, rotation=np.eye(3), translation=np.zeros(3))
    return here.project(replace(here, distortion=np.zeros(5)).rays(places))


@lru_cache(8)  # cameras whose pictures follow each other; 16 MB each for 1920 x 1080
def _sources(camera: Camera, width: int, height: int) -> Tensor:
    """Say from where each pixel without the lens comes (H, W, 2), from -1 to 1; else outside."""
    down, across = np.mgrid[:height, :width] + 0.5
    places = bent(np.stack([across, down], -1), camera) / [width, height] * 2 - 1
    return torch.from_numpy(places).nan_to_num(-2).float()


def projection(camera: Camera, box: NDArray[np.int64], side: int = SIDE) -> Floats:
    """Give the matrix (3, 4) from metres to pixels of the crop, as the authors count them."""
    theirs = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ camera.matrix
    return replace(camera, matrix=theirs).cropped(box, (side, side)).projection


def to_picture(places: Floats, box: NDArray[np.int64], side: int = SIDE) -> Floats:
    """Turn places (..., 2) in a crop, as the authors count them, into pixels of the picture."""
    return places * (box[2:] - box[:2]) / side + box[:2] + 0.5


def normalised(crops: Tensor, parity: bool = True) -> Tensor:
    """Make of crops (N, h, w, 3) uint8, red, green, blue, what networks read: (N, 3, h, w).

    Under ``parity`` as the published weights want it: blue first, with the mean of red. A pixel's
    three numbers lie side by side in memory.
    """
    mean, spread = (crops.new_tensor(each, dtype=torch.float32) for each in (MEAN, SPREAD))
    return (((crops.flip(-1) if parity else crops) - 255 * mean) / (255 * spread)).permute(
        0, 3, 1, 2
    )


def _shares(height: int, width: int, side: int) -> Sequence[NDArray[np.float32]]:
    """Say how much of each line of a box the crop's lines have: (side, height), (side, width)."""
    kind = _means if min(height, width) >= side else _mixed
    return kind(height, side), kind(width, side)


def _means(length: int, side: int) -> NDArray[np.float32]:
    """Cover ``length`` pixels with ``side``: how much of each they have (side, length)."""
    edges = np.arange(side + 1) * (length / side)
    pixels = np.arange(length)
    ends = np.minimum(edges[1:, None], pixels + 1)
    covered = np.maximum(ends - np.maximum(edges[:-1, None], pixels), 0)
    return (covered / covered.sum(1, keepdims=True)).astype(np.float32)


def _mixed(length: int, side: int) -> NDArray[np.float32]:
    """Make ``side`` pixels of fewer: one lies within a pixel, or where two meet mixes both."""
    out = np.arange(side)
    first = np.floor(out * (length / side)).astype(int)
    part = (out + 1) - (first + 1) * (side / length)
    part = np.where(part <= 0, 0, part - np.floor(part))
    shares = np.zeros((side, length), np.float32)
    shares[out, np.minimum(first, length - 1)] = 1 - part
    shares[out, np.minimum(first + 1, length - 1)] += part
    return shares
