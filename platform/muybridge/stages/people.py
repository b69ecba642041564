"""See people with BlazePose: look for them now and then, follow each from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.graph import Run, Stage
from muybridge.models.blazepose import checkpoint
from muybridge.models.blazepose.find import Limits, confirm, duplicates, propose, read, similar
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import NOBODY, People, together
from muybridge.models.blazepose.preprocess import Picture, tiles
from muybridge.tracking.track import Tracker

READS = ("frames", "frame_index", "times", "core")
WRITES = (
    "frame_seen", "person_frame", "person_track", "person_score", "person_box",
    "blazepose_joints", "blazepose_joints3d",
)  # fmt: skip
CHUNK = 16  # frames at a time


@dataclass(frozen=True)
class Options:
    """Say how often and where to look for people; times in seconds."""

    every: float = 0.5  # between looks at the whole picture and large tiles
    close_every: float = 2.0  # between looks at small tiles as well
    tiles: tuple[float, ...] = (1.0,)  # large tiles' sides, as parts of the picture's shorter side
    close_tiles: tuple[float, ...] = (1.0, 0.5)
    overlap: float = 0.35  # of neighbouring tiles
    after: int = 4  # frames after the core, seen to link identities across clips
    limits: Limits = field(default_factory=Limits)


def people(options: Options = Options()) -> Stage:
    """Make the stage that finds people, their tracks and their joints with BlazePose."""
    return Stage(
        name="people",
        load=lambda: load(options),
        reads=READS,
        writes=WRITES,
        missing=checkpoint.missing,
        identity={"model": "blazepose", **checkpoint.identity(), **asdict(options)},
    )


def load(options: Options) -> Run:
    """Load both networks and return what runs them over clips."""
    model = BlazePose(checkpoint.path(checkpoint.DETECTOR), checkpoint.path(checkpoint.LANDMARKS))

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [see(model, clip, options) for clip in clips]

    return run


def see(model: BlazePose, clip: Clip, options: Options) -> dict[str, Any]:
    """Look at a clip's core and a few frames after it, and write the stage's columns."""
    start, stop = np.searchsorted(clip["frame_index"], clip["core"])
    seen = np.zeros(len(clip["times"]), bool)
    watcher = Watcher(model, options)
    for rows, pictures in clip["frames"].chunks(
        CHUNK, int(start), min(int(stop) + options.after, len(seen))
    ):
        seen[rows] = True
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            watcher.watch(row, float(clip["times"][row]), picture)
    return {"frame_seen": seen, **columns(watcher.seen)}


@dataclass
class Watcher:
    """Watch one clip's frames in order and keep who was seen in each."""

    model: BlazePose
    options: Options
    tracker: Tracker = field(default_factory=Tracker)
    seen: list[tuple[int, NDArray[np.int32], People]] = field(default_factory=list)
    followed: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    looked: float = -np.inf
    looked_close: float = -np.inf

    def watch(self, row: int, time: float, picture: Picture) -> None:
        """Follow those who were there, look for others if it is time or somebody is lost."""
        ids, now = self._follow(picture)
        if len(ids) < len(self.followed) or time - self.looked >= self.options.every - 1e-6:
            found = self._look(time, picture, now)
            now, ids = together([now, found]), np.append(ids, np.full(len(found), -1, np.int32))
        ids = self.tracker.update(time, now.box, ids)
        order = np.argsort(ids)
        self.followed = ids[order]
        self.seen.append((row, ids[order], now[order]))

    def _follow(self, picture: Picture) -> tuple[NDArray[np.int32], People]:
        before = self.seen[-1][2] if self.seen else NOBODY
        now = read(self.model, picture, before.region)
        kept = now.presence >= self.options.limits.presence
        for at in range(1, len(now)):  # the older track keeps the person
            mates = now[:at][kept[:at]]
            kept[at] &= not duplicates(now[at : at + 1], mates, self.options.limits).any()
        return self.followed[kept], now[kept]

    def _look(self, time: float, picture: Picture, known: People) -> People:
        options, limits = self.options, self.options.limits
        close = time - self.looked_close >= options.close_every - 1e-6
        self.looked, self.looked_close = time, time if close else self.looked_close
        height, width = picture.shape[:2]
        scales = options.close_tiles if close else options.tiles
        _, region = propose(
            self.model, picture, tiles(width, height, scales, options.overlap), limits
        )
        new = np.array([not similar(r, known.region).any() for r in region], bool)
        found, _ = confirm(self.model, picture, region[new], limits)
        everyone = known
        for at in range(len(found)):
            if not duplicates(found[at : at + 1], everyone, limits).any():
                everyone = together([everyone, found[at : at + 1]])
        return everyone[len(known) :]


def columns(seen: list[tuple[int, NDArray[np.int32], People]]) -> dict[str, Any]:
    """Put what was seen in each frame (row, tracks, people) into the stage's columns."""
    everyone = together([NOBODY, *(now for _, _, now in seen)])
    track = np.concatenate([np.empty(0, np.int32), *(ids for _, ids, _ in seen)])
    rows = [row for row, ids, _ in seen for _ in ids]
    return {
        "person_frame": np.array(rows, np.int32),
        "person_track": renumbered(track),
        "person_score": everyone.presence,
        "person_box": everyone.box,
        "blazepose_joints": everyone.joints,
        "blazepose_joints3d": everyone.joints3d,
    }


def renumbered(track: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number tracks (P,) from 0 in order of first appearance."""
    _, first, inverse = np.unique(track, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)
