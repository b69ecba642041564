"""Turn analysed clips into tables with explicit schemas, and tables into Parquet that never varies.

A table's rows belong to frames: ``frame`` counts from 0 in presentation order and ``time_s`` is the
frame's presentation time. Nobody in the clip makes tables without rows, never missing ones.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from muybridge.columns import PLACING, Clip
from muybridge.errors import is_transient

VERSION = "7"
ROW_GROUP = 65_536
SIDES = ("left", "top", "right", "bottom")
Tables = dict[str, pa.Table]

TEXT, COUNT, SMALL, REAL, SINGLE = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.float32()
BYTES = pa.binary()
MANY = pa.list_(pa.field("item", SINGLE, nullable=False))
WHOLE = pa.list_(pa.field("item", SMALL, nullable=False))
WORDS = pa.list_(pa.field("item", TEXT, nullable=False))

# fmt: off
VIDEO = ("video_id", TEXT, "", "the video, by where it is and what it holds")
FRAME = (
    VIDEO,
    ("frame",    COUNT,  "frames",  "number of the frame, from 0 in presentation order"),
    ("time_s",   REAL,   "seconds", "presentation time of the frame"),
    ("track_id", SMALL,  "",        "who it is, within the video"),
)
SYSTEM = (
    ("system",   TEXT,   "",        "the model that saw it"),
    ("skeleton", TEXT,   "",        "the names and order of the joints"),
)
FIRST_AND_LAST = (
    ("first_frame",  COUNT,  "frames",  "number of the first frame"),
    ("last_frame",   COUNT,  "frames",  "number of the last frame"),
    ("first_time_s", REAL,   "seconds", "presentation time of the first frame"),
    ("last_time_s",  REAL,   "seconds", "presentation time of the last frame"),
)
SPAN = (
    ("frames_seen",  COUNT, "frames",  "how many frames the person is seen in"),
    ("score",        SINGLE, "0 to 1", "mean confidence"),
)
FIELDS: dict[str, tuple[tuple[str, pa.DataType, str, str], ...]] = {
    "videos": (
        VIDEO,
        ("uri",        TEXT,       "",          "where the video is"),
        ("size",       COUNT,      "bytes",     "of the file"),
        ("container",  TEXT,       "",          "format of the file"),
        ("codec",      TEXT,       "",          "of the pictures"),
        ("width",      SMALL,      "pixels",    "of a frame as shown, after rotation"),
        ("height",     SMALL,      "pixels",    "of a frame as shown, after rotation"),
        ("rotation",   SMALL,      "degrees",   "counter-clockwise turn of the stored picture"),
        ("frames",     COUNT,      "frames",    "in the video"),
        ("frames_analysed", COUNT, "frames",    "that were looked at"),
        ("fps",        REAL,       "1/seconds", "mean frames a second"),
        ("start_s",    REAL,       "seconds",   "presentation time of the first frame"),
        ("duration_s", REAL,       "seconds",   "from the first frame to the end of the last"),
        ("has_audio",  pa.bool_(), "",          "whether there is sound"),
    ),
    "sessions": (
        VIDEO,
        ("session_id", TEXT,       "",          "the session: what rows in the world are of"),
        ("uri",        TEXT,       "",          "where the session is"),
        ("view",       TEXT,       "",          "the camera, as the calibration names it"),
        ("position",   SMALL,      "",          "of the view among the session's, from 0"),
        ("offset_s",   REAL,       "seconds",   "to add to the video's times for the first view's"),
        ("offset_spread_s", REAL,  "seconds",   "standard deviation, if the offset was found"),
        ("width",      SMALL,      "pixels",    "of the pictures that the camera holds for"),
        ("height",     SMALL,      "pixels",    "of the pictures that the camera holds for"),
        ("matrix",       MANY,     "pixels",    "3 x 3: places at depth 1 to pixels"),
        ("distortion",   MANY,     "",          "of the lens: k1, k2, p1, p2, k3"),
        ("rotation",     MANY,     "",          "3 x 3: axes of the world to the camera's"),
        ("translation",  MANY,     "metres",    "x, y, z of the world's origin for the camera"),
    ),
    "people": (
        VIDEO,
        ("clip_id",  TEXT,   "",        "the clip that the frame belongs to"),
        *FRAME[1:],
        ("score",    SINGLE, "0 to 1",  "confidence"),
        ("left",     SINGLE, "pixels",  "of the box"),
        ("top",      SINGLE, "pixels",  "of the box"),
        ("right",    SINGLE, "pixels",  "of the box"),
        ("bottom",   SINGLE, "pixels",  "of the box"),
    ),
    "keypoints": (
        *FRAME, *SYSTEM,
        ("x",        MANY,   "pixels",  "of each joint, from the left"),
        ("y",        MANY,   "pixels",  "of each joint, from the top"),
        ("score",    MANY,   "0 to 1",  "confidence of each joint"),
    ),
    "joints3d": (
        *FRAME, *SYSTEM,
        ("space",    TEXT,   "",
         "root: axes of the camera, origin between the hips; world: those of the calibration"),
        ("x",        MANY,   "metres",  "of each joint; in root, to the right"),
        ("y",        MANY,   "metres",  "of each joint; in root, down"),
        ("z",        MANY,   "metres",  "of each joint; in root, forward"),
        ("score",    MANY,   "0 to 1",  "confidence of each joint"),
        ("spread",   MANY,   "metres",
         "of each joint in the world: standard deviation along each axis"),
        ("error",    MANY,   "pixels",  "of each joint in the world: mean reprojection error"),
        ("views",    WHOLE,  "",
         "of each joint in the world: what it was made of, the first view counting 1, then 2, 4 …"),
    ),
    "densepose": (
        *FRAME,
        ("system",   TEXT,   "",        "the model that saw it"),
        ("model",    TEXT,   "",        "the variant, by the name of its weights"),
        ("left",     SMALL,  "pixels",  "of the box that the pictures fill"),
        ("top",      SMALL,  "pixels",  "of the box"),
        ("right",    SMALL,  "pixels",  "of the box"),
        ("bottom",   SMALL,  "pixels",  "of the box"),
        ("parts",    BYTES,  "",        "PNG, 8 bit: body part 1 to 24, 0 for none"),
        ("uv",       BYTES,  "1/255",   "PNG, 2 channels of 8 bit: U and V times 255"),
    ),
    "bodies": (
        *FRAME,
        ("system",   TEXT,   "",        "the model that saw it"),
        ("model",    TEXT,   "",        "the variant, by the name of its weights"),
        ("body",     TEXT,   "",        "the body model, by the name of its file"),
        ("betas",       MANY, "",        "10 numbers: the body's shape, in standard deviations"),
        ("rotations",   MANY, "radians", "24 x 3: axis-angle of each joint in its parent's axes"),
        ("camera",      MANY, "",        "weak perspective in the picture: sx, sy, tx, ty"),
        ("translation", MANY, "metres",  "x, y, z that bring the body into the camera's axes"),
        ("focal",       SINGLE, "pixels", "focal length that the translation holds for"),
        ("x",        MANY,   "metres",  "of each of 49 joints, to the right of the body's origin"),
        ("y",        MANY,   "metres",  "of each joint, down"),
        ("z",        MANY,   "metres",  "of each joint, forward"),
    ),
    "actions": (
        VIDEO,
        ("track_id",     SMALL,  "",        "who does it, within the video"),
        *FIRST_AND_LAST,
        ("system",       TEXT,   "",        "the model that saw it"),
        ("label_set",    TEXT,   "",        "the labels that it tells apart"),
        ("label",        TEXT,   "",        "what is done"),
        ("score",        SINGLE, "0 to 1",  "mean probability of it"),
        ("labels",       WORDS,  "",        "the likeliest, best first"),
        ("scores",       MANY,   "0 to 1",  "mean probability of each of labels"),
    ),
    "tracks": (
        VIDEO,
        ("track_id",     SMALL,  "",        "who it is, within the video"),
        *FIRST_AND_LAST,
        *SPAN,
    ),
    "errors": (
        VIDEO,
        ("uri",       TEXT,  "", "where the video is"),
        ("clip_id",   TEXT,  "", "the clip, or nothing if it is about the whole video"),
        ("stage",     TEXT,  "", "the step in which it went wrong"),
        ("kind",      TEXT,  "", "a word to group errors by"),
        ("transient", pa.bool_(), "", "whether it may be gone later: the next run tries again"),
        ("message",   TEXT,  "", "what went wrong, in a sentence"),
        ("attempts",  SMALL, "", "how many times it was tried"),
        ("traceback", TEXT,  "", "for a surprise, where in the code"),
    ),
}
KEYS = {
    "videos":    ("video_id",),
    "sessions":  ("session_id", "position"),
    "people":    ("video_id", "frame", "track_id"),
    "keypoints": ("video_id", "frame", "track_id", "system"),
    "joints3d":  ("video_id", "frame", "track_id", "system"),
    "densepose": ("video_id", "frame", "track_id", "system"),
    "bodies":    ("video_id", "frame", "track_id", "system"),
    "actions":   ("video_id", "track_id", "first_frame", "system", "label"),
    "tracks":    ("video_id", "track_id"),
    "errors":    ("video_id", "clip_id", "stage", "kind", "message"),
}
# table, system, skeleton, the clip's column (P, J, C), what its C values are, further columns
SYSTEMS: tuple[tuple[str, str, str, str, tuple[str, ...], dict[str, str]], ...] = (
    ("keypoints", "blazepose", "blazepose33", "blazepose_joints",   ("x", "y", "score"), {}),
    ("keypoints", "movenet",   "coco17",      "movenet_joints",     ("x", "y", "score"), {}),
    ("joints3d",  "blazepose", "blazepose33", "blazepose_joints3d", ("x", "y", "z", "score"),
     {"space": "root"}),
    ("joints3d",  "lifter",    "body18",     "lifter_joints3d",    ("x", "y", "z", "score"),
     {"space": "root"}),
    ("keypoints", "keypoint_rcnn", "coco17", "coco17_joints", ("x", "y", "score"), {}),
    ("keypoints", "openpose",      "coco18", "coco18_joints", ("x", "y", "score"), {}),
    ("keypoints", "openpose",      "body25", "body25_joints", ("x", "y", "score"), {}),
    ("keypoints", "multitask",     "pa16", "pa16_joints", ("x", "y", "score"), {}),
    ("keypoints", "multitask",     "pa17", "pa17_joints", ("x", "y", "score"), {}),
    ("joints3d",  "multitask",     "pa17", "pa17_joints3d", ("x", "y", "z", "score"),
     {"space": "root"}),
)
# fmt: on
# system, label set, the clip's column (P, A) of scores; ``run.actions`` makes segments of them
DOING = (
    ("action", "motion", "motion_scores"),
    ("multitask", "penn15", "penn_scores"),
    ("multitask", "ntu60", "ntu_scores"),
)
WATCHED = ("kinetics_model", "kinetics_frame", "kinetics_track", "kinetics_scores")
LEARNED = "triangulation"  # the system that places joints in the world by a network
LOOKED = ("frame_seen",)
SEEN = ("person_frame", "person_track", "person_score", "person_box")
SURFACE = ("densepose_model", "densepose_box", "densepose_parts", "densepose_uv")
BODY = (
    "smpl_model", "smpl_body", "smpl_betas", "smpl_rotations", "smpl_camera", "smpl_translation",
    "smpl_focal", "smpl_joints3d",
)  # fmt: skip
# the clip's columns, any of which make rows of a table, beside those that say who is seen when
SOURCES: dict[str, tuple[str, ...]] = {
    "videos": LOOKED,
    "sessions": (),
    "people": SEEN,
    **{
        name: (*(column for table, _, _, column, *_ in SYSTEMS if table == name), *more)
        for name, more in (("keypoints", ()), ("joints3d", PLACING))
    },
    "densepose": SURFACE,
    "bodies": BODY,
    "actions": (*(column for *_, column in DOING), *WATCHED),
    "tracks": SEEN,
    "errors": LOOKED,
}


def sources(names: Iterable[str]) -> frozenset[str]:
    """Name the columns of a clip from which rows of these tables are made, if they are there."""
    own = {column for name in names for column in SOURCES[name]}
    return frozenset(own | {*LOOKED} | ({*SEEN} if own - {*LOOKED} else set()))


def _schema(name: str) -> pa.Schema:
    fields = [
        pa.field(column, kind, metadata={"unit": unit, "description": text})
        for column, kind, unit, text in FIELDS[name]
    ]
    return pa.schema(fields, {"muybridge.schema": VERSION, "muybridge.table": name})


SCHEMAS: dict[str, pa.Schema] = {name: _schema(name) for name in FIELDS}
MOMENTS = pa.schema(  # of a clip's staged rows: what people may be doing, of which actions are made
    [
        *(SCHEMAS["people"].field(column) for column, *_ in FRAME),
        *(SCHEMAS["actions"].field(column) for column in ("system", "label_set", "scores")),
    ]
)


APPEARANCES = (
    pa.schema(  # of a clip's staged rows: what people look like, by which clips are linked
        [
            *(SCHEMAS["people"].field(column) for column, *_ in FRAME),
            pa.field("appearance", MANY, metadata={"description": "colours of body parts"}),
        ]
    )
)
PLACED = pa.schema(  # of a session's clip: joints in the world, of whom a view's row tells; the
    [  # moment is the first view's frame
        *SCHEMAS["joints3d"],
        ("moment", SCHEMAS["people"].field("frame").type),
        ("moment_s", SCHEMAS["people"].field("time_s").type),
    ]
)
STAGED = {**SCHEMAS, "moments": MOMENTS, "appearances": APPEARANCES, "placed": PLACED}


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows; columns that a row lacks are null."""
    columns = {column: [row.get(column) for row in rows] for column in SCHEMAS[name].names}
    return pa.table(columns, SCHEMAS[name])


