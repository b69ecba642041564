"""Find the people of an output, and gather the rows in which a system saw each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from muybridge.errors import InputError, listed
from muybridge.render.rows import find, known, upright
from muybridge.store.ledger import MANIFEST
from muybridge.store.query import Output
from muybridge.store.tables import LEARNED, SYSTEMS

# which is taken by itself first: what only a wish for it can have written
ORDER = tuple(dict.fromkeys([LEARNED, *(system for _, system, *_ in SYSTEMS)]))
MOST = 20  # lines in a message
FILLED_BY = {  # a graph that fills a table
    "bodies": "vibe",
    "joints3d": "people",
    "keypoints": "people",
}


@dataclass(frozen=True)
class Track:
    """Be one person of one video as one system saw them: F rows in the order of their frames.

    ``rows`` are rows of ``table``, ``people`` the person's of ``people``, and ``video`` is the
    video's row of ``videos``. At a constant ``rate`` (1/seconds) the rows make N frames: ``steps``
    (F,) int64 says which one a row belongs to, the first 0 and the last N - 1; in frames without a
    row the person was not seen. ``upright`` (3, 3) turns the world to axes whose y is down; it is
    None of joints in a camera's axes.
    """

    video: Mapping[str, Any]
    number: int
    table: str
    system: str
    rows: pa.Table
    people: pa.Table
    rate: float
    steps: NDArray[np.int64]
    upright: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.steps[-1]) + 1

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Tell in which of the N frames the person was seen."""
        return np.isin(np.arange(len(self)), self.steps)

    @property
    def times(self) -> NDArray[np.float64]:
        """Say when the N frames are, in seconds of the video."""
        return self.column("time_s")[0] + np.arange(len(self)) / self.rate

    def column(self, name: str) -> NDArray[Any]:
        """Give a column's values (F,); lists as (F, their length)."""
        column = self.rows[name].combine_chunks()
        if not pa.types.is_list(column.type):
            return np.asarray(column)
        return np.asarray(pc.list_flatten(column)).reshape(len(column), -1)


@dataclass(frozen=True)
class Span:
    """Say from when to when a system saw a person, and how often."""

    video: Mapping[str, Any]
    number: int
    table: str
    system: str
    seen: int
    frames: tuple[int, int]

    def __str__(self) -> str:
        first, last = self.frames
        return (
            f"{self.video['uri']}, track {self.number} by {self.system}: "
            f"seen in {self.seen} of the frames {first} to {last}"
        )


Person = list[Span]  # one person of one video, by whom they were seen, the best for a format first


def people(
    output: Output,
    tables: Sequence[str],
    video: str | None = None,
    number: int | None = None,
    system: str | None = None,
) -> list[Person]:
    """Find who is in some tables of an output, by video and number: all, or those that are meant.

    InputError says what there is to choose from, or what is missing, if there is nobody.
    """
    if not output.videos.num_rows:
        raise InputError("the output holds no video; add one with: muybridge index VIDEO")
    videos = known(output.videos, output.sessions)
    rows = [find(videos, video)] if video else videos.to_pylist()
    there = [span for table in tables for span in _spans(output, table, rows)]
    fits = [
        span for span in there if system in (None, span.system) and number in (None, span.number)
    ]
    if not fits:
        raise InputError(_nothing(there, tables, video, number, system))
    alike: dict[tuple[str, int], Person] = {}
    order = [row["video_id"] for row in rows]
    for span in sorted(fits, key=lambda s: (order.index(s.video["video_id"]), s.number)):
        alike.setdefault((span.video["video_id"], span.number), []).append(span)
    return list(alike.values())


def gathered(output: Output, chosen: Sequence[Person]) -> Iterator[list[Track]]:
    """Read the rows of people, who come sorted by video: each as they were seen by each system."""
    fps = json.loads(output.objects.read(MANIFEST)).get("fps")
    held: dict[tuple[str, str], pa.Table] = {}
    sessions = output.sessions
    in_world = set(sessions["session_id"].to_pylist())
    for person in chosen:
        name = person[0].video["video_id"]
        held = {key: rows for key, rows in held.items() if key[0] == name}
        for table in {"people", *(span.table for span in person)} - {table for _, table in held}:
            of_video = ds.field("video_id") == name
            held[name, table] = output.parts(table).to_table(filter=of_video)
        boxes = held[name, "people"]
        turned = upright(sessions, name) if name in in_world else None
        yield [_track(span, held[name, span.table], boxes, fps, turned) for span in person]


def _spans(output: Output, table: str, videos: Sequence[Mapping[str, Any]]) -> list[Span]:
    """List who is seen in videos by whom, the systems in their order."""
    known = {row["video_id"]: row for row in videos}
    counted = output.query(
        "select video_id, track_id, system, count(*), min(frame), max(frame) "
        f"from {table} group by all order by all"
    )
    spans = [
        Span(known[name], number, table, system, seen, (first, last))
        for name, number, system, seen, first, last in zip(
            *(column.to_pylist() for column in counted.columns), strict=True
        )
        if name in known
    ]
    return sorted(spans, key=lambda span: ORDER.index(span.system) if span.system in ORDER else 99)


def _nothing(
    there: Sequence[Span],
    tables: Sequence[str],
    video: str | None,
    number: int | None,
    system: str | None,
) -> str:
    """Say that nobody fits, and what there is instead."""
    whose = f"{video}: " if video else ""
    if not there:
        return (
            f"{whose}this format is made of {' or '.join(tables)}, where the output holds nobody; "
            f"make another with: muybridge index VIDEOS --out NEW --graph {FILLED_BY[tables[0]]}"
        )
    said = [f"--track {number}"] * (number is not None) + [f"--system {system}"] * bool(system)
    more = [f"… and {len(there) - MOST} more"] if len(there) > MOST else []
    title = f"{whose}nobody fits {' '.join(said)}; there are"
    return listed(title, [*map(str, there[:MOST]), *more])


def _track(
    span: Span,
    rows: pa.Table,
    people: pa.Table,
    fps: float | None,
    upright: NDArray[np.float64] | None,
) -> Track:
    """Take a person's rows, and lay them out at a constant rate.

    It is the video's mean rate, or that at which it was looked at; each row goes to the frame that
    is nearest in time, counted from the video's first.
    """
    them = pc.field("track_id") == span.number
    rows = rows.filter(them & (pc.field("system") == span.system)).sort_by("frame")
    rate = min(span.video["fps"] or 1.0, fps or np.inf)
    after = np.asarray(rows["time_s"]) - (span.video["start_s"] or 0.0)
    steps = np.rint(after * rate).astype(np.int64)
    return Track(
        video=span.video,
        number=span.number,
        table=span.table,
        system=span.system,
        rows=rows,
        people=people.filter(them),
        rate=float(rate),
        steps=steps - steps[0],
        upright=upright,
    )
