"""Watch a clip: follow everybody from frame to frame, look for others at the end of each span.

A span is half a second of frames or less. Those who are found at its end are followed backwards to
its beginning or to where they came in, so that nobody is late and somebody lost on the way has no
gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from muybridge.models.blazepose.find import Limits, agreement, find, present, read
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import NOBODY, People, together
from muybridge.models.blazepose.preprocess import Picture, tiles
from muybridge.stages.looking import AFTER
from muybridge.tracking.track import Tracker

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Options:
    """Say how often and where to look for people; times in seconds."""

    span: float = 0.5  # between looks at the whole picture and at large tiles
    close_every: float = 2.0  # between looks at small tiles as well
    tiles: tuple[float, ...] = (
        1.0,
    )  # sides of large tiles, as parts of the picture's shorter side
    close_tiles: tuple[float, ...] = (1.0, 0.6)  # ... and with small ones
    overlap: float = 0.2  # of neighbouring tiles, as part of their side
    after: int = AFTER  # frames after the core to see as well, which link identities across clips
    before: int = 0  # frames ahead of the core to see, for those who want to know what came before
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Seen:
    """Hold who was seen in one frame: track numbers (P,), rising, and the people."""

    ids: Ids
    people: People

    def __getitem__(self, which: NDArray[np.generic]) -> Seen:
        return Seen(self.ids[which], self.people[which])

    def plus(self, id: int, one: People) -> Seen:
        """Add one person."""
        ids = np.append(self.ids, np.int32(id))
        return Seen(ids, together([self.people, one]))[np.argsort(ids, kind="stable")]


@dataclass
class Watcher:
    """Watch one clip's frames in order."""

    model: BlazePose
    options: Options
    tracker: Tracker = field(default_factory=Tracker)
    last: Seen = field(default_factory=lambda: Seen(np.empty(0, np.int32), NOBODY))
    looked_close: float = -np.inf

    def watch(self, times: list[float], pictures: NDArray[np.uint8]) -> list[Seen]:
        """Say who is seen in each picture (N, H, W, 3) of the next span, shown at times (N,)."""
        seen = [self._follow(time, picture) for time, picture in zip(times, pictures, strict=True)]
        found = self._look(times[-1], pictures[-1])
        for at in range(len(found)):
            self._enter(self._trace(found[at : at + 1], seen, pictures), seen, times)
        self.last = seen[-1]
        return seen

    def _follow(self, time: float, picture: Picture) -> Seen:
        limits = self.options.limits
        now = Seen(self.last.ids, read(self.model, picture, self.last.people.region))
        there = present(now.people, limits)
        # Where two have run into one, it is the one who moved less.
        steady = agreement(now.people.joints, self.last.people.joints)
        kept: list[int] = []
        for at in np.argsort(-steady, kind="stable").tolist():
            others = now.people[np.array(kept, int)]
            if there[at] and not repeats(now.people[at : at + 1], others, limits):
                kept.append(at)
        self.last = now[np.array(sorted(kept), int)]
        self.tracker.update(time, self.last.people.box, self.last.ids)
        return self.last

    def _look(self, time: float, picture: Picture) -> People:
        options = self.options
        close = time - self.looked_close >= options.close_every - 1e-6
        self.looked_close = time if close else self.looked_close
        height, width = picture.shape[:2]
        scales = options.close_tiles if close else options.tiles
        squares = tiles(width, height, scales, options.overlap)
        return find(self.model, picture, squares, self.last.people, options.limits)

    def _trace(self, one: People, seen: list[Seen], pictures: NDArray[np.uint8]) -> list[People]:
        """Follow somebody found in the last picture backwards: one a frame, last frame first."""
        trace = [one]
        for before, picture in zip(seen[-2::-1], pictures[-2::-1], strict=True):
            one = read(self.model, picture, one.region)
            limits = self.options.limits
            if not present(one, limits)[0] or repeats(one, before.people, limits):
                break
            trace.append(one)
        return trace

    def _enter(self, trace: list[People], seen: list[Seen], times: list[float]) -> None:
        """Put somebody's trace, last frame first, among those seen, under a new or a lost track."""
        first = len(seen) - len(trace)
        busy = {id for frame in seen[first:] for id in frame.ids.tolist()}
        id = self.tracker.claim(times[first], trace[-1].box[0], busy)
        for at, one in zip(range(first, len(seen)), reversed(trace), strict=True):
            seen[at] = seen[at].plus(id, one)
            self.tracker.update(times[at], one.box, np.array([id]))


def repeats(one: People, others: People, limits: Limits) -> bool:
    """Say whether somebody is one of the others."""
    return bool((agreement(one.joints, others.joints) > limits.same).any())
