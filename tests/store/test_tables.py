"""An analysed clip becomes tables with explicit schemas, and tables the same bytes every time."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from muybridge.columns import COLUMNS, empty
from muybridge.store import tables
from muybridge.store.tables import SCHEMAS

RUN = {"graph": {"stages": ["people"]}, "weights": "abc"}


def clip(**columns: Any) -> dict[str, Any]:
    """Make a clip of frames 30 to 37, of which 30 to 34 are its core, with nobody in it."""
    given = {"video_id": "v", "clip_id": "v-1", "uri": "/v.mp4", "core": np.array([30, 35])}
    frames = {"frame_index": np.arange(30, 38), "times": np.arange(30, 38) / 10}
    people = {name: [] for name in COLUMNS if name.startswith(("person", "blazepose"))}
    return {**given, **frames, **empty(people), "frame_seen": np.ones(8, bool)} | columns


def with_two_people() -> dict[str, Any]:
    joints = np.arange(2 * 33 * 3, dtype=np.float32).reshape(2, 33, 3)
    return clip(
        person_frame=np.array([1, 6], np.int32),
        person_track=np.array([4, 5], np.int32),
        person_score=np.array([0.5, 0.25], np.float32),
        person_box=np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32),
        blazepose_joints=joints,
        blazepose_joints3d=np.concatenate([joints, joints[..., :1]], -1),
    )


def test_a_clip_with_nobody_makes_every_table_without_rows():
    made = tables.rows(clip())
    assert {name: (len(rows), rows.schema.names) for name, rows in made.items()} == {
        name: (0, schema.names) for name, schema in tables.STAGED.items()
    }


def test_a_clip_without_people_columns_makes_every_table_without_rows():
    only = {k: v for k, v in clip().items() if not k.startswith(("person", "blazepose"))}
    assert all(len(rows) == 0 for rows in tables.rows(only).values())


def test_a_person_is_told_by_frame_number_time_and_box_also_past_the_core():
    made = tables.rows(with_two_people())["people"]
    assert made.schema.equals(SCHEMAS["people"])
    assert made.to_pylist() == [
        {"video_id": "v", "clip_id": "v-1", "frame": 31, "time_s": 3.1, "track_id": 4,
         "score": 0.5, "left": 1, "top": 2, "right": 3, "bottom": 4},
        {"video_id": "v", "clip_id": "v-1", "frame": 36, "time_s": 3.6, "track_id": 5,
         "score": 0.25, "left": 5, "top": 6, "right": 7, "bottom": 8},
    ]  # fmt: skip


def test_joints_stand_in_lists_with_their_system_and_skeleton():
    given = with_two_people()
    made = tables.rows(given)
    flat, deep = made["keypoints"].to_pylist()[1], made["joints3d"].to_pylist()[1]
    assert (flat["frame"], flat["track_id"]) == (36, 5)
    assert (flat["system"], flat["skeleton"], deep["space"]) == ("blazepose", "blazepose33", "root")
    for i, name in enumerate(("x", "y", "score")):
        assert flat[name] == given["blazepose_joints"][1, :, i].tolist()
    for i, name in enumerate(("x", "y", "z", "score")):
        assert deep[name] == given["blazepose_joints3d"][1, :, i].tolist()


def test_a_system_with_two_skeletons_makes_rows_of_the_one_that_is_there():
    """The multi-task network taught on NTU sees depth, the one taught on Penn Action does not."""
    flat, deep = np.ones((2, 17, 3), np.float32), np.full((2, 17, 4), 2, np.float32)
    scores = np.full((2, 60), 1 / 60, np.float32)
    ntu = tables.rows(
        with_two_people() | {"pa17_joints": flat, "pa17_joints3d": deep} | {"ntu_scores": scores}
    )
    assert told(ntu["keypoints"]) == [("blazepose", "blazepose33"), ("multitask", "pa17")]
    assert told(ntu["joints3d"]) == [("blazepose", "blazepose33"), ("multitask", "pa17")]
    row = ntu["joints3d"].to_pylist()[-1]
    assert (row["space"], row["z"], row["track_id"]) == ("root", [2.0] * 17, 5)
    assert set(ntu["moments"]["label_set"].to_pylist()) == {"ntu60"}
    penn = tables.rows(with_two_people() | {"pa16_joints": flat[:, :16]})
    assert told(penn["keypoints"]) == [("blazepose", "blazepose33"), ("multitask", "pa16")]
    assert told(penn["joints3d"]) == [("blazepose", "blazepose33")]


def told(rows: pa.Table) -> list[tuple[str, str]]:
    """Name the systems and skeletons of rows."""
    pairs = zip(rows["system"].to_pylist(), rows["skeleton"].to_pylist(), strict=True)
    return sorted(set(pairs))


SURFACE = {
    "densepose_model": "s1x",
    "densepose_box": np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int32),
    "densepose_parts": np.array([b"\x89PNG one", b"\x89PNG two"], object),
    "densepose_uv": np.array([b"\x89PNG uv1", b"\x89PNG uv2"], object),
}


def test_surfaces_stand_beside_their_person_with_the_model_that_saw_them():
    made = tables.rows(with_two_people() | SURFACE)["densepose"]
    assert made.schema.equals(SCHEMAS["densepose"])
    assert made.to_pylist()[1] == {
        "video_id": "v", "frame": 36, "time_s": 3.6, "track_id": 5, "system": "densepose",
        "model": "s1x", "left": 5, "top": 6, "right": 7, "bottom": 8,
        "parts": b"\x89PNG two", "uv": b"\x89PNG uv2",
    }  # fmt: skip


def test_nobody_has_no_surface():
    none = {name: empty([name])[name] for name in SURFACE}
    assert tables.rows(clip(**none))["densepose"].num_rows == 0


@pytest.mark.parametrize(
    ("column", "joints", "named"),
    [
        ("coco17_joints", 17, ("keypoint_rcnn", "coco17")),
        ("coco18_joints", 18, ("openpose", "coco18")),
        ("body25_joints", 25, ("openpose", "body25")),
    ],
)
def test_joints_of_every_system_have_its_name_and_skeleton(column, joints, named):
    given = {k: v for k, v in with_two_people().items() if not k.startswith("blazepose")}
    made = tables.rows({**given, column: np.ones((2, joints, 3), np.float32)})["keypoints"]
    assert [(r["system"], r["skeleton"], len(r["x"])) for r in made.to_pylist()] == [
        (*named, joints)
    ] * 2


def test_the_columns_behind_a_table_are_those_it_is_made_from():
    assert set(tables.SOURCES) == set(SCHEMAS)
    assert tables.sources(["videos"]) == {"frame_seen"}
    assert tables.sources(["people"]) == {"frame_seen", *tables.SEEN}
    assert tables.sources(["densepose"]) == {"frame_seen", *tables.SEEN, *SURFACE}
    for name in SCHEMAS:
        assert tables.sources([name]) <= set(COLUMNS)


def test_a_failed_clip_makes_one_row_of_errors():
    failure = {"error": "people: boom", "error_stage": "people", "error_kind": "KeyError"}
    made = tables.rows(clip(**failure, error_attempts=3, error_traceback="line 1", frame_seen=[]))
    assert made["errors"].to_pylist() == [
        {"video_id": "v", "uri": "/v.mp4", "clip_id": "v-1", "stage": "people",
         "kind": "KeyError", "transient": False, "message": "people: boom", "attempts": 3,
             "traceback": "line 1"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ([1], "1 of 5 frames could not be decoded (frame 31)"),
        ([0, 2, 3, 4], "4 of 5 frames could not be decoded (frames 30, 32-34)"),
        ([2, 6, 7], "1 of 5 frames could not be decoded (frame 32)"),
    ],
)
def test_core_frames_that_were_not_seen_are_told(lost, message):
    seen = np.ones(8, bool)
    seen[lost] = False
    (row,) = tables.rows(clip(frame_seen=seen))["errors"].to_pylist()
    assert (row["stage"], row["kind"], row["message"]) == ("decode", "damaged", message)


def test_sampled_frames_that_were_not_seen_are_told_one_by_one():
    number = np.arange(0, 80, 10)
    made = tables.rows(clip(frame_index=number, core=np.array([0, 80]), frame_seen=number > 10))
    assert made["errors"]["message"].to_pylist() == [
        "2 of 8 frames could not be decoded (frames 0, 10)"
    ]


def test_context_that_was_not_seen_is_nobody_s_business():
    assert len(tables.rows(clip(frame_seen=np.arange(8) < 5))["errors"]) == 0


def test_a_track_tells_from_when_to_when_a_person_is_seen():
    rows = [
        {"video_id": "v", "clip_id": "", "frame": frame, "time_s": frame / 10, "track_id": track,
         "score": score, "left": 0, "top": 0, "right": 1, "bottom": 1}
        for frame, track, score in ((3, 1, 0.5), (9, 1, 1.0), (4, 2, 0.25), (6, 1, 0.75))
    ]  # fmt: skip
    made = tables.tracks(tables.table("people", rows))
    assert made.schema.equals(SCHEMAS["tracks"])
    assert made.sort_by("track_id").to_pylist() == [
        {"video_id": "v", "track_id": 1, "first_frame": 3, "last_frame": 9, "first_time_s": 0.3,
         "last_time_s": 0.9, "frames_seen": 3, "score": 0.75},
        {"video_id": "v", "track_id": 2, "first_frame": 4, "last_frame": 4, "first_time_s": 0.4,
         "last_time_s": 0.4, "frames_seen": 1, "score": 0.25},
    ]  # fmt: skip
    assert len(tables.tracks(SCHEMAS["people"].empty_table())) == 0


def test_the_same_rows_in_any_order_and_any_pieces_make_the_same_bytes():
    many = [
        {"video_id": f"v{n % 3}", "frame": n, "track_id": n % 2, "time_s": n / 30, "score": n / 7}
        for n in range(200)
    ]
    whole = tables.table("people", many)
    pieces = pa.concat_tables([whole.slice(n, 7) for n in reversed(range(0, 200, 7))])
    data = tables.write("people", whole, RUN)
    assert tables.write("people", pieces, RUN) == data
    keys = [(r["video_id"], r["frame"]) for r in pq.read_table(io.BytesIO(data)).to_pylist()]
    assert keys == sorted(keys)


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_a_part_says_its_units_its_schema_and_what_made_it(name):
    data = tables.write(name, SCHEMAS[name].empty_table(), RUN)
    schema = pq.read_table(io.BytesIO(data)).schema
    assert schema.equals(SCHEMAS[name])
    assert schema.metadata[b"muybridge.schema"] == tables.VERSION.encode()
    assert schema.metadata[b"muybridge.run"] == (
        b'{"graph": {"stages": ["people"]}, "weights": "abc"}'
    )
    for field in schema:
        assert field.metadata.keys() >= {b"unit", b"description"}
    units = {field.name: field.metadata[b"unit"].decode() for field in schema}
    assert units.get("time_s", "seconds") == "seconds"
    assert units.get("left", "pixels") == "pixels"
    assert units.get("z", "metres") == "metres"
