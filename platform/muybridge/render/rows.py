"""Pick from the tables of an output what is drawn on the frames of one video."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.geometry.cameras import skywards
from muybridge.geometry.skeletons import SKELETONS, Skeleton
from muybridge.render.draw import CERTAINTY, Person
from muybridge.render.surface import Surface, read

MOST = 5  # names in a message
CERTAIN = {"openpose": (0.05, 0.4)}  # where scores are no probabilities but heights of peaks
WINDOW = 256  # frames whose surfaces are held at a time


@dataclass(frozen=True)
class Seen:
    """Hold who is seen in one video: P rows in the order of their frames, as in the tables.

    ``joints`` are (P, J, 3) x, y, score. Where not every frame was looked at, each frame that was
    stands for those around it, up to ``hold`` seconds away.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    tracks: NDArray[np.int64]
    boxes: NDArray[np.float64]
    joints: NDArray[np.float64]
    skeleton: Skeleton | None
    hold: float
    certainty: tuple[float, float] = CERTAINTY

    def at(self, frame: int, seconds: float) -> tuple[int, list[Person]]:
        """Say who is drawn on a frame, and of which frame that is known: ``frame`` or one near."""
        row = self._nearest(frame, seconds)
        first, last = np.searchsorted(self.frames, (row, row + 1))
        return row, [
            Person(
                int(self.tracks[i]),
                self.boxes[i],
                self.joints[i],
                self.skeleton,
                self.certainty,
            )
            for i in range(first, last)
        ]

    def _nearest(self, frame: int, seconds: float) -> int:
        after = int(np.searchsorted(self.times, seconds))
        near = [i for i in (after - 1, after) if 0 <= i < len(self.times)]
        gaps = [abs(float(self.times[i]) - seconds) for i in near]
        if frame in self.frames[near] or not gaps or min(gaps) > self.hold:
            return frame
        return int(self.frames[near[gaps.index(min(gaps))]])


class Surfaces:
    """Give the surfaces of one video frame by frame; ``rows`` are those of its table ``densepose``.

    They are read a few hundred frames at a time: those of a long video are large.
    """

    def __init__(self, rows: ds.Dataset) -> None:
        self._rows = rows
        self._window, self._held = -1, dict[int, list[Surface]]()

    def at(self, frame: int) -> list[Surface]:
        """Give the surfaces seen in a frame."""
        if frame // WINDOW != self._window:
            self._window, self._held = frame // WINDOW, {}
            number = ds.field("frame")
            near = (number >= self._window * WINDOW) & (number < (self._window + 1) * WINDOW)
            for row in self._rows.to_table(filter=near).to_pylist():
                box = [row[side] for side in ("left", "top", "right", "bottom")]
                surface = read(row["track_id"], box, row["parts"], row["uv"])
                self._held.setdefault(row["frame"], []).append(surface)
        return self._held.get(frame, [])

    def tracks(self) -> dict[int, tuple[int, int]]:
        """Say of whom there are surfaces: number, first and last frame."""
        rows = self._rows.to_table(["track_id", "frame"]).group_by("track_id")
        spans = rows.aggregate([("frame", "min"), ("frame", "max")]).sort_by("track_id").to_pylist()
        return {span["track_id"]: (span["frame_min"], span["frame_max"]) for span in spans}


def known(videos: pa.Table, sessions: pa.Table) -> pa.Table:
    """Give the rows of ``videos``, and of each session as if it were its first view's video."""
    rows = {row["video_id"]: row for row in videos.to_pylist()}
    firsts = sessions.filter(pc.field("position") == 0).to_pylist()
    named = [
        {**rows[first["video_id"]], "video_id": first["session_id"], "uri": first["uri"]}
        for first in firsts
    ]
    return pa.concat_tables([videos, pa.Table.from_pylist(named, videos.schema)])


