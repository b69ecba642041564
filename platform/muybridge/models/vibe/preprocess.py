"""People in pictures to what the network reads: square crops of 224 x 224, normalised.

A box is (centre x, centre y, width, height) in pixels of the picture; what is cut out is 1.1 times
as large, black where there is no picture, and scaled each way by itself.

The authors' sampler, OpenCV's, reads between pixels in steps of 1/32 and weighs the four neighbours
in whole numbers; so does this one, and the crops are the same to the byte but for a few pixels in a
thousand, where a position is rounded the other way. The authors count pixels from the first one's
centre, so their boxes lie half a pixel off ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

SIDE = 224  # pixels of a crop
AROUND = 1.1  # how much larger than the box a crop is
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue
STEPS = 32  # positions told apart between two pixels
FINE = 1024  # parts of a pixel by which positions are added up before they are rounded


def squares(boxes: Floats) -> Floats:
    """Make boxes (N, 4), left, top, right, bottom, those of ``crops``: square, a pixel at least."""
    side = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=1)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, side, side], 1)


def matrices(boxes: Floats) -> Floats:
    """Give what takes pixels of the picture to pixels of the crop (N, 2, 3), counted from 0."""
    scale = SIDE / (AROUND * boxes[:, 2:])  # (N, 2)
    made = np.zeros((len(boxes), 2, 3))
    made[:, [0, 1], [0, 1]] = scale
    made[:, :, 2] = SIDE / 2 - scale * (boxes[:, :2] - 0.5)
    return made


def crops(pictures: Sequence[Picture], rows: Sequence[int], boxes: Floats) -> Picture:
    """Cut people out of pictures (H, W, 3) of any sizes: (N, 224, 224, 3).

    Person i is in ``pictures[rows[i]]``, within ``boxes[i]`` (N, 4).
    """
    made = np.empty((len(boxes), SIDE, SIDE, 3), np.uint8)
    for out, row, matrix in zip(made, rows, matrices(boxes), strict=True):
        out[:] = crop(pictures[row], matrix)
    return made


def crop(picture: Picture, matrix: Floats) -> Picture:
    """Cut one person out of a picture (H, W, 3) by a matrix (2, 3): (224, 224, 3)."""
    height, width, _ = picture.shape
    left, right, from_left, from_right = _taps(matrix[0, 0], matrix[0, 2], width)
    above, below, from_above, from_below = _taps(matrix[1, 1], matrix[1, 2], height)
    places = [(side[:, None] * 3 + np.arange(3)).ravel() for side in (left, right)]
    shares = [np.repeat(share, 3) for share in (from_left, from_right)]
    lines = picture.reshape(height, -1)

    def across(line: NDArray[np.intp]) -> NDArray[np.uint32]:
        """Mix each pixel of lines with its neighbour: (224, 3 * 224), 32 times as bright."""
        seen = lines[line]
        mixed = seen.take(places[0], 1) * shares[0]
        mixed += seen.take(places[1], 1) * shares[1]
        return mixed.astype(np.uint32)

    out = across(above) * from_above[:, None]
    out += across(below) * from_below[:, None]
    return ((out + STEPS**2 // 2) // STEPS**2).astype(np.uint8).reshape(SIDE, SIDE, 3)


def _taps(scale: float, shift: float, length: int) -> tuple[NDArray[Any], ...]:
    """Say between which pixels of a line of ``length`` the crop's 224 lie, and what each weighs.

    Two neighbours (224,) and their weights (224,), which add up to 32 inside the picture.
    """
    start, step = np.rint(-shift / scale * FINE), np.rint(np.arange(SIDE) / scale * FINE)
    place = (start + step).astype(np.int64) + FINE // STEPS // 2  # round to the nearest of 32
    first, part = np.divmod(place // (FINE // STEPS), STEPS)
    pixels = np.stack([first, first + 1])
    inside = (pixels >= 0) & (pixels < length)
    weights = (inside * np.stack([STEPS - part, part])).astype(np.uint16)
    return *pixels.clip(0, length - 1), *weights


def normalised(crops: Tensor) -> Tensor:
    """Make of crops (N, 224, 224, 3) uint8 what the network reads: (N, 3, 224, 224), of spread 1.

    A pixel's three numbers lie side by side in memory.
    """
    mean, spread = (crops.new_tensor(each, dtype=torch.float32) for each in (MEAN, SPREAD))
    return ((crops - 255 * mean) / (255 * spread)).permute(0, 3, 1, 2)
