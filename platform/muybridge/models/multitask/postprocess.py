"""From crops back to pictures and to space, and from many clips to one answer.

The network's places run from 0 to 1 over the crop. Its depth, too, does: two metres, the root in
the middle, whatever the crop's size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

DEEP = 2.0  # metres that depth spans


def crop_to_picture(poses: Floats, squares: Floats) -> Floats:
    """Map places (N, J, 2) or more of crops to pixels of the picture, by squares (N, 4)."""
    corner, side = squares[:, None, :2], squares[:, None, 2:] - squares[:, None, :2]
    return corner + poses[..., :2] * side


def depths(poses: Floats) -> Floats:
    """Say how much farther off than the root joints are (N, J), in metres, by (N, J, 4)."""
    return DEEP * (poses[..., 2] - 0.5)


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