def filled(name: str, columns: Mapping[str, Any], rows: int) -> pa.Table:
    """Make a table of whole columns, all of so many rows; those that are missing are null."""
    schema = SCHEMAS[name]
    empty = {field.name: pa.nulls(rows, field.type) for field in schema}
    return pa.table({column: {**empty, **columns}[column] for column in schema.names}, schema)


def rows(clip: Clip) -> Tables:
    """Make the tables of one analysed clip, with the clip's own track ids.

    Rows of frames past the clip's core stay in: ``frame`` >= ``core[1]`` tells them. Core frames
    that could not be decoded make one row of ``errors``. What people do is told in ``moments``,
    frame by frame; it takes all of a video to make ``actions`` of them. So it does to say of whom a
    session's joints in the world are, which are in ``placed``.
    """
    made = {name: schema.empty_table() for name, schema in STAGED.items()}
    made["errors"] = table("errors", [*_failed(clip), *_gaps(clip)])
    if "placed_joints3d" in clip:
        made["placed"] = _placed(clip)
    if "person_frame" not in clip:
        return made
    made["people"] = _people(clip)
    for name, system, skeleton, column, values, more in SYSTEMS:
        if column in clip:
            constant = {"system": system, "skeleton": skeleton, **more}
            part = _joints(made["people"], name, clip[column], values, constant)
            made[name] = pa.concat_tables([made[name], part])
    if "person_appearance" in clip:
        made["appearances"] = _appearances(clip, made["people"])
    if "densepose_box" in clip:
        made["densepose"] = _densepose(clip, made["people"])
    if "smpl_betas" in clip:
        made["bodies"] = _bodies(clip, made["people"])
    parts = [
        _moments(made["people"], system, label_set, clip[column])
        for system, label_set, column in DOING
        if column in clip
    ]
    if "kinetics_scores" in clip:
        parts.append(_watched(clip))
    made["moments"] = pa.concat_tables([made["moments"], *parts])
    return made


