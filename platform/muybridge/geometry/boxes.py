"""Boxes in pictures: arrays (N, 4) of left, top, right, bottom in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]


def area(boxes: Array) -> Array:
    """Measure boxes (N, 4): (N,) square pixels, 0 for one that is turned inside out."""
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)


def intersection(first: Array, second: Array) -> Array:
    """Measure what each of boxes (N, 4) shares with each of (M, 4): (N, M) square pixels."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)


def iou(first: Array, second: Array) -> Array:
    """Divide intersection by union for pairs of boxes (N, 4), (M, 4): (N, M), 0 for empty ones."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


def containment(first: Array, second: Array) -> Array:
    """Say which part of the smaller of two boxes (N, 4), (M, 4) lies in the larger: (N, M)."""
    shared = intersection(first, second)
    smaller = np.minimum(area(first)[:, None], area(second)[None, :])
    return np.divide(shared, smaller, out=np.zeros(shared.shape), where=smaller > 0)


def clip(boxes: Array, width: float, height: float) -> Array:
    """Cut boxes (N, 4) to a picture of this size."""
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def around(points: Array, counts: ArrayLike = True) -> Array:
    """Draw the tightest boxes (N, 4) round points (N, J, 2), of which ``counts`` (N, J) count."""
    counts = np.broadcast_to(np.asarray(counts, bool)[..., None], points.shape)
    low = np.min(points, axis=1, where=counts, initial=np.inf)
    high = np.max(points, axis=1, where=counts, initial=-np.inf)
    return np.concatenate([low, high], axis=1)
