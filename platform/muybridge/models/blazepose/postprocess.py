"""Network outputs to people: detections, joints, boxes, and the region to look at next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.models.blazepose.model import CROP_SIDE, DETECTOR_SIDE
from muybridge.models.blazepose.preprocess import crop_to_picture, turn

Array = NDArray[np.float32]

JOINTS = 33  # of the body; two more points say where to look next
MARGIN = 1.25  # of a region over the circle round the body
HIPS = (23, 24)
SHOULDERS = (11, 12)
FACE = slice(0, 11)
REACH = 3  # cells of a heat map round a point


@dataclass(frozen=True)
class People:
    """Hold people in one picture, one a row.

    ``joints`` (P, 33, 3) are x, y in pixels and score; ``joints3d`` (P, 33, 4) metres from the
    hips' middle and score; ``presence`` (P,) says how sure it is that a person is there,
    ``clarity`` (P,) how distinct the joints are; ``box`` (P, 4) is in pixels; ``region`` (P, 4) is
    where to look for the same person in the next picture.
    """

    joints: Array
    joints3d: Array
    presence: Array
    clarity: Array
    box: Array
    region: Array

    @property
    def score(self) -> Array:
        """Say how sure it is that this is a person, seen well: (P,) from 0 to 1."""
        return self.presence * self.clarity

    def __len__(self) -> int:
        return len(self.presence)

    def __getitem__(self, which: NDArray[np.generic] | slice) -> People:
        return People(*(getattr(self, f.name)[which] for f in fields(self)))


NOBODY = People(*(np.empty((0, *s), np.float32) for s in ((33, 3), (33, 4), (), (), (4,), (4,))))


def together(parts: list[People]) -> People:
    """Put people of several lists into one, in order."""
    return People(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(People)))


@cache
def anchors() -> Array:
    """Lay out the detector's anchors: centres (2254, 2), from 0 to 1 across its input.

    Two an occurrence of the strides 8, 16, 32, 32, 32; those of one grid stand together.
    """
    layers = []
    for cells, anchors_a_cell in ((28, 2), (14, 2), (7, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        layers.append(centres.repeat(anchors_a_cell, axis=0))
    return np.concatenate(layers).astype(np.float32)


def sigmoid(logits: Array) -> Array:
    """Map logits to 0 to 1."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def detections(raw: Array, logits: Array, squares: Array, threshold: float) -> tuple[Array, Array]:
    """Decode boxes (N, 2254, 12), logits (N, 2254) of squares (N, 4): scores (D,), regions (D, 4).

    A raw box is centre, size, and four points as offsets from the anchor: the hips' middle, a point
    straight above it on the circle round the body, the same two for the upper body.
    """
    square, anchor = np.nonzero(logits > np.log(threshold / (1 - threshold)))
    points = raw[square, anchor].reshape(-1, 6, 2)[:, 2:4] / DETECTOR_SIDE + anchors()[anchor, None]
    side = squares[square, 2:] - squares[square, :2]
    points = points * side[:, None] + squares[square, None, :2]
    return sigmoid(logits[square, anchor]), regions(points[:, 0], points[:, 1])


def regions(centres: Array, tops: Array) -> Array:
    """Make the regions (N, 4) round circles given by centres (N, 2) and topmost points (N, 2)."""
    up = tops - centres
    side = 2 * MARGIN * np.hypot(up[:, 0], up[:, 1])
    angle = np.arctan2(up[:, 0], -up[:, 1])
    return np.column_stack([centres, side, angle]).astype(np.float32)


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


def people(
    points: Array, presence: Array, heat: Array, world: Array, looked: Array, size: tuple[int, int]
) -> People:
    """Make people from what was read in ``looked`` regions (N, 4) of a picture of ``size`` (W, H).

    Takes the landmark network's outputs: points (N, 39, 5), presence (N,), world (N, 39, 3).
    """
    xy = crop_to_picture(refined(points[..., :2] / CROP_SIDE, heat), looked)
    peaks = heat.max((1, 2))
    score = sigmoid(points[:, :JOINTS, 3:4])
    there = sigmoid(points[:, :JOINTS, 4]) > 0.5
    upright = np.concatenate([turn(world[:, :JOINTS, :2], looked[:, 3]), world[:, :JOINTS, 2:]], 2)
    upright -= upright[:, HIPS, :].mean(axis=1, keepdims=True)
    return People(
        joints=np.concatenate([xy[:, :JOINTS], score], 2).astype(np.float32),
        joints3d=np.concatenate([upright, score], 2).astype(np.float32),
        presence=presence,
        clarity=sigmoid(peaks[:, :JOINTS]).mean(axis=1),
        box=body_box(xy[:, :JOINTS], there, size),
        region=regions(xy[:, JOINTS], xy[:, JOINTS + 1]),
    )


def body_box(xy: Array, there: NDArray[np.bool_], size: tuple[int, int]) -> Array:
    """Draw boxes (N, 4) round bodies from joints (N, 33, 2), cut to a picture of ``size`` (W, H).

    The joints end at the eyes: the crown lies beyond the face's middle, away from the neck, by 0.8
    of the distance between those two.
    """
    face, neck = xy[:, FACE].mean(axis=1), xy[:, SHOULDERS].mean(axis=1)
    crown = face + 0.8 * (face - neck)
    drawn = np.concatenate([xy, crown[:, None]], axis=1)
    counts = np.concatenate([there, there[:, FACE].mean(axis=1, keepdims=True) > 0.5], axis=1)
    counts = np.where(counts.sum(axis=1, keepdims=True) >= 2, counts, True)
    return boxes.clip(boxes.around(drawn, counts), *size).astype(np.float32)