def upright(sessions: pa.Table, session_id: str) -> NDArray[np.float64]:
    """Give what turns a session's world to axes x, y down, z (3, 3), by where most cameras' up is.

    With z up it is -x, -z, -y of the world.
    """
    rotations = sessions.filter(pc.field("session_id") == session_id)["rotation"].to_pylist()
    up = skywards(np.array(rotations, float).reshape(-1, 3, 3))
    axis = int(np.argmax(abs(up)))
    sign = up[axis]
    turned = np.zeros((3, 3))
    turned[0, (axis + 1) % 3], turned[1, axis], turned[2, (axis + 2) % 3] = -sign, -sign, -1
    return turned


def find(videos: pa.Table, name: str) -> dict[str, Any]:
    """Find the row of the table ``videos`` that a path, an address or a mere file name means.

    A session of a file is meant by its name as well.
    """
    rows = videos.to_pylist()
    wanted = name if "://" in name else os.path.abspath(os.path.expanduser(name))
    found = [row for row in rows if row["uri"] == wanted]
    found = found or [row for row in rows if _base(row["uri"]) == _base(name)]
    found = found or [row for row in rows if row["uri"].partition("#")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{name}: the output has several of this name: {_named(found)}; say which")
    holds = f"the output holds {_named(rows)}" if rows else "the output holds no video"
    raise InputError(f"{name}: not in the output; {holds}; add it with: muybridge index {name}")


def seen(video: Mapping[str, Any], people: pa.Table, keypoints: pa.Table, system: str = "") -> Seen:
    """Gather the rows of one video; ``video`` is its row of the table ``videos``.

    Skeletons are those of ``system``, or of the first system there is.
    """
    of_video = pc.field("video_id") == video["video_id"]
    people = people.filter(of_video).sort_by([("frame", "ascending"), ("track_id", "ascending")])
    keypoints = keypoints.filter(of_video)
    systems = sorted(set(keypoints["system"].to_pylist()))
    if system and system not in systems:
        raise InputError(f"no joints of {system!r} are there; there are those of {systems}")
    drawn = system or next(iter(systems), "")
    keypoints = keypoints.filter(pc.field("system") == drawn)
    skeleton, joints = _joints(people, keypoints)
    columns = [np.asarray(people[side], float) for side in ("left", "top", "right", "bottom")]
    return Seen(
        frames=np.asarray(people["frame"]),
        times=np.asarray(people["time_s"]),
        tracks=np.asarray(people["track_id"]),
        boxes=np.stack(columns, axis=1),
        joints=joints,
        skeleton=skeleton,
        hold=hold(video),
        certainty=CERTAIN.get(drawn, CERTAINTY),
    )


def _joints(people: pa.Table, keypoints: pa.Table) -> tuple[Skeleton | None, NDArray[np.float64]]:
    """Lay joints beside people (P, J, 3); who has none gets joints with score 0."""
    if not keypoints.num_rows:
        return None, np.zeros((people.num_rows, 0, 3))
    skeleton = SKELETONS[keypoints["skeleton"][0].as_py()]
    values = [pc.list_flatten(keypoints[value]) for value in ("x", "y", "score")]
    listed = np.stack([np.asarray(value, float) for value in values], axis=-1)
    listed = listed.reshape(-1, len(skeleton.joints), 3)
    row = {key: number for number, key in enumerate(_keys(keypoints))}
    joints = np.zeros((people.num_rows, *listed.shape[1:]))
    for number, key in enumerate(_keys(people)):
        if key in row:
            joints[number] = listed[row[key]]
    return skeleton, joints


def _keys(rows: pa.Table) -> list[tuple[int, int]]:
    return list(zip(rows["frame"].to_pylist(), rows["track_id"].to_pylist(), strict=True))


def hold(video: Mapping[str, Any]) -> float:
    """Say how many seconds a frame stands for others: none unless frames were left out."""
    frames, analysed = video["frames"] or 0, video["frames_analysed"] or 0
    if not analysed or frames < 1.2 * analysed:  # a few lost frames are gaps, not sampling
        return 0.0
    return 0.5 * video["duration_s"] * (1 / analysed + 1 / frames)


def _base(uri: str) -> str:
    return uri.rstrip("/").rpartition("/")[2]


def _named(rows: Sequence[Mapping[str, Any]]) -> str:
    more = f" and {len(rows) - MOST} more" if len(rows) > MOST else ""
    return ", ".join(row["uri"] for row in rows[:MOST]) + more
