"""Pair tracks with boxes so that the whole costs least."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from muybridge.geometry import boxes

Array = NDArray[np.floating[Any]]

FAR = 1e6  # stands for a pair that must not be


def cost(predicted: Array, seen: Array, reach: Array) -> Array:
    """Rate how badly predicted boxes (N, 4) and seen ones (M, 4) fit: (N, M), inf for impossible.

    Boxes that overlap cost 0 to 1, by their overlap. Others cost 1 and more, by the distance of
    their centres in box lengths, up to ``reach`` (N,) of them. One box more than twice as long as
    the other is impossible.
    """
    overlap = boxes.iou(predicted, seen)
    here, there = (boxes_[:, None, :2] + boxes_[:, None, 2:] for boxes_ in (predicted, seen))
    distance = np.linalg.norm(here - there.swapaxes(0, 1), axis=2) / 2
    length = _length(predicted)[:, None], _length(seen)[None, :]
    shorter, longer = np.minimum(*length), np.maximum(*length)
    away = distance / np.maximum(longer, 1e-6)
    fits = (longer <= 2 * shorter) & ((overlap > 0.2) | (away <= reach[:, None]))
    return np.where(fits, np.where(overlap > 0.2, 1 - overlap, 1 + away), np.inf)


def _length(boxes_: Array) -> Array:
    return np.max(boxes_[:, 2:] - boxes_[:, :2], axis=1, initial=0)


def assign(costs: Array) -> NDArray[np.int64]:
    """Choose pairs (K, 2) of rows and columns with the least total cost (N, M), never inf."""
    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, FAR))
    kept = np.isfinite(costs[rows, columns])
    return np.stack([rows[kept], columns[kept]], axis=1)
