"""Tell who is who from frame to frame, by motion and by the overlap of boxes.

The manner of SORT (Bewley et al. 2016): each track moves at constant velocity under a Kalman filter
and is paired with what is seen by least cost. Here the filter works in box lengths and seconds, so
that it does not depend on a person's size in the picture nor on the frame rate, and a track that is
not seen lives on for a while, as in ByteTrack (Zhang et al. 2022), so that short gaps do no harm.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.tracking.assign import assign, cost

Array = NDArray[np.floating[Any]]

MEMORY = 1.0  # seconds for which a track that is not seen is remembered
NEAR = 0.25  # box lengths from the predicted place within which a box may be the track's ...
SPEED = 1.0  # ... and how many more for each second that it was not seen


@dataclass(frozen=True)
class Track:
    """Hold where a track was last: ``box`` (4,), ``velocity`` (2,) pixels/s, and how sure that is.

    ``spread`` (2, 2) is the covariance of place and velocity along one axis, in box lengths.
    """

    id: int
    time: float
    box: Array
    velocity: Array
    spread: Array

    def at(self, time: float) -> Array:
        """Predict the box (4,) at a time."""
        return self.box + np.tile(self.velocity * (time - self.time), 2)


def start(id: int, time: float, box: Array) -> Track:
    """Begin a track that stands still as far as is known."""
    return Track(id, time, np.asarray(box, float), np.zeros(2), np.diag([0.01, 1.0]))


def follow(track: Track, time: float, box: Array, jitter: float = 0.05, push: float = 3.0) -> Track:
    """Correct a track by the box seen: ``jitter`` in box lengths, ``push`` in box lengths/s²."""
    step = time - track.time
    move = np.array([[1, step], [0, 1]])
    drift = np.array([step**2 / 2, step]) * push
    spread = move @ track.spread @ move.T + np.outer(drift, drift)
    gain = spread[:, 0] / (spread[0, 0] + jitter**2)
    box = np.asarray(box, float)
    wrong = (box[:2] + box[2:] - track.at(time)[:2] - track.at(time)[2:]) / 2
    return Track(
        track.id, time, box, track.velocity + gain[1] * wrong, spread - np.outer(gain, spread[0])
    )


class Tracker:
    """Give each box of a clip, frame by frame, the number of its track."""

    def __init__(self, memory: float = MEMORY) -> None:
        self.memory = memory
        self.tracks: list[Track] = []
        self.started = 0

    def update(
        self,
        time: float,
        seen: Array,
        known: NDArray[np.integer[Any]] | None = None,
        scores=None,
        appearance=None,
    ) -> NDArray[np.int32]:
        """Take the boxes (N, 4) of one frame and say whose they are: (N,) numbers from 0.

        ``known`` (N,) holds the numbers of those whose track is known already and -1 for others.
        """
        ids = np.full(len(seen), -1, np.int32) if known is None else known.astype(np.int32)
        unknown = np.flatnonzero(ids < 0)
        ids[unknown] = self._name(time, seen[unknown], set(ids.tolist()))
        old = {t.id: t for t in self.tracks if time - t.time <= 2 * self.memory}
        for id, box in zip(ids.tolist(), seen, strict=True):
            old[id] = follow(old[id], time, box) if id in old else start(id, time, box)
        self.tracks = list(old.values())
        return ids

    def match(self, time, seen, scores=None, appearance=None):
        live = [t for t in self.tracks if 0 < time - t.time <= self.memory]
        ids = np.full(len(seen), -1, np.int32)
        for r, c in match(live, time, seen).tolist():
            ids[c] = live[r].id
        return ids

    def claim(self, time: float, box: Array, busy: set[int]) -> int:
        """Find the track that a box (4,) continues, none of the busy ones, or number a new one."""
        return int(self._name(time, box[None], busy)[0])

    def _name(self, time: float, seen: Array, busy: set[int]) -> list[int]:
        free = [t for t in self.tracks if t.id not in busy and 0 < time - t.time <= self.memory]
        pairs = {column: free[row].id for row, column in match(free, time, seen).tolist()}
        news = itertools.count(self.started)
        ids = [pairs[at] if at in pairs else next(news) for at in range(len(seen))]
        self.started += len(seen) - len(pairs)
        return ids


def match(tracks: list[Track], time: float, seen: Array) -> NDArray[np.int64]:
    """Pair tracks (N) with boxes (M, 4) seen at a time: (K, 2) rows and columns.

    Each second that a track was not seen costs it as much as an overlap of nothing: one who was
    there in the frame before comes first.
    """
    predicted = np.array([track.at(time) for track in tracks]).reshape(-1, 4)
    gaps = np.array([time - track.time for track in tracks])
    return assign(cost(predicted, seen, NEAR + SPEED * gaps) + gaps[:, None])