def joined(
    parts: Iterable[Mapping[str, pa.Table]], schemas: Mapping[str, pa.Schema] = SCHEMAS
) -> Tables:
    """Put the rows of several sets of tables together; none at all makes tables without rows."""
    parts = list(parts)
    return {
        name: pa.concat_tables([schema.empty_table(), *(p[name] for p in parts if name in p)])
        for name, schema in schemas.items()
    }


def tracks(people: pa.Table) -> pa.Table:
    """Say for each person of each video from when to when they are seen."""
    wanted = {
        "first_frame": ("frame", "min"),
        "last_frame": ("frame", "max"),
        "first_time_s": ("time_s", "min"),
        "last_time_s": ("time_s", "max"),
        "frames_seen": ("frame", "count"),
        "score": ("score", "mean"),
    }
    grouped = people.group_by(["video_id", "track_id"], use_threads=False).aggregate(
        list(wanted.values())
    )
    columns = {"video_id": grouped["video_id"], "track_id": grouped["track_id"]}
    for name, (column, how) in wanted.items():
        columns[name] = grouped[f"{column}_{how}"]
    return pa.table(columns).cast(SCHEMAS["tracks"])


def write(name: str, rows: pa.Table, run: Mapping[str, Any]) -> bytes:
    """Write a table as Parquet: the same rows, in whatever order, and run make the same bytes.

    ``run`` says what made it (graph, weights, code version) and stands in the file's metadata.
    """
    keys = [(key, "ascending") for key in KEYS[name]]
    schema = SCHEMAS[name].with_metadata(
        {**SCHEMAS[name].metadata, "muybridge.run": json.dumps(run, sort_keys=True)}
    )
    order = pc.sort_indices(rows, sort_keys=keys)
    sink = io.BytesIO()
    pq.write_table(
        rows.take(order).combine_chunks().cast(schema),
        sink,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=[field.name for field in schema if field.type == TEXT],
    )
    return sink.getvalue()


