"""Tell who is who across the cameras of a session, frame by frame, for several people at once.

A person is a set of detections, at most one a view: that what matches is consistent around every
cycle of views needs no further care then. Sets are proposed by every two detections whose rays meet
at a body's joints, and by everybody's place in the frames before; each proposal takes from every
view the detection that lies nearest to it. Of all proposals those are chosen that no two share a
detection or a known person and that explain most (a set packing, solved exactly as an integer
programme), as others choose by assignment (Tanke and Gall 2019) or by convex relaxation (Dong et
al. 2019). A new person costs as much as one view explains: one person in four views is better
than two in two views each.

All distances are in metres, between a joint in the world and the rays on which views show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from muybridge.geometry.cameras import Camera

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]

NEAR = 0.18  # metres between a joint and a ray from which they have nothing to do with each other
FITS = 0.5  # mean squared distance, in those units, up to which a detection may be a person's
SURE = 0.1  # score from which a joint counts
JOINTS = 4  # that two views must share
ANGLE = np.radians(4)  # between two rays, below which where they meet is not told
SPREAD = 0.12, 0.9  # metres (root mean square) by which a body's joints lie around their middle
REACH = 0.4  # metres within which a known person is looked for ...
SPEED = 2.0  # ... and how many more for each second since
HABIT = 2.0  # views that it is worth to stand just where somebody known is expected
MEMORY = 1.0  # seconds for which one who is not seen is remembered
FIRM = 0.7  # share of the old velocity that is kept


@dataclass(frozen=True)
class Body:
    """Hold where a person was last: ``joints`` (J, 3), nan if never seen, ``velocity`` (3,)."""

    id: int
    time: float
    joints: Array
    velocity: Array

    def at(self, time: float) -> Array:
        """Predict the joints (J, 3) at a time."""
        return self.joints + self.velocity * (time - self.time)

    def moved(self, time: float, joints: Array) -> Body:
        """Go on to where the person is now; joints that are nan follow the others."""
        expected = self.at(time)
        wrong = joints - expected
        known = np.isfinite(wrong).all(1)
        if not known.any():
            return self
        shift = np.median(wrong[known], axis=0)
        push = (1 - FIRM) * shift / max(time - self.time, 1e-6)
        filled = np.where(np.isfinite(joints), joints, expected + shift)
        return Body(self.id, time, filled, self.velocity + push)


@dataclass(frozen=True)
class _Seen:
    """Hold the D detections of all views of a frame.

    ``view`` (D,); ``rays`` (D, J, 3) of length 1 from ``places`` (D, 3); ``weights`` (D, J), 0 for
    joints that are not seen.
    """

    view: NDArray[np.int64]
    places: Array
    rays: Array
    weights: Array


class Matcher:
    """Give each detection of each view, frame by frame, the number of its person."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.cameras = tuple(cameras)
        self.bodies: list[Body] = []
        self._numbers = count()

    def update(self, time: float, views: Sequence[Array]) -> list[Ids]:
        """Take each view's joints (P, J, 3), pixels and score; say who it is: (P,) ids from 0.

        Those of whom no other view knows are -1, unless they continue somebody. Joints with scores
        of 0 are not seen. Times must rise.
        """
        seen = _look(self.cameras, views)
        ids = np.full(len(seen.view), -1, np.int32)
        known = [body for body in self.bodies if time - body.time <= MEMORY]
        free, going = np.ones(len(ids), bool), list(known)
        while free.any():
            found = _chosen(seen, free, going, time)
            if not found:
                break
            for members, joints, at in found:
                body = (
                    going[at] if at >= 0 else Body(next(self._numbers), time, joints, np.zeros(3))
                )
                ids[members] = body.id
                free[members] = False
                known = [b for b in known if b.id != body.id]
                known.append(body.moved(time, joints) if at >= 0 else body)
            taken = {going[at].id for _, _, at in found if at >= 0}
            going = [body for body in going if body.id not in taken]
        self.bodies = known
        return np.split(ids, np.cumsum([len(view) for view in views])[:-1])


