"""Make a shard's parts from the rows of its clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from muybridge.run.identities import Core, linked
from muybridge.store import tables
from muybridge.store.ledger import Ledger
from muybridge.store.plan import PlannedVideo, load


def commit(ledger: Ledger, shard: str, videos: frozenset[str]) -> dict[str, Any]:
    """Link identities across the clips of the shard's ``videos``, and commit its rows."""
    planned = [video for video in load(ledger.objects, shard) if video.video_id in videos]
    return ledger.commit(shard, tables.joined(_video(ledger, shard, video) for video in planned))


def video_row(video: PlannedVideo, analysed: int) -> dict[str, Any]:
    """Make a video's row of the table ``videos``."""
    named = {"video_id": video.video_id, "uri": video.input.uri, "size": video.input.size}
    return {**named, **video.info, "frames_analysed": analysed}


def _video(ledger: Ledger, shard: str, video: PlannedVideo) -> Mapping[str, pa.Table]:
    made = tables.joined(linked(_staged(ledger, shard, video)))
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
    analysed = pc.sum(made["videos"]["frames_analysed"]).as_py() or 0
    return {**made, "videos": tables.table("videos", [video_row(video, analysed)])}


def _staged(
    ledger: Ledger, shard: str, video: PlannedVideo
) -> Iterator[tuple[Core, Mapping[str, pa.Table]]]:
    for clip in video.clips:
        yield clip["core"], ledger.load_staged(shard, clip["clip_id"])
