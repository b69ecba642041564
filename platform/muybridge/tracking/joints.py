"""Tell who is who from frame to frame by the joints that both sightings have.

Somebody found from the bottom up may have legs in one frame and none in the next: their box jumps,
the joints that both have do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.tracking.assign import assign
from muybridge.tracking.track import Tracker

Floats = NDArray[np.floating[Any]]

MEMORY_S = 1.0  # for which joints are compared
NEAR = 0.1  # box lengths that the joints in common may have moved ...
SPEED = 1.0  # ... and how many more for each second that they were not seen
COMMON = 3  # joints at least
CLEAR = 0.5  # part of the next best distance below which joints alone decide


class JointTracker:
    """Give each person of a clip, frame by frame, the number of their track."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.last: dict[int, tuple[float, Floats]] = {}  # when and with which joints each was seen

    def update(self, time: float, seen: Floats, joints: Floats) -> NDArray[np.int32]:
        """Take boxes (N, 4) and joints (N, J, 3) of one frame and say whose they are: (N,).

        Where joints fit two people alike, the tracker decides by their boxes.
        """
        self.last = {id: was for id, was in self.last.items() if time - was[0] <= MEMORY_S}
        known = np.full(len(seen), -1, np.int32)
        before = list(self.last.items())
        reach = [NEAR + SPEED * (time - then) for _, (then, _) in before]
        parts = [moved(was, joints) / far for far, (_, (_, was)) in zip(reach, before, strict=True)]
        costs = np.array(parts).reshape(len(before), len(seen))
        for row, column in assign(np.where(costs < 1, costs, np.inf)).tolist():
            if is_clear(costs, row, column):
                known[column] = before[row][0]
        ids = self.tracker.update(time, seen, known)
        self.last |= {id: (time, one) for id, one in zip(ids.tolist(), joints, strict=True)}
        return ids


def is_clear(costs: Floats, row: int, column: int) -> bool:
    """Say whether a pair is far better than any other of its row or its column."""
    others = np.append(np.delete(costs[row], column), np.delete(costs[:, column], row))
    return bool(costs[row, column] <= CLEAR * others.min(initial=np.inf))


def moved(one: Floats, others: Floats) -> Floats:
    """Measure how far joints (J, 3) are from those of others (N, J, 3), in box lengths: (N,).

    It is the median over the joints that both have, and infinite for fewer than ``COMMON``.
    """
    both = (one[:, 2] > 0) & (others[..., 2] > 0)
    distance = np.linalg.norm(one[:, :2] - others[..., :2], axis=2)
    length = np.maximum(_length(one[None]), _length(others))
    far = np.full(len(others), np.inf)
    for at in np.flatnonzero(both.sum(axis=1) >= COMMON).tolist():
        far[at] = np.median(distance[at, both[at]]) / max(length[at], 1e-6)
    return far


def _length(joints: Floats) -> Floats:
    box = boxes.around(joints[..., :2], joints[..., 2] > 0)
    return (box[:, 2:] - box[:, :2]).max(axis=1, initial=0)
