"""Keep the plan of a corpus: all videos, cut into clips, in shards of about an hour.

A shard's file holds one row a clip, and one for a video without clips. A session of synchronised
videos is planned like a video: one row is one clip of all its views. The index says of every
video which shard has it, so that a finished run is recognised without opening the shards. It grows
by pieces; a later piece's word on a video counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from muybridge.columns import COLUMNS, GIVEN
from muybridge.errors import is_transient
from muybridge.store.inputs import Input
from muybridge.store.objects import PRIVATE, Objects

FOLDER = PRIVATE + "plan/"
INDEX = PRIVATE + "index/"
SHARD_S = 3600.0
SHARD_VIDEOS = 500
PIECE_VIDEOS = 2000

VIDEO = ("uri", "size", "tag", "video_id", "info", "error_kind", "error")
CLIP = tuple(name for name in GIVEN if name not in ("source", *VIDEO))
LISTS = tuple(name for name in CLIP if COLUMNS[name].shape)
VIEWED = tuple(name for name in GIVEN if name != "source")  # of each view of a session's clip
INDEXED = pa.schema(
    [("uri", pa.string()), ("size", pa.int64())]
    + [(name, pa.string()) for name in ("tag", "video_id", "errors", "shard")]
)


@dataclass(frozen=True)
class PlannedVideo:
    """Be one video of the plan: what is known of it, and its clips, or why it has none.

    ``info`` holds the columns of the table ``videos`` (and whatever else JSON can hold); ``clips``
    the given columns of each clip, without ``source``. If it is a session, ``info`` has ``views``,
    which are rows of its own with an id each, and so has each of the clips, given as clips are.
    """

    input: Input
    video_id: str
    info: Mapping[str, Any] = field(default_factory=dict)
    clips: Sequence[Mapping[str, Any]] = ()
    error_kind: str = ""
    error: str = ""

    @property
    def ids(self) -> frozenset[str]:
        """Name all that rows may be of: the video, or the session and its views."""
        return frozenset([self.video_id, *(v["video_id"] for v in self.info.get("views", ()))])

    @property
    def errors(self) -> str:
        """List the kinds of errors that kept it, or views of it, from being planned: "" if none."""
        views = (view["error_kind"] for view in self.info.get("views", ()))
        return ",".join(sorted({kind for kind in (self.error_kind, *views) if kind}))

    @property
    def key(self) -> str:
        """Name the video and what is planned of it: another key is to be done again."""
        return _key(self.video_id, self.errors)


def _key(video_id: str, errors: str) -> str:
    return f"{video_id}:{errors}" if errors else video_id


class Known(NamedTuple):
    """Say where the plan has a video, and as what; ``errors`` as ``PlannedVideo.errors``."""

    size: int
    tag: str
    video_id: str
    errors: str
    shard: str


@dataclass(frozen=True)
class Changes:
    """Sort inputs into what must be planned, or planned again."""

    new: list[Input] = field(default_factory=list)
    changed: list[Input] = field(default_factory=list)


class Plan:
    """Hold a corpus's index; the shards stay where they are until they are loaded."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        names = sorted(entry.key for entry in objects.list(INDEX))
        self._pieces = len(names)
        self.known: dict[str, Known] = {}
        for name in names:
            self._learn(pq.read_table(io.BytesIO(objects.read(name))))

    def shards(self) -> dict[str, frozenset[str]]:
        """Name the videos of every shard by their keys (``PlannedVideo.key``)."""
        found: dict[str, list[str]] = {}
        for known in self.known.values():
            found.setdefault(known.shard, []).append(_key(known.video_id, known.errors))
        return {shard: frozenset(found[shard]) for shard in sorted(found)}

    def changes(self, inputs: Iterable[Input], retry_errors: bool = False) -> Changes:
        """Compare inputs with the plan.

        Planned again is what has another size or tag, what met a transient error, and with
        ``retry_errors`` what met any.
        """
        changes = Changes()
        for item in inputs:
            known = self.known.get(item.uri)
            if known is None:
                changes.new.append(item)
                continue
            retry = retry_errors or any(map(is_transient, known.errors.split(",")))
            if (known.size, known.tag) != (item.size, item.tag) or (known.errors and retry):
                changes.changed.append(item)
        return changes

    def add(self, videos: Iterable[PlannedVideo]) -> list[str]:
        """Put new videos into new shards, in the order given, and name the shards."""
        first = 1 + max((int(known.shard) for known in self.known.values()), default=-1)
        names, waiting = list[str](), list[tuple[str, PlannedVideo]]()
        for number, some in enumerate(_sharded(videos), first):
            names.append(f"{number:06d}")
            self.save(names[-1], some)
            waiting += [(names[-1], video) for video in some]
            if len(waiting) >= PIECE_VIDEOS:
                self._note(waiting)
                waiting = []
        self._note(waiting)
        return names

    def replace(self, videos: Iterable[PlannedVideo]) -> list[str]:
        """Put changed videos in the place of their older selves, and name the shards concerned."""
        shards: dict[str, dict[str, PlannedVideo]] = {}
        for video in videos:
            shards.setdefault(self.known[video.input.uri].shard, {})[video.input.uri] = video
        for shard, new in shards.items():
            old = self.load(shard)
            self.save(shard, [new.get(video.input.uri, video) for video in old])
            self._note([(shard, video) for video in new.values()])
        return sorted(shards)

    def save(self, shard: str, videos: Sequence[PlannedVideo]) -> None:
        """Write a shard."""
        self.objects.write(_file(shard), _encode(videos))

    def load(self, shard: str) -> list[PlannedVideo]:
        """Read a shard exactly as it was saved."""
        return load(self.objects, shard)

    def _note(self, planned: Sequence[tuple[str, PlannedVideo]]) -> None:
        self._write(
            [(*video.input, video.video_id, video.errors, shard) for shard, video in planned]
        )

    def _write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        columns = [
            pa.array(values, kind)
            for values, kind in zip(zip(*rows, strict=True), INDEXED.types, strict=True)
        ]
        piece = pa.table(columns, INDEXED)
        sink = io.BytesIO()
        pq.write_table(piece, sink, compression="zstd")
        self.objects.write(f"{INDEX}{self._pieces:06d}.parquet", sink.getvalue())
        self._pieces += 1
        self._learn(piece)

    def _learn(self, piece: pa.Table) -> None:
        columns = [column.to_pylist() for column in piece.columns]
        for uri, *known in zip(*columns, strict=True):
            self.known[uri] = Known(*known)