def _people(clip: Clip) -> pa.Table:
    at = clip["person_frame"]
    box = clip["person_box"]
    columns = {
        "video_id": pa.repeat(clip["video_id"], len(at)),
        "clip_id": pa.repeat(clip["clip_id"], len(at)),
        "frame": clip["frame_index"][at],
        "time_s": clip["times"][at],
        "track_id": clip["person_track"],
        "score": clip["person_score"],
        **{side: box[:, i] for i, side in enumerate(SIDES)},
    }
    return pa.table(columns, SCHEMAS["people"])


def _joints(
    people: pa.Table,
    name: str,
    joints: NDArray[np.float32],
    values: Sequence[str],
    constant: Mapping[str, str],
) -> pa.Table:
    columns: dict[str, Any] = {column: people[column] for column, *_ in FRAME}
    columns |= {column: pa.repeat(value, len(people)) for column, value in constant.items()}
    columns |= {value: lists(joints[..., i]) for i, value in enumerate(values)}
    return filled(name, columns, len(people))


def _densepose(clip: Clip, people: pa.Table) -> pa.Table:
    columns: dict[str, Any] = {column: people[column] for column, *_ in FRAME}
    columns |= {
        "system": pa.repeat("densepose", len(people)),
        "model": pa.repeat(clip["densepose_model"], len(people)),
        **{side: clip["densepose_box"][:, i] for i, side in enumerate(SIDES)},
        "parts": pa.array(clip["densepose_parts"], BYTES),
        "uv": pa.array(clip["densepose_uv"], BYTES),
    }
    return pa.table({c: columns[c] for c in SCHEMAS["densepose"].names}, SCHEMAS["densepose"])


