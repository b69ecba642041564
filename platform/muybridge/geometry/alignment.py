"""Lay points upon others by a similarity: a scale, a rotation and a shift (Umeyama 1991)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Similarity:
    """Hold N similarities: a point p goes to ``scale * rotation @ p + shift``.

    Scales (N,), rotations (N, D, D) without mirroring, shifts (N, D).
    """

    scale: Array
    rotation: Array
    shift: Array

    def __call__(self, points: Array) -> Array:
        """Move points (N, J, D)."""
        turned = points @ np.swapaxes(self.rotation, 1, 2)
        return self.scale[:, None, None] * turned + self.shift[:, None]


def similarity(points: Array, onto: Array) -> Similarity:
    """Find what lays points (N, J, D) nearest to others (N, J, D), by the sum of squares.

    Points that all lie in one place keep their scale and are only shifted.
    """
    middle, wanted = points.mean(1), onto.mean(1)
    from_middle, from_wanted = points - middle[:, None], onto - wanted[:, None]
    left, sizes, right = np.linalg.svd(np.swapaxes(from_wanted, 1, 2) @ from_middle)
    mirrored = np.linalg.det(left @ right) < 0
    signs = np.ones_like(sizes)
    signs[mirrored, -1] = -1
    rotation = (left * signs[:, None]) @ right
    spread = (from_middle**2).sum((1, 2))
    scale = np.divide((sizes * signs).sum(1), spread, out=np.ones_like(spread), where=spread > 0)
    return Similarity(
        scale, rotation, wanted - scale[:, None] * (rotation @ middle[..., None])[..., 0]
    )


def aligned(points: Array, onto: Array) -> Array:
    """Lay points (N, J, D) upon others (N, J, D) as near as a similarity can."""
    return similarity(points, onto)(points)
