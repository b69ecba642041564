"""Read of an output's tables what is measured: people's boxes and joints, video by video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.evaluate.jitter import Motion
from muybridge.evaluate.motchallenge import Tracks
from muybridge.geometry.skeletons import SKELETONS, Skeleton
from muybridge.store.query import Output
from muybridge.store.tables import SIDES, SYSTEMS

MAX_NAMES = 5  # in a message
Person = tuple[int, str]  # track, and the system that saw the joints


def rows(out: Output, table: str, video_id: str, columns: Sequence[str]) -> pa.Table:
    """Take columns of a table's rows of one video, in the order of their frames."""
    mine = ds.field("video_id") == video_id
    return out.parts(table).to_table([*columns], filter=mine).sort_by("frame")


def tracks(out: Output, video_id: str) -> Tracks:
    """Take the boxes of a video's people, and whose they are, from the table ``people``."""
    own = rows(out, "people", video_id, ["frame", "track_id", *SIDES])
    boxes = np.stack([own[side].to_numpy().astype(np.float64) for side in SIDES], axis=1)
    return Tracks(own["frame"].to_numpy(), own["track_id"].to_numpy().astype(np.int64), boxes)


def motions(
    out: Output, video_id: str, parts: Mapping[str, tuple[str, ...]]
) -> dict[Person, dict[str, Motion]]:
    """Take the joints of a video's people by part of the body, for each system that sees them.

    ``parts`` names each part's joints. InputError says if the table ``people``, of whose boxes
    bodies get their length, was not written.
    """
    columns = ["frame", "time_s", "track_id", "system", "skeleton", "x", "y", "score"]
    seen, people = rows(out, "keypoints", video_id, columns), tracks(out, video_id)
    if len(seen) and not len(people.ids):
        raise InputError("the table people has no rows; index with --tables people,keypoints")
    heights, steps = people.boxes[:, 3] - people.boxes[:, 1], np.diff(np.unique(seen["time_s"]))
    step = float(np.median(steps)) if len(steps) else float("nan")
    return {
        (track, system): _parts(own, float(np.median(heights[people.ids == track])), step, parts)
        for track, system, own in _people(seen)
    }


def joints(seen: pa.Table) -> tuple[Skeleton, NDArray[np.float64]]:
    """Give x, y, score (F, J, 3) of rows of ``keypoints`` of one system, and what they are of."""
    lists = [
        pc.list_flatten(seen[name].combine_chunks()).to_numpy() for name in ("x", "y", "score")
    ]
    values = np.stack([each.astype(np.float64).reshape(len(seen), -1) for each in lists], axis=-1)
    return SKELETONS[seen["skeleton"][0].as_py()], values


def _people(seen: pa.Table) -> Iterator[tuple[int, str, pa.Table]]:
    """Part rows of ``keypoints`` by track and system."""
    pairs = seen.group_by(["track_id", "system"]).aggregate([]).to_pylist()
    for track, system in sorted((pair["track_id"], pair["system"]) for pair in pairs):
        own = (pc.field("track_id") == track) & (pc.field("system") == system)
        yield track, system, seen.filter(own)


def _parts(
    seen: pa.Table, body: float, step: float, parts: Mapping[str, tuple[str, ...]]
) -> dict[str, Motion]:
    skeleton, values = joints(seen)
    places = np.where(values[..., 2:] > 0, values[..., :2], np.nan)
    frames, times = seen["frame"].to_numpy(), seen["time_s"].to_numpy()
    return {
        part: Motion(frames, times, places[:, skeleton.index(*names)], body, step)
        for part, names in parts.items()
    }


def stems(out: Output) -> dict[str, list[dict[str, Any]]]:
    """Sort the rows of ``videos`` by the stems of their files' names."""
    named: dict[str, list[dict[str, Any]]] = {}
    for row in out.videos.to_pylist():
        name = (row["uri"] or "").rstrip("/").rpartition("/")[2]
        named.setdefault(name.rpartition(".")[0] or name, []).append(row)
    return named


def only(videos: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Take the one video of a name; InputError lists them if there are several."""
    if len(videos) > 1:
        uris = some(video["uri"] for video in videos)
        raise InputError(f"labels of {name} may be of {uris}; index one of them by itself")
    return videos[0]


def some(names: Iterable[str]) -> str:
    """List the first few of names."""
    known = sorted(names)
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    return (", ".join(known[:MAX_NAMES]) or "none") + more


def people_at(
    out: Output, video_id: str, frames: Sequence[int]
) -> Iterator[tuple[int, Skeleton, NDArray[np.float64], float]]:
    """Give whom the first system that saw joints found in frames: frame, joints (J, 3), score.

    The order of systems is that of ``store.tables.SYSTEMS``.
    """
    columns = ["frame", "track_id", "system", "skeleton", "x", "y", "score"]
    seen = rows(out, "keypoints", video_id, columns)
    systems = set(seen["system"].to_pylist())
    first = next((system for _, system, *_ in SYSTEMS if system in systems), None)
    seen = seen.filter((pc.field("system") == first) & pc.field("frame").isin([*frames]))
    people = rows(out, "people", video_id, ["frame", "track_id", "score"]).to_pylist()
    scores = {(person["frame"], person["track_id"]): person["score"] for person in people}
    if not len(seen):
        return
    skeleton, values = joints(seen)
    whose = zip(seen["frame"].to_pylist(), seen["track_id"].to_pylist(), values, strict=True)
    for frame, track, one in whose:
        yield frame, skeleton, one, scores.get((frame, track), float(one[:, 2].mean()))
