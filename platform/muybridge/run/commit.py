"""Make a shard's parts from the rows of its clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from muybridge.columns import Clip
from muybridge.run.actions import actions
from muybridge.run.identities import Core, linked
from muybridge.store import tables
from muybridge.store.ledger import Ledger
from muybridge.store.plan import PlannedVideo, load
from muybridge.tracking.link import in_core


def commit(ledger: Ledger, shard: str, videos: frozenset[str]) -> dict[str, Any]:
    """Link identities across the clips of the shard's ``videos``, and commit its rows."""
    parts = (_video(ledger, shard, video) for video in todo(ledger, shard, videos))
    return ledger.commit(shard, tables.joined(parts))


def todo(ledger: Ledger, shard: str, videos: frozenset[str]) -> list[PlannedVideo]:
    """Read the videos of a shard that are to be done."""
    return [video for video in load(ledger.objects, shard) if video.video_id in videos]


def analysed(clip: Clip) -> int:
    """Count the frames of the clip's core that were looked at."""
    seen = clip["frame_index"][np.flatnonzero(clip["frame_seen"])]  # nothing for a failed clip
    return int(np.count_nonzero(in_core(seen, clip["core"])))


def video_row(video: PlannedVideo, frames: int) -> dict[str, Any]:
    """Make a video's row of the table ``videos``."""
    named = {"video_id": video.video_id, "uri": video.input.uri, "size": video.input.size}
    return {**named, **video.info, "frames_analysed": frames}


def _video(ledger: Ledger, shard: str, video: PlannedVideo) -> Mapping[str, pa.Table]:
    parts = list(linked(_staged(ledger, shard, video)))
    made = {**tables.joined(parts), "actions": actions(part["moments"] for part in parts)}
    if video.error:
        row = {
            "video_id": video.video_id,
            "uri": video.input.uri,
            "clip_id": "",
            "stage": "probe",
            "kind": video.error_kind,
            "message": video.error,
            "attempts": 1,
            "traceback": "",
        }
        return {**made, "errors": tables.table("errors", [row])}
    frames = pc.sum(made["videos"]["frames_analysed"]).as_py() or 0
    return {**made, "videos": tables.table("videos", [video_row(video, frames)])}


def _staged(
    ledger: Ledger, shard: str, video: PlannedVideo
) -> Iterator[tuple[Core, Mapping[str, pa.Table]]]:
    for clip in video.clips:
        yield clip["core"], ledger.load_staged(shard, clip["clip_id"])
