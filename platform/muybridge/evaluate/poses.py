"""Measure joints in space against the true ones, as papers on bodies in video do.

Joints are (T, J, 3), in any unit; so is what comes out, a number a frame. Bodies are compared where
they are: take a root off first (``rooted``) if that is not meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.alignment import aligned

Array = NDArray[np.floating[Any]]


def rooted(joints: Array, roots: Sequence[int]) -> Array:
    """Measure joints (T, J, 3) from the middle of some of them."""
    return joints - joints[:, list(roots)].mean(1, keepdims=True)


def mpjpe(found: Array, true: Array) -> Array:
    """Give each frame's mean distance of joints from where they should be: (T,)."""
    return np.linalg.norm(found - true, axis=-1).mean(-1)


def pa_mpjpe(found: Array, true: Array) -> Array:
    """Give the same after a frame's joints are laid upon the true ones by a similarity: (T,)."""
    return mpjpe(aligned(found, true), true)


def acceleration(joints: Array) -> Array:
    """Give the mean length of joints' second differences, in units a frame squared: (T - 2,)."""
    return np.linalg.norm(joints[:-2] - 2 * joints[1:-1] + joints[2:], axis=-1).mean(-1)


def acceleration_error(found: Array, true: Array) -> Array:
    """Give the mean length of the second differences' errors: (T - 2,)."""
    return acceleration(found - true)
