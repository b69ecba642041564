"""Maps to people: the published decoding, for any number of people.

A person is a summit of the map of centres; from its cell the other maps say how large the box is
and roughly where each joint lies; the joint is the summit of its own map, weighted by the distance
from there ("Objects as points", Zhou et al. 2019). Maps are (H, W, C) logits or cells, y before x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from muybridge.models.movenet.config import JOINTS, STRIDE

Array = NDArray[np.float32]
Maps = Mapping[str, Array]

REACH = 0.3  # of the shorter side: how far a joint may lie from where it is expected (variance)
SOFT = 1.8  # cells added to a distance by which Thunder's and Lightning's maps are divided
COUNTS = 0.127  # score from which a joint counts for its person


@dataclass(frozen=True)
class People:
    """Hold people in one picture, one a row.

    ``box`` (P, 4) and ``joints`` (P, 17, 3: x, y, score) in pixels, ``score`` (P,) that of
    the map of centres, all scores from 0 to 1.
    """

    box: Array
    joints: Array
    score: Array

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, which: NDArray[np.generic] | slice) -> People:
        return People(*(getattr(self, f.name)[which] for f in fields(self)))


NOBODY = People(*(np.empty((0, *shape), np.float32) for shape in ((4,), (JOINTS, 3), ())))


def concatenate(parts: list[People]) -> People:
    """Put people of several lists into one, in order."""
    return People(
        *(np.concatenate([getattr(p, f.name) for p in [NOBODY, *parts]]) for f in fields(People))
    )


def sigmoid(logits: Array) -> Array:
    """Map logits to 0 to 1."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def people(maps: Maps, threshold: float) -> People:
    """Decode MultiPose's maps to everybody whose centre scores ``threshold``, in input pixels."""
    centre = sigmoid(maps["center"][..., 0])
    summit = (centre == maximum_filter(centre, 3, mode="nearest")) & (centre >= threshold)
    y, x = np.nonzero(summit)
    at = np.stack([y, x], 1).astype(np.float32)
    middle = at + maps["box_offset"][y, x]
    half = np.maximum(maps["box_scale"][y, x], 0) / 2
    limit = np.array(centre.shape, np.float32)
    low, high = np.clip(middle - half, 0, limit), np.clip(middle + half, 0, limit)
    expected = at[:, None] + maps["kpt_regress"][y, x].reshape(-1, JOINTS, 2)
    heat = sigmoid(maps["kpt_heatmap"])
    offset = maps["kpt_offset"].reshape(*centre.shape, JOINTS, 2)
    first, last = np.ceil(low).astype(np.int64), np.ceil(high).astype(np.int64)
    joints = [_joints(heat, offset, *edges) for edges in zip(first, last, expected, strict=True)]
    box = np.concatenate([low[:, ::-1], high[:, ::-1]], 1) * STRIDE
    found = np.array(joints, np.float32).reshape(-1, JOINTS, 3)
    return People(box.astype(np.float32), found, centre[y, x])


def _joints(
    heat: Array, offset: Array, low: NDArray[np.int64], high: NDArray[np.int64], expected: Array
) -> Array:
    """Find the joints (17, 3) of one person within the cells of their box, near those expected."""
    low = np.minimum(low, np.array(heat.shape[:2]) - 1)
    high = np.maximum(high, low + 1)
    y, x = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    away = (y[:, None, None] - expected[:, 0]) ** 2 + (x[:, None] - expected[:, 1]) ** 2
    reach = REACH * min(heat.shape[:2])
    near = heat[low[0] : high[0], low[1] : high[1]] * np.exp(-away / reach)
    best = near.reshape(-1, JOINTS).argmax(0)
    row, column = y[best // len(x)], x[best % len(x)]
    joint = np.arange(JOINTS)
    moved = offset[row, column, joint]
    score = near.reshape(-1, JOINTS)[best, joint]
    place = (column + moved[:, 1]) * STRIDE, (row + moved[:, 0]) * STRIDE
    return np.stack([*place, score], 1).astype(np.float32)


def one(maps: Maps, guide: Array) -> Array:
    """Decode Thunder's or Lightning's maps: joints (2, 17, 3) in input pixels, read in two ways.

    First as published: those of who is nearest the middle. Then those nearest to a ``guide``
    (17, 2), joints in input pixels as somebody else found them.
    """
    centre = sigmoid(maps["center"][..., 0])
    height, width = centre.shape
    y, x = _cells(height, width)
    near = centre / (np.hypot(y - height // 2, x - width // 2) + SOFT)
    at = np.unravel_index(near.argmax(), near.shape)
    own = np.array(at, np.float32) + maps["kpt_regress"][at].reshape(JOINTS, 2)
    expected = np.stack([own, guide[:, ::-1] / STRIDE])  # (2, 17, 2)
    heat = sigmoid(maps["kpt_heatmap"])
    away = np.hypot(y[..., None] - expected[:, None, None, :, 0],
                    x[..., None] - expected[:, None, None, :, 1])  # fmt: skip
    best = (heat / (away + SOFT)).reshape(2, -1, JOINTS).argmax(1)
    row, column, joint = best // width, best % width, np.arange(JOINTS)
    moved = maps["kpt_offset"].reshape(height, width, JOINTS, 2)[row, column, joint]
    place = (column + moved[..., 1]) * STRIDE, (row + moved[..., 0]) * STRIDE
    return np.stack([*place, heat[row, column, joint]], 2).astype(np.float32)


@cache
def _cells(height: int, width: int) -> tuple[Array, Array]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return y, x


def person_score(joints: Array) -> Array:
    """Score people by their joints (P, 17, 3): the mean of those that count, 0 if none does."""
    counts = joints[..., 2] > COUNTS
    total = (joints[..., 2] * counts).sum(1)
    return np.divide(total, counts.sum(1), out=np.zeros(len(joints), np.float32), where=total > 0)
