"""Pictures to what the network reads: scaled, blue first, mean taken off, padded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from muybridge.models.densepose.config import Config

Picture = NDArray[np.uint8]

MEAN = (103.53, 116.28, 123.675)  # of blue, green and red; the spread is not taken out
MULTIPLE = 32  # pixels; the padded height and width are multiples of it


@dataclass(frozen=True)
class Batch:
    """Hold pictures as the network reads them.

    ``pixels`` (N, 3, H, W) are blue, green, red without their mean and zero where padded,
    ``sizes`` the height and width of each without padding, ``originals`` those it came with.
    """

    pixels: Tensor
    sizes: tuple[tuple[int, int], ...]
    originals: tuple[tuple[int, int], ...]


def target_size(height: int, width: int, config: Config) -> tuple[int, int]:
    """Return the height and width that a picture is scaled to."""
    scale = config.min_size / min(height, width)
    scaled = [
        float(config.min_size) if side == min(height, width) else scale * side
        for side in (height, width)
    ]
    if max(scaled) > config.max_size:
        shrink = config.max_size / max(scaled)
        scaled = [side * shrink for side in scaled]
    return int(scaled[0] + 0.5), int(scaled[1] + 0.5)


def resized(picture: Picture, config: Config) -> Picture:
    """Scale a picture (H, W, 3), smoothly, each channel by itself."""
    height, width = target_size(picture.shape[0], picture.shape[1], config)
    size, bilinear = (width, height), Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize(size, bilinear))


def batch(pictures: Sequence[Picture], config: Config) -> Batch:
    """Make RGB pictures (H, W, 3), one or more, of any sizes, into one batch."""
    scaled = [resized(picture, config) for picture in pictures]
    sizes = tuple((picture.shape[0], picture.shape[1]) for picture in scaled)
    height, width = (-(-max(sides) // MULTIPLE) * MULTIPLE for sides in zip(*sizes, strict=True))
    pixels = torch.zeros(len(scaled), height, width, 3)
    for row, picture in zip(pixels, scaled, strict=True):
        blue_first = torch.from_numpy(picture[:, :, ::-1].copy())
        row[: picture.shape[0], : picture.shape[1]] = blue_first - torch.tensor(MEAN)
    originals = tuple((picture.shape[0], picture.shape[1]) for picture in pictures)
    return Batch(pixels.permute(0, 3, 1, 2), sizes, originals)
