"""From crops back to pictures and to space, and from many clips to one answer.

The network's places run from 0 to 1 over the crop. Its depth, too, does: two metres, the root in
the middle, whatever the crop's size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import PA17

Floats = NDArray[np.floating[Any]]

DEEP = 2.0  # metres that depth spans
HEIGHT = 1.7  # metres
SHARES = {  # of the height: Winter, "Biomechanics and Motor Control of Human Movement"
    "shoulder-elbow": 0.186,
    "elbow-wrist": 0.146,
    "hip-knee": 0.245,
    "knee-ankle": 0.246,
}
LIMBS = [
    PA17.index(*(f"{side}_{joint}" for joint in limb.split("-")))
    for side in ("left", "right")
    for limb in SHARES
]
SPREAD = 2 * HEIGHT**2 * sum(share**2 for share in SHARES.values())  # square metres
FLAT = 0.1  # of the limbs' squares that is seen in the picture at least


def crop_to_picture(poses: Floats, squares: Floats) -> Floats:
    """Map places (N, J, 2) or more of crops to pixels of the picture, by squares (N, 4)."""
    corner, side = squares[:, None, :2], squares[:, None, 2:] - squares[:, None, :2]
    return corner + poses[..., :2] * side


def depths(poses: Floats) -> Floats:
    """Say how much farther off than the root joints are (N, J), in metres, by (N, J, 4)."""
    return DEEP * (poses[..., 2] - 0.5)


def around_root(points: Floats, deeper: Floats) -> Floats:
    """Place joints (N, 17, 3) of PA17 about the root, in metres: x right, y down, z forward.

    ``points`` (N, 17, 2) are pixels and ``deeper`` (N, 17) metres. No camera is known, and how far
    off the person is neither: x and y are the picture's, by as many metres a pixel as make arms and
    legs those of a body 1.7 metres high, on the whole (weak perspective). Only depth is measured.
    """
    one, two = np.transpose(LIMBS)
    flat = ((points[:, one] - points[:, two]) ** 2).sum((1, 2))
    deep = ((deeper[:, one] - deeper[:, two]) ** 2).sum(1)
    scale = np.sqrt(np.maximum(SPREAD - deep, FLAT * SPREAD) / np.maximum(flat, 1))
    places = np.concatenate([points * scale[:, None, None], deeper[..., None]], 2)
    return places - places[:, :1]


def in_space(points: Floats, deeper: Floats, root: Floats, camera: Floats) -> Floats:
    """Place joints (N, J, 3) in the camera's axes, in metres.

    ``points`` (N, J, 2) are pixels, ``deeper`` (N, J) metres beyond the root, whose depth is
    ``root`` (N,); ``camera`` (3, 3) takes what is a metre off to pixels.
    """
    depth = (root[:, None] + deeper)[..., None]
    rays = (points - camera[:2, 2]) / camera[[0, 1], [0, 1]]
    return np.concatenate([rays * depth, depth], 2)


def agreed(scores: Floats) -> Floats:
    """Multiply the classes' probabilities over clips and mirrored clips (M, A): (A,).

    They add up to 1 again; where there is no clip nothing is likelier than anything else.
    """
    logs = np.log(np.maximum(scores.astype(np.float64), np.finfo(np.float64).tiny)).sum(0)
    product = np.exp(logs - logs.max(initial=-np.inf))
    return product / product.sum()


def mirrored(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn crops (..., S, S, 3) left to right."""
    return crops[..., ::-1, :]
