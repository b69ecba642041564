"""Make the rows of a session from those of its views: one number a person, joints in the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from muybridge.geometry.cameras import ARRAYS, Camera
from muybridge.geometry.similarity import own_error
from muybridge.geometry.skeletons import SKELETONS
from muybridge.store import tables
from muybridge.tracking.offsets import Offsets
from muybridge.tracking.world import Placed, Sighted, lined_up, matched, named, placed

Ids = NDArray[np.int64]
# system and skeleton of joints in the picture, in the order in which a view has them
SYSTEMS = tuple((of, kind) for table, of, kind, *_ in tables.SYSTEMS if table == "keypoints")


@dataclass(frozen=True)
class View:
    """Hold a view of a session: its camera for the video's pictures, and the rows of the video.

    ``offset`` are seconds to add to its times, None if they are to be found. ``frames`` (F,) and
    ``times`` (F,) are those that were looked at. ``rows`` have the video's own track ids.
    """

    video_id: str
    camera: Camera
    offset: float | None
    frames: Ids
    times: NDArray[np.float64]
    rows: Mapping[str, pa.Table]


def together(session_id: str, uri: str, views: Sequence[View]) -> dict[str, pa.Table]:
    """Give all rows of the views with the session's track ids, and the session's own.

    These are ``sessions``, and ``joints3d`` in the world, whose frames are the first view's. They
    are made of the joints in the pictures; a track that no other view knows gets a number that
    nobody else in its video has.
    """
    there = {key for view in views for key in _systems(view.rows["keypoints"])}
    systems = [key for key in SYSTEMS if key in there]
    own = [_sighted(view, systems) for view in views]
    late = lined_up(own, [view.offset for view in views])
    seen = [each.later(float(s)) for each, s in zip(own, late.seconds, strict=True)]
    times = views[0].times
    who = matched(seen, times)
    world = placed([view.camera for view in views], times, who)
    real, place = np.unique(world.person, return_inverse=True)
    first = [int(np.flatnonzero(place == i)[0]) for i in range(len(real))]
    rank = np.argsort(np.argsort(world.at[first], kind="stable"))  # by their first appearance
    numbers = dict(zip(real.tolist(), rank.tolist(), strict=True))
    parts = list[Mapping[str, pa.Table]]()
    for view, each, at, row, person in zip(views, seen, who.at, who.row, who.person, strict=True):
        known = np.array([numbers.get(id, -1) for id in person.tolist()], np.int64)
        ids = _all(named(each, times, at, row, known), each.tracks, len(real))
        parts.append(_renamed(view.rows, ids))
    world = replace(world, person=rank[place])
    start = 0
    for system, skeleton in systems:
        stop = start + len(SKELETONS[skeleton].joints)
        rows = _rows(session_id, views[0], world, system, skeleton, slice(start, stop))
        parts.append({"joints3d": rows})
        start = stop
    names = dict.fromkeys(name for part in parts for name in part)
    joined = {n: pa.concat_tables([part[n] for part in parts if n in part]) for n in names}
    learned = _learned(session_id, joined.pop("placed"))
    joined["joints3d"] = pa.concat_tables([joined["joints3d"], learned])
    if len(learned):
        told = tables.table("errors", list(_late(session_id, uri, views, late)))
        joined["errors"] = pa.concat_tables([joined["errors"], told])
    described = list(_described(session_id, uri, views, late))
    return {**joined, "sessions": tables.table("sessions", described)}


def _systems(keypoints: pa.Table) -> set[tuple[str, str]]:
    return set(zip(*(keypoints[name].to_pylist() for name in ("system", "skeleton")), strict=True))


def _sighted(view: View, systems: Sequence[tuple[str, str]]) -> Sighted:
    """Lay the joints of all systems beside the rows of ``people``; without any, scores are 0."""
    people = view.rows["people"]
    row = {key: number for number, key in enumerate(_keys(people))}
    parts = [np.zeros((len(row), 0, 3))]
    for system, skeleton in systems:
        joints = np.zeros((len(row), len(SKELETONS[skeleton].joints), 3))
        mine = view.rows["keypoints"].filter(pc.field("system") == system)
        mine = mine.filter(pc.field("skeleton") == skeleton)
        listed = [np.asarray(pc.list_flatten(mine[name])) for name in ("x", "y", "score")]
        rows = [row[key] for key in _keys(mine)]
        joints[rows] = np.stack(listed, -1).reshape(len(mine), *joints.shape[1:])
        parts.append(joints)
    times, tracks = (np.asarray(people[name]) for name in ("time_s", "track_id"))
    return Sighted(
        view.camera, view.times, times, tracks.astype(np.int64), np.concatenate(parts, axis=1)
    )


def _keys(rows: pa.Table) -> list[tuple[int, int]]:
    return list(zip(rows["frame"].to_pylist(), rows["track_id"].to_pylist(), strict=True))


def _all(ids: Ids, tracks: Ids, count: int) -> Ids:
    """Number those of a video who are nobody of the session (-1), from ``count`` on."""
    made, nobody = ids.copy(), ids < 0
    made[nobody] = count + np.unique(tracks[nobody], return_inverse=True)[1]
    return made


def _renamed(rows: Mapping[str, pa.Table], ids: Ids) -> dict[str, pa.Table]:
    """Give all rows of a video the ids (R,) of its rows of ``people``."""
    known = dict(zip(_keys(rows["people"]), ids.tolist(), strict=True))
    made = dict[str, pa.Table]()
    for name, part in rows.items():
        if {"frame", "track_id"} <= set(part.column_names) and len(part):
            at = part.column_names.index("track_id")
            new = pa.array([known.get(key) for key in _keys(part)], pa.int32())
            part = part.set_column(at, part.schema.field(at), new)
        made[name] = part
    return made


def _rows(
    session_id: str, first: View, world: Placed, system: str, skeleton: str, own: slice
) -> pa.Table:
    """Make the rows of ``joints3d`` of one system, whose joints are ``own`` of all."""
    joints, used = world.joints[:, own], world.used[:, own]
    rows = np.flatnonzero(np.isfinite(joints).all(-1).any(1))
    at = world.at[rows]
    own_spread = own_error(SKELETONS[skeleton].joints)
    spread = np.hypot(world.spread[:, own], own_spread)
    values = {"score": world.score[:, own], "spread": spread, "error": world.error[:, own]}
    columns: dict[str, Any] = {
        "video_id": pa.repeat(session_id, len(rows)),
        "frame": first.frames[at],
        "time_s": first.times[at],
        "track_id": world.person[rows].astype(np.int32),
        "system": pa.repeat(system, len(rows)),
        "skeleton": pa.repeat(skeleton, len(rows)),
        "space": pa.repeat("world", len(rows)),
        **{x: tables.lists(np.nan_to_num(joints[rows][..., i])) for i, x in enumerate("xyz")},
        **{name: tables.lists(each[rows]) for name, each in values.items()},
        "views": tables.lists(used[rows] @ (1 << np.arange(used.shape[-1], dtype=np.int32))),
    }
    return tables.filled("joints3d", columns, len(rows))


def _learned(session_id: str, placed: pa.Table) -> pa.Table:
    """Make rows of ``joints3d`` of what was placed within clips: one a person and moment."""
    keys = zip(*(placed[name].to_pylist() for name in ("moment", "track_id")), strict=True)
    first = {key: number for number, key in reversed(list(enumerate(keys)))}
    rows = placed.take(pa.array(sorted(first.values()), pa.int64()))
    schema = tables.SCHEMAS["joints3d"]
    columns = {name: rows[name] for name in schema.names}
    columns["video_id"] = pa.repeat(session_id, len(rows))
    columns |= {"frame": rows["moment"], "time_s": rows["moment_s"]}
    return pa.table(columns, schema)


def _late(
    session_id: str, uri: str, views: Sequence[View], late: Offsets
) -> Iterator[dict[str, Any]]:
    """Make an error of clocks found to differ after a network took views for synchronised."""
    wrong = [
        f"{view.camera.name} = {seconds:.3f}"
        for view, seconds in zip(views, late.seconds.tolist(), strict=True)
        if view.offset is None and seconds
    ]
    if wrong:
        yield {
            "video_id": session_id,
            "uri": uri,
            "clip_id": "",
            "stage": "triangulate",
            "kind": "offset",
            "transient": False,
            "message": "clocks were found to differ after the network had placed joints as if they "
            f"did not; write offsets = {{ {', '.join(wrong)} }} into the file of sessions, and "
            "index to another folder",
            "attempts": 1,
            "traceback": "",
        }


def _described(
    session_id: str, uri: str, views: Sequence[View], late: Offsets
) -> Iterator[dict[str, Any]]:
    for number, view in enumerate(views):
        spread, camera = float(late.spread[number]), view.camera
        yield {
            "video_id": view.video_id,
            "session_id": session_id,
            "uri": uri,
            "view": camera.name,
            "position": number,
            "offset_s": float(late.seconds[number]),
            "offset_spread_s": None if np.isnan(spread) else spread,
            "width": camera.size[0],
            "height": camera.size[1],
            **{name: getattr(camera, name).ravel().tolist() for name in ARRAYS},
        }
