"""Link the tracks of a video's clips, clip by clip, so that one person keeps one number.

A clip looks at a few frames after its core, which are the next clip's first ones. Two tracks that
cover each other there are one person. A track that ended less than a second before may also go on
in the next clip, if a body moving as it did would be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.boxes import iou
from muybridge.tracking.assign import assign
from muybridge.tracking.track import MEMORY, Track, follow, match, start

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]
Given = tuple[NDArray[np.int64], Array, Ids, Array, NDArray[np.int64]]

SAME = 0.3  # mean overlap from which two tracks on the same frames are one person
TAIL = 8  # rows of a track from which its motion is judged


@dataclass(frozen=True)
class Rows:
    """Hold people-in-frames: ``frame`` (P,), ``time`` (P,), ``track`` (P,), ``box`` (P, 4)."""

    frame: NDArray[np.int64]
    time: Array
    track: Ids
    box: Array

    def __getitem__(self, which: NDArray[np.generic]) -> Rows:
        return Rows(self.frame[which], self.time[which], self.track[which], self.box[which])


def in_core(frame: NDArray[np.int64], core: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which rows, by their frame numbers (P,), the clip answers for."""
    return (frame >= core[0]) & (frame < core[1])


@dataclass
class Linker:
    """Number the people of a video from 0 in order of appearance, clip by clip in order."""

    count: int = 0
    ended: list[Track] = field(default_factory=list)
    ahead: Rows | None = None

    def next(
        self, frame: NDArray[np.int64], time: Array, track: Ids, box: Array, core: NDArray[np.int64]
    ) -> Ids:
        """Take the next clip's rows and give each the video's number (P,) for its person.

        Rows outside the core (see ``in_core``) only serve to link; those of a person who is not in
        the core at all get -1. Rows are in order of frames.
        """
        rows = Rows(frame, time, track, box)
        inside = in_core(frame, core)
        known = self._overlapping(rows)
        known |= self._moving(rows[inside], known)
        for local in rows.track[inside].tolist():
            if local not in known:
                known[local] = self.count
                self.count += 1
        kept = set(rows.track[inside].tolist())
        ids = np.array([known[t] if t in kept else -1 for t in track.tolist()], np.int32)
        self._remember(Rows(frame, time, ids, box), inside, core)
        return ids

    def _overlapping(self, rows: Rows) -> dict[int, int]:
        """Pair the clip's tracks with numbers by the frames that the clip before saw as well."""
        if self.ahead is None:
            return {}
        shared = np.intersect1d(self.ahead.frame, rows.frame)
        before, now = (r[np.isin(r.frame, shared)] for r in (self.ahead, rows))
        ids, locals_ = np.unique(before.track[before.track >= 0]), np.unique(now.track)
        overlap = np.zeros((len(ids), len(locals_)))
        for i, id in enumerate(ids):
            for j, local in enumerate(locals_):
                overlap[i, j] = _overlap(before[before.track == id], now[now.track == local])
        pairs = assign(np.where(overlap >= SAME, 1 - overlap, np.inf))
        return {int(locals_[j]): int(ids[i]) for i, j in pairs}

    def _moving(self, rows: Rows, known: dict[int, int]) -> dict[int, int]:
        """Pair the tracks left over with numbers left over by how these moved."""
        found: dict[int, int] = {}
        _, firsts = np.unique(rows.track, return_index=True)
        for at in np.sort(firsts):
            time, local = float(rows.time[at]), int(rows.track[at])
            taken = {*known.values(), *found.values()}
            free = [t for t in self.ended if t.id not in taken and 0 < time - t.time <= MEMORY]
            if local not in known and len(pairs := match(free, time, rows.box[at : at + 1])):
                found[local] = free[pairs[0, 0]].id
        return found

    def _remember(self, rows: Rows, inside: NDArray[np.bool_], core: NDArray[np.int64]) -> None:
        self.ahead = rows[rows.frame >= core[1]]
        rows = rows[inside]
        ended = {track.id: track for track in self.ended}
        for id in np.unique(rows.track).tolist():
            ended[id] = _last(rows[np.flatnonzero(rows.track == id)[-TAIL:]])
        now = max((track.time for track in ended.values()), default=0.0)
        self.ended = [track for track in ended.values() if now - track.time <= 2 * MEMORY]


def link(clips: Iterable[Given]) -> list[Ids]:
    """Number the people of a video from all its clips: each is what ``Linker.next`` takes."""
    linker = Linker()
    return [linker.next(*clip) for clip in clips]


def _overlap(first: Rows, second: Rows) -> float:
    """Average the overlap of two tracks over the frames in which both are; 0 if there is none."""
    _, i, j = np.intersect1d(first.frame, second.frame, return_indices=True)
    return float(np.mean(np.diag(iou(first.box[i], second.box[j])))) if len(i) else 0.0


def _last(rows: Rows) -> Track:
    """Judge the motion of one track from its last rows."""
    track = start(int(rows.track[0]), float(rows.time[0]), rows.box[0])
    for time, box in zip(rows.time[1:], rows.box[1:], strict=True):
        track = follow(track, float(time), box)
    return track
