"""The network's outputs to joints, and the region to look at next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.models.blazepose.model import CROP_SIDE
from muybridge.models.blazepose.preprocess import crop_to_picture, regions, turn

Array = NDArray[np.float32]

JOINTS = 33  # of the body; two more points say where to look next
HIPS = (23, 24)
REACH = 3  # cells of a heat map round a point


@dataclass(frozen=True)
class People:
    """Hold people in one picture, one a row.

    ``joints`` (P, 33, 3) are x, y in pixels and score; ``joints3d`` (P, 33, 4) metres from the
    hips' middle and score; ``region`` (P, 4) is where the network would look for them next.
    """

    joints: Array
    joints3d: Array
    region: Array


def sigmoid(logits: Array) -> Array:
    """Map logits to 0 to 1."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def refined(xy: Array, heat: Array) -> Array:
    """Move points (N, J, 2), 0 to 1 across the crop, to the heat around them (N, S, S, J) logits.

    The network regresses points and draws heat maps, which are sharper near the truth: a point goes
    to the mean place of the heat within REACH cells of it, if there is a summit as sure as a half.
    The network draws a point at x into cell x, not into cell x - 0.5 (measured on video: that way
    joints lie 14 px from another system's in the median, unrefined 18, with half a cell more 20).
    """
    number, side, _, joints = heat.shape
    cell = np.floor(xy * side).astype(int)[:, :, None, None]  # (N, J, 1, 1, 2)
    step = np.arange(-REACH, REACH + 1)
    x, y = cell[..., 0] + step, cell[..., 1] + step[:, None]  # (N, J, 1, K), (N, J, K, 1)
    n, j = np.arange(number)[:, None, None, None], np.arange(joints)[:, None, None]
    hot = sigmoid(heat[n, np.clip(y, 0, side - 1), np.clip(x, 0, side - 1), j])  # (N, J, K, K)
    hot = hot * ((x >= 0) & (x < side) & (y >= 0) & (y < side))
    total = np.maximum(hot.sum((2, 3)), 1e-6)
    mean = np.stack([(hot * x).sum((2, 3)), (hot * y).sum((2, 3))], -1) / total[..., None]
    sure = hot.max((2, 3)) >= 0.5
    return np.where(sure[..., None], mean / side, xy)


def people(points: Array, heat: Array, world: Array, looked: Array) -> People:
    """Make people from what was read in ``looked`` regions (N, 4).

    Takes the network's outputs: points (N, 39, 5), heat maps (N, 64, 64, 39), world (N, 39, 3).
    """
    xy = crop_to_picture(refined(points[..., :2] / CROP_SIDE, heat), looked)
    score = sigmoid(points[:, :JOINTS, 3:4])
    upright = np.concatenate([turn(world[:, :JOINTS, :2], looked[:, 3]), world[:, :JOINTS, 2:]], 2)
    upright -= upright[:, HIPS, :].mean(axis=1, keepdims=True)
    return People(
        joints=np.concatenate([xy[:, :JOINTS], score], 2).astype(np.float32),
        joints3d=np.concatenate([upright, score], 2).astype(np.float32),
        region=regions(xy[:, JOINTS], xy[:, JOINTS + 1]),
    )