def _bodies(clip: Clip, people: pa.Table) -> pa.Table:
    columns: dict[str, Any] = {column: people[column] for column, *_ in FRAME}
    columns |= {
        "system": pa.repeat("vibe", len(people)),
        "model": pa.repeat(clip["smpl_model"], len(people)),
        "body": pa.repeat(clip["smpl_body"], len(people)),
        "betas": lists(clip["smpl_betas"]),
        "rotations": lists(clip["smpl_rotations"].reshape(len(people), 72)),
        "camera": lists(clip["smpl_camera"]),
        "translation": lists(clip["smpl_translation"]),
        "focal": clip["smpl_focal"],
        **{axis: lists(clip["smpl_joints3d"][..., i]) for i, axis in enumerate("xyz")},
    }
    return pa.table({c: columns[c] for c in SCHEMAS["bodies"].names}, SCHEMAS["bodies"])


def _appearances(clip: Clip, people: pa.Table) -> pa.Table:
    """Keep what is known of what people look like."""
    looks = clip["person_appearance"]
    rows = np.flatnonzero(np.isfinite(looks).any(axis=1))
    known = people.take(pa.array(rows, pa.int64()))
    columns = {column: known[column] for column, *_ in FRAME}
    return pa.table({**columns, "appearance": lists(looks[rows])}, APPEARANCES)


def _moments(
    people: pa.Table, system: str, label_set: str, scores: NDArray[np.float32]
) -> pa.Table:
    columns: dict[str, Any] = {column: people[column] for column, *_ in FRAME}
    columns |= {
        "system": pa.repeat(system, len(people)),
        "label_set": pa.repeat(label_set, len(people)),
        "scores": lists(scores),
    }
    return pa.table(columns, MOMENTS)


