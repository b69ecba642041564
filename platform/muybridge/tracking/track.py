"""Tell who is who from frame to frame, by motion, size and appearance.

As in SORT (Bewley et al. 2016) tracks move under a Kalman filter and all detections of a frame are
assigned together. As in ByteTrack (Zhang et al. 2022) confident detections are assigned first; weak
ones may continue a track and start none. As in OC-SORT (Cao et al. 2023) the detection that ends an
occlusion corrects the velocity over the whole gap. A track that lasted waits for three seconds.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes as geometry
from muybridge.tracking import motion
from muybridge.tracking.associate import match

Array = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Ids = NDArray[np.int32]
Numbers = NDArray[np.integer[Any]]
Size = tuple[float, float]

MEMORY_S = 3.0  # for which a track that lasted waits for somebody occluded
MIN_MEMORY_S = 1.0  # ... and every track
STRONG_SCORE = 0.5  # from which a detection is assigned first and may start a track
MAX_SHARED = 0.2  # part of the smaller of two boxes up to which appearances do not mix
LEAVING_S = 0.4  # for which those are waited for who were leaving the picture ...
EDGE = 0.02  # ... whose box was as near to its edge, in box lengths ...
OUTWARDS = 0.1  # ... and moved outwards, in box lengths/s


class Tracker:
    """Give each box of a clip, frame by frame, the number of its track.

    Times are in seconds. With the ``picture``'s width and height, those who leave it are not waited
    for as long as those who are occluded.
    """

    def __init__(
        self,
        memory: float = MEMORY_S,
        strong_score: float = STRONG_SCORE,
        picture: Size | None = None,
    ) -> None:
        self.memory = memory
        self.strong_score = strong_score
        self.picture = picture
        self.tracks = motion.start([], 0.0, np.empty((0, 4)))
        self.started = 0

    def update(
        self,
        time: float,
        seen: Array,
        known: Numbers | None = None,
        scores: Array | None = None,
        appearance: Array | None = None,
    ) -> Ids:
        """Take the boxes (N, 4) of one frame and say whose they are: (N,) numbers from 0.

        * ``known`` (N,): the numbers of those whose track is known already, -1 for others
        * ``scores`` (N,): a weak box that continues no track is nobody's, -1
        * ``appearance`` (N, D): what ``appearance.describe`` says of each, nan where unknown
        """
        seen = np.asarray(seen, float).reshape(-1, 4)
        ids = np.full(len(seen), -1, np.int32) if known is None else known.astype(np.int32)
        strong = np.ones(len(seen), bool) if scores is None else scores >= self.strong_score
        for stage in (strong, ~strong):
            rows = np.flatnonzero(stage & (ids < 0))
            looks = None if appearance is None else appearance[rows]
            ids[rows] = self._continue(time, seen[rows], set(ids.tolist()), looks)
        new = np.flatnonzero(strong & (ids < 0))
        self.started = max(self.started, int(ids.max(initial=-1)) + 1)
        ids[new] = self.started + np.arange(len(new))
        self.started += len(new)
        mine = ids >= 0
        self._learn(time, ids[mine], seen[mine], None if appearance is None else appearance[mine])
        return ids

    def match(self, time: float, seen: Array, appearance: Array | None = None) -> Ids:
        """Say which tracks boxes (N, 4) continue, as ``update`` would: (N,), -1 for none."""
        return self._continue(time, np.asarray(seen, float).reshape(-1, 4), set(), appearance)

    def _continue(
        self, time: float, seen: Array, busy: Set[int], looks: Array | None = None
    ) -> Ids:
        """Say which tracks, none of the busy ones, boxes (N, 4) continue: (N,), -1 for none."""
        ids = np.full(len(seen), -1, np.int32)
        if len(seen) and len(self.tracks):
            gap = time - self.tracks.time
            waiting = (gap > 0) & (gap <= patience(self.tracks, self.memory, self.picture))
            free = self.tracks[waiting & ~np.isin(self.tracks.id, list(busy))]
            rows, columns = match(free, time, seen, looks).T
            ids[columns] = free.id[rows]
        return ids

    def _learn(self, time: float, ids: Ids, seen: Array, looks: Array | None) -> None:
        """Correct the tracks by what was seen of them, start new ones and forget old ones."""
        tracks = self.tracks[time - self.tracks.time <= 2 * self.memory]
        row_of = {id: row for row, id in enumerate(tracks.id.tolist())}
        rows = np.array([row_of.get(id, -1) for id in ids.tolist()], np.int64)
        old, new = rows >= 0, rows < 0
        parts = [
            motion.follow(tracks[rows[old]], time, seen[old]),
            motion.start(ids[new], time, seen[new]),
        ]
        if looks is not None:
            looks = np.where(is_alone(seen)[:, None], looks, np.nan)
            parts = [
                motion.remember(part, looks[at]) for part, at in zip(parts, (old, new), strict=True)
            ]
        unseen = np.delete(np.arange(len(tracks)), rows[old])
        self.tracks = motion.join([tracks[unseen], *parts])


def patience(tracks: motion.Tracks, memory: float, picture: Size | None = None) -> Array:
    """Say for how many seconds (N,) tracks wait: four times as long as they lasted, in bounds."""
    waits = np.clip(4 * (tracks.time - tracks.first), min(MIN_MEMORY_S, memory), memory)
    return waits if picture is None else np.where(_leaving(tracks, picture), LEAVING_S, waits)


def _leaving(tracks: motion.Tracks, picture: Size) -> Flags:
    """Say which tracks (N,) touched an edge of the picture when last seen and moved outwards."""
    box, length = tracks.box, tracks.length[:, None]
    low = (box[:, :2] <= EDGE * length) & (tracks.velocity < -OUTWARDS * length)
    far = np.array(picture) - EDGE * length
    high = (box[:, 2:] >= far) & (tracks.velocity > OUTWARDS * length)
    return (low | high).any(axis=1)


def is_alone(seen: Array) -> Flags:
    """Say which boxes (N, 4) share little with any other: (N,)."""
    shared = geometry.containment(seen, seen)
    np.fill_diagonal(shared, 0)
    return shared.max(axis=1, initial=0) <= MAX_SHARED
