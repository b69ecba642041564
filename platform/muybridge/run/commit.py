"""Make a shard's parts from the rows of its clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from muybridge.columns import Clip
from muybridge.errors import is_transient
from muybridge.geometry.cameras import Camera
from muybridge.graph import parted
from muybridge.retry import attempts
from muybridge.run.actions import actions
from muybridge.run.identities import Core, linked
from muybridge.run.views import View, together
from muybridge.store import tables
from muybridge.store.ledger import Ledger
from muybridge.store.plan import PlannedVideo, load
from muybridge.tracking.link import in_core


def commit(ledger: Ledger, shard: str, videos: frozenset[str]) -> dict[str, Any]:
    """Link identities across the clips of the shard's ``videos``, and commit its rows."""
    if record := ledger.finished(shard):  # Ray has lost an earlier attempt after it was recorded
        return record
    parts = (_video(ledger, shard, video) for video in todo(ledger, shard, videos))
    return ledger.commit(shard, tables.joined(parts), videos)


def todo(ledger: Ledger, shard: str, videos: frozenset[str]) -> list[PlannedVideo]:
    """Read the videos of a shard that are to be done, by their keys."""
    return [video for video in load(ledger.objects, shard) if video.key in videos]


def analysed(clip: Clip) -> int:
    """Count the frames of the clip's core that were looked at."""
    seen = clip["frame_index"][np.flatnonzero(clip["frame_seen"])]  # nothing for a failed clip
    return int(np.count_nonzero(in_core(seen, clip["core"])))


def looked(clips: Sequence[Clip]) -> pa.Table:
    """Make rows of ``videos`` that say of clips how many frames were looked at."""
    rows = [{"video_id": clip["video_id"], "frames_analysed": analysed(clip)} for clip in clips]
    return tables.table("videos", rows)


def video_row(video: PlannedVideo, frames: int) -> dict[str, Any]:
    """Make a video's row of the table ``videos``."""
    named = {"video_id": video.video_id, "uri": video.input.uri, "size": video.input.size}
    return {**named, **video.info, "frames_analysed": frames}


def _video(ledger: Ledger, shard: str, video: PlannedVideo) -> Mapping[str, pa.Table]:
    staged = [ledger.load_staged(shard, clip["clip_id"]) for clip in video.clips]
    if "views" in video.info:
        made = session_rows(video, staged)
    else:
        parts = list(linked((c["core"], r) for c, r in zip(video.clips, staged, strict=True)))
        made = {**tables.joined(parts), "actions": actions(part["moments"] for part in parts)}
        frames = pc.sum(made["videos"]["frames_analysed"]).as_py() or 0
        videos = [] if video.error else [video_row(video, frames)]
        made["videos"] = tables.table("videos", videos)
    rows = tables.table("errors", unread(video))
    return {**made, "errors": pa.concat_tables([made["errors"], rows])}


def _of(
    session: PlannedVideo, view: str, staged: Sequence[Mapping[str, pa.Table]]
) -> Iterator[tuple[Core, Mapping[str, pa.Table]]]:
    """Yield the core and the rows of each clip of a view, from those of the session's clips."""
    own = pc.field("video_id") == view
    for clip, rows in zip(session.clips, staged, strict=True):
        for each in clip["views"]:
            if each["video_id"] == view:
                yield each["core"], {name: part.filter(own) for name, part in rows.items()}


def clip_rows(clip: Clip) -> tables.Tables:
    """Make all rows of a clip, as they are staged: of a session's clip those of its views."""
    views = parted([clip])
    parts = [tables.rows(each) for each in views]
    if "views" in clip:
        parts.append(tables.rows(clip))
    made = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
    return {**made, "videos": looked(views)}


def session_rows(
    session: PlannedVideo, staged: Sequence[Mapping[str, pa.Table]]
) -> dict[str, pa.Table]:
    """Make all rows of a session but ``tracks``, from those of its clips in order."""
    views, videos = list[View](), list[dict[str, Any]]()
    for known in session.info["views"]:
        name = known["video_id"]
        parts = list(linked(_of(session, name, staged)))
        if known["info"]:
            rows = [tables.table("videos", []), *(part["videos"] for part in parts)]
            frames = pc.sum(pa.concat_tables(rows)["frames_analysed"]).as_py() or 0
            row = {"video_id": name, "uri": known["uri"], "size": known["size"], **known["info"]}
            videos.append({**row, "frames_analysed": frames})
        if not known["error"]:
            views.append(_view(session, known, parts))
    made = together(session.video_id, session.input.uri, views) if len(views) > 1 else {}
    made["actions"] = actions([made.pop("moments")] if made else [])
    own = pc.field("video_id") == session.video_id
    failed = [{"errors": part["errors"].filter(own)} for part in staged]
    return {**tables.joined([made, *failed]), "videos": tables.table("videos", videos)}


def _view(
    session: PlannedVideo, known: Mapping[str, Any], parts: Sequence[Mapping[str, pa.Table]]
) -> View:
    """Gather what is known of one view: which frames were looked at, and its rows."""
    clips = [
        each
        for clip in session.clips
        for each in clip["views"]
        if each["video_id"] == known["video_id"]
    ]
    inside = [in_core(clip["frame_index"], clip["core"]) for clip in clips]
    frames = [clip["frame_index"][own] for clip, own in zip(clips, inside, strict=True)]
    times = [clip["times"][own] for clip, own in zip(clips, inside, strict=True)]
    return View(
        known["video_id"],
        Camera.read(known["camera"]),
        known["offset"],
        np.concatenate([np.zeros(0, np.int64), *frames]),
        np.concatenate([np.zeros(0), *times]),
        tables.joined(parts, tables.STAGED),
    )


def unread(video: PlannedVideo) -> list[dict[str, Any]]:
    """Make rows of ``errors`` of what could not be read: the video, or a session and its views."""
    whole = {
        "video_id": video.video_id,
        "uri": video.input.uri,
        "error_kind": video.error_kind,
        "error": video.error,
    }
    return [
        {
            "video_id": each["video_id"],
            "uri": each["uri"],
            "clip_id": "",
            "stage": "probe",
            "kind": each["error_kind"],
            "transient": is_transient(each["error_kind"]),
            "message": each["error"],
            "attempts": attempts(each["error_kind"]) if is_transient(each["error_kind"]) else 1,
            "traceback": "",
        }
        for each in (whole, *video.info.get("views", ()))
        if each["error"]
    ]
