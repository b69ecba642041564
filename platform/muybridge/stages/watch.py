"""Watch a clip: find people several times a second, track them, read their joints in each frame.

A span is half a second of frames or less. In it people are looked for at every few frames, in the
whole picture, from time to time in tiles as well, and closely where somebody was who is not found.
Who is new at one of these frames is traced back to those before. Between them boxes are
interpolated, so that the pose model reads each frame without waiting for the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.models.movenet import find
from muybridge.models.movenet.find import Limits, Networks
from muybridge.models.movenet.postprocess import NOBODY, People, concatenate
from muybridge.models.movenet.preprocess import Picture, tiles
from muybridge.stages.looking import AFTER
from muybridge.tracking.appearance import DIMENSIONS, describe
from muybridge.tracking.motion import predict
from muybridge.tracking.track import Tracker

Ids = NDArray[np.int32]
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Pictures = NDArray[np.uint8]
RECENT_S = 0.6  # for so long somebody who is not found is looked for closely


@dataclass(frozen=True)
class Options:
    """Say how often and where to look for people; intervals in seconds."""

    pose_model: str = "thunder"
    interval: float = 0.125  # between frames at which people are looked for
    tiled_interval: float = 2.0  # between those at which tiles are looked at as well
    tiles: tuple[float, ...] = (1.0, 0.6)  # sides, as parts of the picture's shorter side
    overlap: float = 0.2  # of neighbouring tiles, as part of their side
    longer: int = 384  # pixels of the whole picture's longer side
    after: int = AFTER  # frames after the core to see as well, which link identities across clips
    before: int = 0  # frames ahead of the core to see, for those who want to know what came before
    raw: bool = False  # leave joints unsmoothed
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Seen:
    """Hold who was seen in one frame: track numbers (P,), rising, the people, what they look like.

    ``looks`` (P, D) is what ``appearance.describe`` says, nan where nobody was looked for.
    """

    ids: Ids
    people: People
    looks: Floats

    def plus(self, ids: Ids, people: People, looks: Floats | None = None) -> Seen:
        """Add people."""
        looks = np.full((len(ids), DIMENSIONS), np.nan) if looks is None else looks
        all_ids = np.append(self.ids, ids).astype(np.int32)
        order = np.argsort(all_ids, kind="stable")
        everyone = concatenate([self.people, people])
        return Seen(all_ids[order], everyone[order], np.concatenate([self.looks, looks])[order])


NONE = Seen(np.empty(0, np.int32), NOBODY, np.empty((0, DIMENSIONS)))


@dataclass
class Watcher:
    """Watch one clip's frames in order."""

    net: Networks
    options: Options
    tracker: Tracker
    last: tuple[float, Seen] | None = None  # the last frame at which people were looked for
    tiled: float = -np.inf

    def watch(self, times: Sequence[float], pictures: Pictures, step: int) -> list[Seen]:
        """Say who is seen in each picture (N, H, W, 3) of the next span, shown at times (N,).

        People are looked for at every ``step``-th picture, the last of them, and the clip's first.
        """
        looks = [at for at in range(len(times)) if (len(times) - 1 - at) % step == 0]
        if self.last is None and looks[0] != 0:
            looks = [0, *looks]
        seen = dict[int, Seen]()
        options = self.options
        whole = find.find(
            self.net, [pictures[at] for at in looks], options.longer, options.limits.centre
        )
        for at, people in zip(looks, whole, strict=True):
            self._look(at, times[at], pictures, people, seen)
        made = self._between(times, pictures, seen)
        self.last = (times[looks[-1]], seen[looks[-1]])
        return made

    def _look(
        self, at: int, time: float, pictures: Pictures, people: People, seen: dict[int, Seen]
    ) -> None:
        """Find, read and name the people of one frame; trace those who are new backwards."""
        picture, limits = pictures[at], self.options.limits
        people, confirmed = self._tiled(time, picture, people)
        close = self._close(time, picture, people)
        confirmed = np.append(confirmed, np.zeros(len(close), bool))
        people = concatenate([people, close])
        (joints,) = find.read(self.net, [picture], [people], limits)
        evidence, looks = find.evidence(people, joints), describe(picture, joints, people.box)
        new = find.is_new(people.score, evidence, confirmed, limits)
        ids = self.tracker.match(time, people.box, looks)
        ids[evidence < limits.followed] = -1
        people = replace(people, joints=joints, score=evidence)
        kept = self._distinct(people, ids, (ids >= 0) | new)
        people, before = people[kept], self.tracker.started
        ids = self.tracker.update(time, people.box, ids[kept], appearance=looks[kept])
        seen[at] = NONE.plus(ids, people, looks[kept])
        for row in np.flatnonzero(ids >= before).tolist():
            self._trace(int(ids[row]), people[row : row + 1], at, pictures, seen)

    def _tiled(self, time: float, picture: Picture, whole: People) -> tuple[People, Flags]:
        """Look now and then at the picture at a smaller size, for those who are near and in
        company, and at tiles, for those who are far.

        Gives everybody once, and whether the whole picture or two tiles showed them.
        """
        options, limits = self.options, self.options.limits
        if time - self.tiled < options.tiled_interval - 1e-6:
            return whole, np.ones(len(whole), bool)
        self.tiled = time
        height, width = picture.shape[:2]
        squares = tiles(width, height, options.tiles, options.overlap)
        near = find.find(self.net, [picture], find.CLOSE_SIDE, limits.new)
        far = find.find_in_tiles(self.net, picture, squares, limits.new)
        people = concatenate([whole, *near, far])
        look = np.repeat(np.arange(3), [len(whole), sum(map(len, near)), len(far)])
        kept, votes = find.suppress(people, look, limits)
        votes += look[kept] < 2
        return people[kept], votes > 1

    def _close(self, time: float, picture: Picture, people: People) -> People:
        """Look closely at where somebody was a moment ago who is not among those found."""
        limits = self.options.limits
        tracks = self.tracker.tracks
        recent = predict(tracks[time - tracks.time <= RECENT_S], time)
        height, width = picture.shape[:2]
        expected = boxes.clip(recent.box.astype(np.float32), width, height)
        found = boxes.iou(expected, people.box).max(axis=1, initial=0) > limits.overlap
        expected = expected[~found & (boxes.area(expected) > 0)]
        close = find.find_close(self.net, picture, expected, limits)
        return close[~find.duplicates(close, people, limits).any(axis=1)]

    def _distinct(self, people: People, ids: Ids, which: Flags) -> NDArray[np.intp]:
        """Choose from ``which`` those who repeat nobody surer and are not made of others' joints.

        Two who are followed are two, however alike they are.
        """
        repeats = find.similarity(people, people) > self.options.limits.same_look
        borrowed = find.borrowed(people) & (ids < 0)
        kept = list[int]()
        for row in np.argsort(-people.score, kind="stable").tolist():
            mine = [other for other in kept if repeats[row, other]]
            apart = ids[row] >= 0 and all(ids[other] >= 0 for other in mine)
            if which[row] and not borrowed[row] and (apart or not mine):
                kept.append(row)
        return np.array(sorted(kept), np.intp)

    def _trace(
        self, id: int, one: People, at: int, pictures: Pictures, seen: dict[int, Seen]
    ) -> None:
        """Look closely for somebody new at the frames before that were looked at."""
        limits = self.options.limits
        for before in sorted((look for look in seen if look < at), reverse=True):
            one = find.find_close(self.net, pictures[before], one.box, limits)
            (joints,) = find.read(self.net, [pictures[before]], [one], limits)
            evidence = find.evidence(one, joints)
            if not (evidence >= limits.followed).all() or not len(one):
                return
            one = replace(one, joints=joints, score=evidence)
            if find.duplicates(one, seen[before].people, limits).any():
                return
            seen[before] = seen[before].plus(np.array([id], np.int32), one)

    def _between(
        self, times: Sequence[float], pictures: Pictures, seen: dict[int, Seen]
    ) -> list[Seen]:
        """Interpolate people between the frames looked at, and read their joints there."""
        rows = [at for at in range(len(times)) if at not in seen]
        guessed = [self._interpolate(times, at, seen) for at in rows]
        people = [guess.people for guess in guessed]
        read = find.read(self.net, [pictures[at] for at in rows], people, self.options.limits)
        for at, guess, joints in zip(rows, guessed, read, strict=True):
            seen[at] = replace(guess, people=replace(guess.people, joints=joints))
        return [seen[at] for at in range(len(times))]

    def _interpolate(self, times: Sequence[float], at: int, seen: dict[int, Seen]) -> Seen:
        """Guess who is where at a frame from the nearest frames before and after."""
        after = min(look for look in seen if look > at)
        earlier = [look for look in seen if look < at]
        if earlier:
            start, first = times[max(earlier)], seen[max(earlier)]
        else:
            assert self.last is not None  # the first frame of a clip is looked at
            start, first = self.last
        share = (times[at] - start) / (times[after] - start)
        return mix(first, seen[after], share)


def mix(first: Seen, last: Seen, share: float) -> Seen:
    """Interpolate people; who is in one of the two alone stays where they are for half the way."""
    made = NONE
    for id in np.union1d(first.ids, last.ids).tolist():
        one, other = first.people[first.ids == id], last.people[last.ids == id]
        if len(one) and len(other):
            values = (
                (1 - share) * getattr(one, name) + share * getattr(other, name)
                for name in ("box", "joints", "score")
            )
            made = made.plus(
                np.array([id], np.int32), People(*(v.astype(np.float32) for v in values))
            )
        elif near := (one if share < 0.5 else other):
            made = made.plus(np.array([id], np.int32), near)
    return made