def load(objects: Objects, shard: str) -> list[PlannedVideo]:
    """Read a shard of the plan kept with an output."""
    return _decode(pq.read_table(io.BytesIO(objects.read(_file(shard)))))


def _file(shard: str) -> str:
    return f"{FOLDER}{shard}.parquet"


def _sharded(videos: Iterable[PlannedVideo]) -> Iterator[list[PlannedVideo]]:
    some: list[PlannedVideo] = []
    seconds = 0.0
    for video in videos:
        some.append(video)
        seconds += video.info.get("duration_s") or 0.0
        if seconds >= SHARD_S or len(some) >= SHARD_VIDEOS:
            yield some
            some, seconds = [], 0.0
    if some:
        yield some


def _encode(videos: Sequence[PlannedVideo]) -> bytes:
    """Write one row a clip; numbers that grow steadily are kept as differences and cost little."""
    each = [(video, _video(video)) for video in videos]
    clips = [clip for video, _ in each for clip in video.clips or (None,)]
    described = [row for video, row in each for _ in video.clips or (None,)]
    columns: dict[str, pa.Array] = {
        name: pa.array(
            [row[name] for row in described], pa.int64() if name == "size" else pa.string()
        )
        for name in VIDEO
    }
    columns |= {
        name: _lists(name, clips) if name in LISTS else _values(name, clips) for name in CLIP
    }
    columns["views"] = pa.array([clip and clip.get("views") for clip in clips], VIEWS)
    sink = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        use_dictionary=[name for name in columns if name not in (*LISTS, "views")],
        column_encoding={f"{name}.list.element": "DELTA_BINARY_PACKED" for name in LISTS},
        write_statistics=False,
    )
    return sink.getvalue()


def _video(video: PlannedVideo) -> dict[str, Any]:
    return {
        **video.input._asdict(),
        "video_id": video.video_id,
        "info": json.dumps(dict(video.info), sort_keys=True),
        "error_kind": video.error_kind,
        "error": video.error,
    }


def _type(name: str) -> pa.DataType:
    kind = {"str": pa.string(), "float64": pa.float64()}.get(COLUMNS[name].dtype, pa.int64())
    return pa.list_(kind) if COLUMNS[name].shape else kind


VIEWS = pa.list_(pa.struct([(name, _type(name)) for name in VIEWED]))


def _values(name: str, clips: Sequence[Mapping[str, Any] | None]) -> pa.Array:
    return pa.array([None if clip is None else clip[name] for clip in clips], _type(name))


def _views(views: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Read the views of a session's clip back: lists are arrays again."""
    return [
        {
            name: np.array(value, COLUMNS[name].dtype) if COLUMNS[name].shape else value
            for name, value in view.items()
        }
        for view in views
    ]


def _lists(name: str, clips: Sequence[Mapping[str, Any] | None]) -> pa.Array:
    """Make lists of whole numbers; those of seconds keep their bits, which grow as steadily."""
    arrays = [
        np.zeros(0, np.int64) if clip is None else clip[name].view(np.int64) for clip in clips
    ]
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
    values = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    return pa.ListArray.from_arrays(offsets, values)


def _decode(read: pa.Table) -> list[PlannedVideo]:
    columns = {name: _column(name, read[name].combine_chunks()) for name in read.column_names}
    return [
        _planned(columns, list(rows))
        for _, rows in groupby(range(len(read)), columns["uri"].__getitem__)
    ]


def _planned(columns: Mapping[str, list[Any]], rows: Sequence[int]) -> PlannedVideo:
    video = {name: columns[name][rows[0]] for name in VIDEO}
    named = {name: video[name] for name in ("uri", "size", "tag", "video_id")}
    return PlannedVideo(
        Input(video["uri"], video["size"], video["tag"]),
        video["video_id"],
        json.loads(video["info"]),
        [
            named
            | {name: columns[name][row] for name in CLIP}
            | ({"views": _views(columns["views"][row])} if columns["views"][row] else {})
            for row in rows
            if columns["clip_id"][row] is not None
        ],
        video["error_kind"],
        video["error"],
    )


def _column(name: str, column: pa.Array) -> list[Any]:
    if name not in LISTS:
        return column.to_pylist()
    values = column.flatten().to_numpy().view(COLUMNS[name].dtype)
    offsets = column.offsets.to_numpy() - column.offsets[0].as_py()
    return np.split(values, offsets[1:-1]) if len(column) else []