def _look(cameras: Sequence[Camera], views: Sequence[Array]) -> _Seen:
    """Turn joints in pictures into rays in the world."""
    view = np.repeat(np.arange(len(views)), [len(joints) for joints in views])
    joints = np.concatenate([np.asarray(each, float) for each in views])
    rays = np.concatenate(
        [c.rays(np.asarray(each, float)[..., :2]) for c, each in zip(cameras, views, strict=True)]
    )
    shown = (joints[..., 2] >= SURE) & np.isfinite(rays).all(-1)
    rays = np.where(shown[..., None], rays, 0)
    places = np.array([camera.place for camera in cameras])[view]
    return _Seen(view, places, rays, np.where(shown, joints[..., 2], 0))


Choice = tuple[NDArray[np.int64], Array, int]  # detections, joints (J, 3), and a row of the bodies


def _chosen(
    seen: _Seen, free: NDArray[np.bool_], bodies: Sequence[Body], time: float
) -> list[Choice]:
    """Propose people among the free detections and choose those that explain most together."""
    shape = len(bodies), *seen.rays.shape[1:]
    expected = np.array([body.at(time) for body in bodies]).reshape(shape)
    members, joints = _proposals(seen, free, expected)
    if not len(members):
        return []
    explained = np.where(members, 1 - _cost(seen, joints) / FITS, 0).sum(1)
    alone = members.sum(1) < 2
    new = np.where(alone | ~_bodily(joints), -1.0, explained - 1)
    reach = REACH + SPEED * np.array([time - body.time for body in bodies])
    apart = _apart(joints, expected) / reach
    again = explained[:, None] + HABIT * (1 - apart)
    again[alone] -= HABIT  # the distance is that of the prediction from itself, and tells nothing
    again[(apart > 1) | ~(alone | _bodily(joints))[:, None]] = -1
    worth = np.column_stack([new, again])
    return [
        (np.flatnonzero(members[row]), np.where(alone[row], np.nan, joints[row]), column - 1)
        for row, column in _packed(members, worth)
    ]


def _proposals(
    seen: _Seen, free: NDArray[np.bool_], expected: Array
) -> tuple[NDArray[np.bool_], Array]:
    """Propose sets of detections (S, D), at most one a view, and their joints (S, J, 3).

    Sets of one detection are proposed for known people only, with the joints expected of them.
    """
    sets, rows = _distinct(_nearest(seen, free, np.concatenate([expected, _met(seen, free)])))
    joints = _joints(seen, sets)
    lone = ~np.isfinite(joints).any((1, 2))
    known = rows < len(expected)
    joints[lone & known] = expected[rows[lone & known]]
    joints = joints[~lone | known]
    sets = _nearest(seen, free, joints)
    again = _joints(seen, sets)
    joints = np.where(np.isfinite(again).any((1, 2))[:, None, None], again, joints)
    sets &= _cost(seen, joints) < FITS
    kept, rows = _distinct(sets)
    return kept, joints[rows]