def _watched(clip: Clip) -> pa.Table:
    """Make moments of the whole picture, whose track is null, and of people in it."""
    at, track = clip["kinetics_frame"], clip["kinetics_track"]
    columns: dict[str, Any] = {
        "video_id": pa.repeat(clip["video_id"], len(at)),
        "frame": clip["frame_index"][at],
        "time_s": clip["times"][at],
        "track_id": pa.array(track, mask=track < 0),
        "system": pa.repeat(clip["kinetics_model"], len(at)),
        "label_set": pa.repeat("kinetics400", len(at)),
        "scores": lists(clip["kinetics_scores"]),
    }
    return pa.table({name: columns[name] for name in MOMENTS.names}, MOMENTS)


def _placed(clip: Clip) -> pa.Table:
    """Lay the joints in the world beside the row of a view's people that they belong to."""
    first, joints = clip["views"][0], clip["placed_joints3d"]
    views = [clip["views"][number] for number in clip["placed_view"]]
    rows = [
        (view, person, view["person_frame"][person])
        for view, person in zip(views, clip["placed_person"], strict=True)
    ]
    constant = {"system": LEARNED, "skeleton": "h36m17", "space": "world"}
    columns: dict[str, Any] = {
        "video_id": [view["video_id"] for view in views],
        "frame": [view["frame_index"][frame] for view, _, frame in rows],
        "time_s": [view["times"][frame] for view, _, frame in rows],
        "track_id": [view["person_track"][person] for view, person, _ in rows],
        **{name: pa.repeat(value, len(rows)) for name, value in constant.items()},
        **{value: lists(joints[..., i]) for i, value in enumerate(("x", "y", "z", "score"))},
        "spread": lists(clip["placed_spread"]),
        "error": lists(clip["placed_error"]),
        "views": lists(clip["placed_views"]),
        "moment": first["frame_index"][clip["placed_moment"]],
        "moment_s": first["times"][clip["placed_moment"]],
    }
    return pa.table({name: columns[name] for name in PLACED.names}, PLACED)


def lists(values: NDArray[Any]) -> pa.Array:
    """Turn (P, J) into P lists of J: of single precision, or of whole numbers."""
    kind = WHOLE if values.dtype.kind == "i" else MANY
    people, joints = values.shape
    offsets = np.arange(0, (people + 1) * joints, joints, dtype=np.int32)[: people + 1]
    flat = pa.array(np.ascontiguousarray(values, kind.value_type.to_pandas_dtype()).reshape(-1))
    return pa.ListArray.from_arrays(offsets, flat, type=kind)


def _failed(clip: Clip) -> Iterator[dict[str, Any]]:
    if clip.get("error"):
        yield _named(clip) | {
            "stage": clip["error_stage"],
            "kind": clip["error_kind"],
            "transient": is_transient(clip["error_kind"]),
            "message": clip["error"],
            "attempts": clip["error_attempts"],
            "traceback": clip["error_traceback"],
        }


def _gaps(clip: Clip) -> Iterator[dict[str, Any]]:
    number, seen = clip["frame_index"], clip.get("frame_seen", ())
    if clip.get("error") or len(seen) != len(number):
        return
    core = (number >= clip["core"][0]) & (number < clip["core"][1])
    lost = np.flatnonzero(core & ~seen)
    if len(lost):
        yield _named(clip) | {
            "stage": "decode",
            "kind": "damaged",
            "transient": False,
            "message": f"{len(lost)} of {np.count_nonzero(core)} frames could not be decoded"
            f" ({_spans(number, lost)})",
            "attempts": 1,
            "traceback": "",
        }


def _named(clip: Clip) -> dict[str, Any]:
    return {name: clip[name] for name in ("video_id", "uri", "clip_id")}


def _spans(number: NDArray[np.int64], lost: NDArray[np.int64], most: int = 5) -> str:
    """Write rows ``lost`` of the frames ``number`` as "frames 3, 17-19"."""
    runs = np.split(number[lost], np.flatnonzero(np.diff(number[lost]) > 1) + 1)
    spans = [(run[0], run[-1]) for run in runs[:most]]
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return ("frame " if len(lost) == 1 else "frames ") + text + (", …" if len(runs) > most else "")
