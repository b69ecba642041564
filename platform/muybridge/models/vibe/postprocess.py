"""From a person's crop back to the picture: where joints and the camera are.

Crop units run from -1 to 1 over the crop. A box is (centre x, centre y, width, height) in pixels,
and the crop is 1.1 times as large. The authors' way back forgets the 1.1, so that what they draw is
9 % too small, and takes the width for the height: ``parity`` does as they do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from muybridge.models.vibe.preprocess import AROUND, SIDE

FOCAL = 5000.0  # pixels, of the camera that looks at a crop: so long that it hardly foreshortens


def projected(points: Tensor, camera: Tensor) -> Tensor:
    """Project points (N, J, 3) of bodies by cameras (N, 3) into their crops: (N, J, 2)."""
    scale, shift = camera[:, :1], camera[:, 1:]
    depth = 2 * FOCAL / (SIDE * scale + 1e-9)
    moved = points + torch.cat([shift, depth], 1)[:, None]
    return FOCAL * moved[..., :2] / moved[..., 2:] / (SIDE / 2)


def crop_to_picture(points: Tensor, boxes: Tensor, parity: bool = False) -> Tensor:
    """Map points (N, J, 2) in crop units to pixels of the picture, by boxes (N, 4)."""
    return boxes[:, None, :2] + points * sides(boxes, parity)[:, None] / 2


def picture_camera(
    camera: Tensor, boxes: Tensor, size: tuple[int, int], parity: bool = False
) -> Tensor:
    """Turn cameras (N, 3) for crops into ones for a picture of ``size`` (width, height): (N, 4).

    They are sx, sy, x, y: a point (X, Y) of the body lies at sx (X + x), sy (Y + y), in units that
    run from -1 to 1 over the picture.
    """
    whole = boxes.new_tensor(size)
    scale = camera[:, :1] * sides(boxes, parity) / whole
    shift = camera[:, 1:] + (boxes[:, :2] - whole / 2) / (whole / 2) / scale
    return torch.cat([scale, shift], 1)


def translation(
    camera: Tensor, boxes: Tensor, size: tuple[int, int], focal: float | Tensor
) -> Tensor:
    """Say where bodies are (N, 3), in metres, in a camera of ``focal`` pixels, one or (N,).

    The camera looks through the middle of a picture of ``size`` (width, height). The longer its
    focal length, the farther the bodies, and the less they are foreshortened; by ``own_focal`` as
    little as in their crops. A body's origin lies where its crop has it by any.
    """
    sees = camera[:, :1] * sides(boxes) / 2  # pixels for a metre, (N, 2)
    aside = camera[:, 1:] + (boxes[:, :2] - boxes.new_tensor(size) / 2) / sees
    depth = torch.as_tensor(focal, dtype=sees.dtype, device=sees.device) / sees[:, 0]
    return torch.cat([aside, depth[:, None]], 1)


def weak(translation: Tensor, focal: float, size: tuple[int, int]) -> Tensor:
    """Say which ``picture_camera`` (N, 4) sees bodies that are at (N, 3), by ``translation``."""
    depth = translation[:, 2:]
    return torch.cat([2 * focal / depth / depth.new_tensor(size), translation[:, :2]], 1)


def own_focal(boxes: Tensor) -> Tensor:
    """Give the focal length (N,), in pixels of the picture, by which each crop is seen."""
    return FOCAL / SIDE * sides(boxes)[:, 0]


def sides(boxes: Tensor, parity: bool = False) -> Tensor:
    """Give how wide and high crops are in pixels of the picture: (N, 2)."""
    return boxes[:, 2:3].expand(-1, 2) if parity else AROUND * boxes[:, 2:]
