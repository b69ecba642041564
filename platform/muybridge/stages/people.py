"""See people with BlazePose: where they are, who is who within the clip, and their joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.graph import Run, Stage
from muybridge.models.blazepose import checkpoint
from muybridge.models.blazepose.find import Limits
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import NOBODY, together
from muybridge.stages.looking import PEOPLE, READS, chunks, frame_seen, renumbered
from muybridge.stages.watch import Options, Seen, Watcher

WRITES = (*PEOPLE, "blazepose_joints", "blazepose_joints3d")
CHUNK = 16  # frames held at a time, at most


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
    model = checkpoint.load()

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [see(model, clip, options) for clip in clips]

    return run


def see(model: BlazePose, clip: Clip, options: Options) -> dict[str, Any]:
    """Look at a clip's core and a few frames after it, and write the stage's columns."""
    times = clip["times"]
    watcher, looked, seen = Watcher(model, options), list[int](), list[Seen]()
    size = span(times, options.span)
    for rows, pictures in chunks(clip, size, options.after, options.before):
        seen += watcher.watch(times[rows].tolist(), pictures)
        looked += rows.tolist()
    return {"frame_seen": frame_seen(clip, looked), **columns(looked, seen, options.limits)}


def span(times: NDArray[np.float64], seconds: float) -> int:
    """Count the frames in so many seconds, from 1 to CHUNK, by the usual distance of times (T,)."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else seconds
    return int(np.clip(round(seconds / max(step, 1e-3)), 1, CHUNK))


def columns(rows: list[int], seen: list[Seen], limits: Limits) -> dict[str, Any]:
    """Put who was seen in each row into columns, without tracks that are nobody's."""
    everyone = together([NOBODY, *(frame.people for frame in seen)])
    track = np.concatenate([np.empty(0, np.int32), *(frame.ids for frame in seen)])
    row = np.repeat(np.array(rows, np.int32), [len(frame.ids) for frame in seen])
    ids = np.unique(track).tolist()
    real = [id for id in ids if is_person(everyone.score[track == id], len(rows), limits)]
    kept = np.isin(track, real)
    everyone = everyone[kept]
    return {
        "person_frame": row[kept],
        "person_track": renumbered(track[kept]),
        "person_score": everyone.score,
        "person_box": everyone.box,
        "blazepose_joints": everyone.joints,
        "blazepose_joints3d": everyone.joints3d,
    }


def is_person(score: NDArray[np.float32], frames: int, limits: Limits) -> bool:
    """Judge a track by its scores (N,): of a brief one in a clip of many frames, more is asked."""
    asked = limits.track_score + limits.brief * (1 / len(score) - 1 / frames)
    return bool(np.median(score) >= asked)
