"""Link the tracks of a video's clips, clip by clip, so that one person keeps one number.

A clip looks at a few frames after its core, which are the next clip's first ones. Two tracks that
cover each other there are one person. A track that ended up to three seconds before may also go on
in the next clip, on what the tracker within a clip asks for: position, size and appearance agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.boxes import iou
from muybridge.tracking import motion
from muybridge.tracking.appearance import DIMENSIONS
from muybridge.tracking.assign import assign
from muybridge.tracking.associate import match
from muybridge.tracking.track import MEMORY_S, Size, patience

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]
Given = Sequence[Any]  # what ``Linker.next`` takes

SAME = 0.3  # mean overlap from which two tracks on the same frames are one person
TAIL = 24  # rows of a track from which its motion and its appearance are judged


@dataclass(frozen=True)
class Rows:
    """Hold people-in-frames.

    They are ``frame``, ``time``, ``track`` (P,), ``box`` (P, 4), ``appearance`` (P, D).
    """

    frame: NDArray[np.int64]
    time: Array
    track: Ids
    box: Array
    appearance: Array

    def __getitem__(self, which: NDArray[np.generic]) -> Rows:
        return Rows(*(each[which] for each in vars(self).values()))


def in_core(frame: NDArray[np.int64], core: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which rows, by their frame numbers (P,), the clip answers for."""
    return (frame >= core[0]) & (frame < core[1])


@dataclass
class Linker:
    """Number the people of a video from 0 in order of appearance, clip by clip in order.

    With the ``picture``'s width and height, those who leave it are waited for less, as ``Tracker``
    does.
    """

    picture: Size | None = None
    count: int = 0
    ended: motion.Tracks = field(default_factory=lambda: motion.start([], 0.0, np.empty((0, 4))))
    ahead: Rows | None = None

    def next(
        self,
        frame: NDArray[np.int64],
        time: Array,
        track: Ids,
        box: Array,
        core: NDArray[np.int64],
        appearance: Array | None = None,
    ) -> Ids:
        """Take the next clip's rows and give each the video's number (P,) for its person.

        Rows outside the core (see ``in_core``) only serve to link; those of a person who is not in
        the core at all get -1. Rows are in order of frames. ``appearance`` (P, D) is what
        ``appearance.describe`` says of each, nan where it is not known.
        """
        look = np.full((len(frame), DIMENSIONS), np.nan) if appearance is None else appearance
        rows = Rows(frame, time, track, box, look)
        inside = in_core(frame, core)
        known = self._overlapping(rows)
        known |= self._moving(rows[inside], known)
        for local in rows.track[inside].tolist():
            if local not in known:
                known[local] = self.count
                self.count += 1
        kept = set(rows.track[inside].tolist())
        ids = np.array([known[t] if t in kept else -1 for t in track.tolist()], np.int32)
        self._remember(Rows(frame, time, ids, box, look), inside, core)
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
        """Pair the tracks left over with numbers left over by how these moved and look."""
        found: dict[int, int] = {}
        locals_, firsts = np.unique(rows.track, return_index=True)
        fresh = np.array([local not in known for local in locals_.tolist()], bool)
        for time in np.unique(rows.time[firsts[fresh]]).tolist():
            here = np.flatnonzero(fresh & (rows.time[firsts] == time))
            looks = np.stack([_begin(rows, local) for local in locals_[here].tolist()])
            gap = time - self.ended.time
            taken = np.isin(self.ended.id, [*known.values(), *found.values()])
            free = self.ended[
                (gap > 0) & (gap <= patience(self.ended, MEMORY_S, self.picture)) & ~taken
            ]
            for old, new in match(free, time, rows.box[firsts[here]], looks).tolist():
                found[int(locals_[here[new]])] = int(free.id[old])
        return found

    def _remember(self, rows: Rows, inside: NDArray[np.bool_], core: NDArray[np.int64]) -> None:
        self.ahead = rows[rows.frame >= core[1]]
        rows = rows[inside]
        ended = self.ended
        for id in np.unique(rows.track).tolist():
            before = ended[ended.id == id]
            last = _end(rows[rows.track == id], before)
            ended = motion.join([ended[ended.id != id], last])
        now = ended.time.max(initial=-np.inf)
        self.ended = ended[now - ended.time <= 2 * MEMORY_S]


def link(clips: Iterable[Given], picture: Size | None = None) -> list[Ids]:
    """Number the people of a video from all its clips: each is what ``Linker.next`` takes."""
    linker = Linker(picture)
    return [linker.next(*clip) for clip in clips]


def _overlap(first: Rows, second: Rows) -> float:
    """Average the overlap of two tracks over the frames in which both are; 0 if there is none."""
    _, i, j = np.intersect1d(first.frame, second.frame, return_indices=True)
    return float(np.mean(np.diag(iou(first.box[i], second.box[j])))) if len(i) else 0.0


def _begin(rows: Rows, local: int) -> Array:
    """Average the appearance (D,) of a clip's track over its first rows, nan where unknown."""
    looks = rows.appearance[np.flatnonzero(rows.track == local)[:TAIL]]
    known = np.isfinite(looks)
    total = np.where(known, looks, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _end(rows: Rows, before: motion.Tracks) -> motion.Tracks:
    """Follow one track over its last rows; ``before`` is what was known of it, if anything."""
    begin = float(rows.time[0])
    rows = rows[np.arange(max(len(rows.frame) - TAIL, 0), len(rows.frame))]
    track = motion.start(rows.track[:1], float(rows.time[0]), rows.box[:1])
    track = replace(track, first=np.array([begin]))
    if len(before):
        parts = before.first, before.appearance, before.described
        track = replace(track, first=parts[0], appearance=parts[1], described=parts[2])
    for time, box, look in zip(rows.time, rows.box, rows.appearance, strict=True):
        if time > track.time[0]:
            track = motion.follow(track, float(time), box[None])
        track = motion.remember(track, look[None])
    return track