def _distinct(sets: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Keep one of equal sets (S, D), the first, and no empty ones; and say which rows they were."""
    kept, rows = np.unique(sets, axis=0, return_index=True)
    some = kept.any(1)
    return kept[some], rows[some]


def _met(seen: _Seen, free: NDArray[np.bool_]) -> Array:
    """Find the joints (S, J, 3) of every two free detections of different views whose rays meet."""
    a, b = np.triu_indices(len(free), 1)
    good = (seen.view[a] != seen.view[b]) & free[a] & free[b]
    a, b = a[good], b[good]
    matrix, right, total, number = _equations(seen)
    joints = _solved(
        matrix[a] + matrix[b], right[a] + right[b], total[a] + total[b], number[a] + number[b]
    )
    cost = [_rated(joints, seen.places[d], seen.rays[d], seen.weights[d]) for d in (a, b)]
    return joints[np.maximum(*cost) < FITS]


def _equations(seen: _Seen) -> tuple[Array, Array, Array, Array]:
    """Write the weighted equations of each ray: (D, J, 3, 3), (D, J, 3), weights and numbers."""
    across = np.eye(3) - seen.rays[..., :, None] * seen.rays[..., None, :]
    matrix = seen.weights[..., None, None] * across
    right = np.einsum("djab,db->dja", matrix, seen.places)
    return matrix, right, seen.weights, (seen.weights > 0).astype(float)


def _solved(matrix: Array, right: Array, total: Array, number: Array) -> Array:
    """Put joints (S, J, 3) where they lie nearest to their rays; nan where fewer than two tell.

    Of two rays of equal weight the determinant is 2 sin² of their angle, times that weight cubed.
    """
    determinant = np.linalg.det(matrix)
    solid = (number >= 2) & (determinant > 2 * np.sin(ANGLE) ** 2 * (total / 2) ** 3)
    matrix = np.where(solid[..., None, None], matrix, np.eye(3))
    return np.where(solid[..., None], np.linalg.solve(matrix, right[..., None])[..., 0], np.nan)


def _joints(seen: _Seen, sets: NDArray[np.bool_]) -> Array:
    """Triangulate sets of detections (S, D): joints (S, J, 3)."""
    chosen = sets.astype(float)
    return _solved(*(np.tensordot(chosen, part, 1) for part in _equations(seen)))


def _cost(seen: _Seen, joints: Array) -> Array:
    """Rate how badly bodies (S, J, 3) fit detections (D): (S, D)."""
    return _rated(joints[:, None], seen.places, seen.rays, seen.weights)


def _rated(joints: Array, places: Array, rays: Array, weights: Array) -> Array:
    """Rate how badly bodies (..., J, 3) fit rays: (...), 0 to 1, inf where nothing tells.

    It is the mean over the joints of both of the squared distance in units of ``NEAR``, at most 1.
    """
    from_place = joints - places[..., None, :]
    ahead = np.einsum("...i,...i", from_place, rays)
    squared = (np.einsum("...i,...i", from_place, from_place) - ahead**2) / NEAR**2
    weights = np.where(np.isfinite(squared), weights, 0)
    capped = np.where((ahead > 0) & (squared < 1), squared, 1.0)
    total = (weights * capped).sum(-1)
    shared = (weights > 0).sum(-1) >= JOINTS
    return np.where(shared, total / np.maximum(weights.sum(-1), 1e-9), np.inf)


def _nearest(seen: _Seen, free: NDArray[np.bool_], joints: Array) -> NDArray[np.bool_]:
    """Take for each body (S, J, 3) the free detection of each view that fits best: (S, D)."""
    cost = np.where(free, _cost(seen, joints), np.inf)
    members = np.zeros(cost.shape, bool)
    for view in np.unique(seen.view):
        mine = np.flatnonzero(seen.view == view)
        best = mine[cost[:, mine].argmin(1)]
        rows = np.arange(len(cost))
        members[rows, best] = cost[rows, best] < FITS
    return members


def _bodily(joints: Array) -> NDArray[np.bool_]:
    """Say which bodies (S, J, 3) are neither too small nor too large to be one."""
    there = np.isfinite(joints).all(-1)
    number = np.maximum(there.sum(1), 1)
    filled = np.where(there[..., None], joints, 0)
    middle = filled.sum(1) / number[:, None]
    squared = np.where(there, ((filled - middle[:, None]) ** 2).sum(-1), 0).sum(1) / number
    return (squared > SPREAD[0] ** 2) & (squared < SPREAD[1] ** 2)


def _apart(joints: Array, expected: Array) -> Array:
    """Measure how far bodies (S, J, 3) are from where others (K, J, 3) should be: (S, K)."""
    far = np.linalg.norm(joints[:, None] - expected, axis=-1)
    known = np.isfinite(far)
    total = np.where(known, far, 0).sum(-1)
    return np.where(known.any(-1), total / np.maximum(known.sum(-1), 1), np.inf)


def _packed(members: NDArray[np.bool_], worth: Array) -> list[tuple[int, int]]:
    """Choose entries of ``worth`` (S, 1 + K) of the greatest sum: rows that share no member.

    Each column but the first, which stands for new people, may be chosen once.
    """
    row, column = np.nonzero(worth > 0)
    if not len(row):
        return []
    once = (column == np.arange(1, worth.shape[1])[:, None]).astype(float)  # (K, entries)
    uses = np.concatenate([members[row].T.astype(float), once])
    found = milp(
        -worth[row, column],
        constraints=LinearConstraint(csr_array(uses), ub=np.ones(len(uses))),
        integrality=np.ones(len(row)),
        bounds=Bounds(0, 1),
    )
    chosen = np.flatnonzero(found.x > 0.5)
    return list(zip(row[chosen].tolist(), column[chosen].tolist(), strict=True))
