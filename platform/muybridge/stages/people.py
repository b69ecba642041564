"""See people: where they are, who is who within the clip, and their joints, with MoveNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.device import device, may_have_gpu
from muybridge.graph import Run, Stage
from muybridge.models.movenet import checkpoint
from muybridge.models.movenet.find import Networks
from muybridge.models.movenet.optimized import LiteRT
from muybridge.models.movenet.postprocess import concatenate
from muybridge.stages.looking import PEOPLE, READS, chunks, frame_seen, renumbered
from muybridge.stages.watch import Options, Seen, Watcher
from muybridge.tracking.appearance import DIMENSIONS
from muybridge.tracking.sides import hide_faces, keep_sides
from muybridge.tracking.smooth import smooth_joints
from muybridge.tracking.track import Tracker

Floats = NDArray[np.floating[Any]]

WRITES = (*PEOPLE, "person_appearance", "movenet_joints")
CHUNK = 16  # frames held at a time, at most
SPAN_S = 0.5
TRACK_SCORE = 0.3  # median of a whole track's scores ...
BRIEF = 0.2  # ... and how much more of one that is seen once in a long clip


def people(options: Options = Options()) -> Stage:
    """Make the stage that finds people, their tracks and their joints."""
    return Stage(
        name="people",
        load=lambda: load(options),
        reads=READS,
        writes=WRITES,
        identity={**checkpoint.identity("multipose", options.pose_model), **asdict(options)},
    )


def load(options: Options) -> Run:
    """Load the networks and return what runs them over clips."""
    net = load_networks(options.pose_model)

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [see(net, clip, options) for clip in clips]

    return run


def load_networks(pose_model: str) -> Networks:
    """Load MultiPose and a pose model: in torch on an Nvidia GPU, else for LiteRT."""
    if may_have_gpu() and device() == "cuda":
        from muybridge.models.movenet.batched import Torch

        return Torch(pose_model, "cuda")
    return LiteRT(pose_model)


def see(net: Networks, clip: Clip, options: Options) -> dict[str, Any]:
    """Look at a clip's core and a few frames after it, and write the stage's columns."""
    times = clip["times"]
    _, height, width, _ = clip["frames"].shape
    watcher = Watcher(net, options, Tracker(picture=(width, height)))
    looked, seen = list[int](), list[Seen]()
    step = frames_in(times, options.interval, CHUNK)
    size = step * max(frames_in(times, SPAN_S, CHUNK) // step, 1)
    for rows, pictures in chunks(clip, size, options.after, options.before):
        seen += watcher.watch(times[rows].tolist(), pictures, step)
        looked += rows.tolist()
    return {"frame_seen": frame_seen(clip, looked), **columns(times, looked, seen, options.raw)}


def frames_in(times: NDArray[np.float64], seconds: float, most: int) -> int:
    """Count the frames in so many seconds, 1 to ``most``, by the usual distance of times (T,)."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else seconds
    return int(np.clip(round(seconds / max(step, 1e-3)), 1, most))


def columns(times: Floats, rows: list[int], seen: list[Seen], raw: bool) -> dict[str, Any]:
    """Put who was seen in each row into columns, without tracks that are nobody's.

    Row i of the clip is shown at ``times[i]`` seconds; unless ``raw``, joints are smoothed.
    """
    everyone = concatenate([frame.people for frame in seen])
    track = np.concatenate([np.empty(0, np.int32), *(frame.ids for frame in seen)])
    row = np.repeat(np.array(rows, np.int32), [len(frame.ids) for frame in seen])
    looks = np.concatenate([np.empty((0, DIMENSIONS)), *(frame.looks for frame in seen)])
    joints = everyone.joints.copy()
    kept = np.zeros(len(track), bool)
    for id in np.unique(track).tolist():
        mine = track == id
        if not is_person(everyone.score[mine], len(rows)):
            continue
        kept[mine] = True
        size = everyone.box[mine, 2:] - everyone.box[mine, :2]
        joints[mine] = steady(times[row[mine]], joints[mine], size.max(axis=1), raw)
    return {
        "person_frame": row[kept],
        "person_track": renumbered(track[kept]),
        "person_score": everyone.score[kept].astype(np.float32),
        "person_box": everyone.box[kept],
        "person_appearance": looks[kept].astype(np.float32),
        "movenet_joints": joints[kept].astype(np.float32),
    }


def steady(times: Floats, joints: Floats, length: Floats, raw: bool) -> Floats:
    """Have a track's joints (T, 17, 3) keep their sides, and smooth them unless ``raw``."""
    length = np.maximum(length, 1)
    joints = keep_sides(times, joints, length)
    return hide_faces(joints if raw else smooth_joints(times, joints, length))


def is_person(score: NDArray[np.float32], frames: int) -> bool:
    """Judge a track by its scores (N,): of a brief one in a clip of many frames, more is asked."""
    asked = TRACK_SCORE + BRIEF * (1 / len(score) - 1 / frames)
    return bool(np.median(score) >= asked)
