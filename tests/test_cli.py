"""What one types, and what one reads."""

import base64
import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from muybridge.cli import app
from muybridge.columns import GIVEN, empty
from muybridge.store import ledger as ledgers
from muybridge.store import tables
from muybridge.store.inputs import Input
from muybridge.store.objects import at
from muybridge.store.plan import Plan, PlannedVideo


def muybridge(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    """An output with one video, in which one person is seen 60 times."""
    folder = str(tmp_path_factory.mktemp("out"))
    ledger = ledgers.start(at(folder), {})
    (shard,) = Plan(ledger.objects).add([PlannedVideo(Input("/a.mp4", 1, "1"), "a")])
    clip = {**empty(GIVEN), "video_id": "a", "clip_id": "c", "uri": "/a.mp4"}
    clip |= {"frame_index": np.arange(60), "times": np.arange(60) / 30, "core": np.array([0, 60])}
    clip |= {"person_frame": np.arange(60, dtype="int32")}
    clip |= {"person_track": np.zeros(60, "int32"), "person_score": np.ones(60, "float32")}
    clip |= {"person_box": np.ones((60, 4), "float32"), "frame_seen": np.ones(60, bool)}
    made = {**tables.rows(clip), "videos": tables.table("videos", [{"video_id": "a"}])}
    ledger.commit(shard, made)
    return folder


def test_a_query_prints_a_table_of_at_most_fifty_rows(out):
    said = muybridge("query", out, "select frame, time_s from people order by frame").stdout
    assert "frame" in said
    assert "1.633" in said
    assert "and 10 more rows: --format csv gives all" in said


def test_a_query_is_written_for_other_programs(out):
    sql = "select frame, score from people order by frame limit 2"
    rows = list(csv.reader(io.StringIO(muybridge("query", out, sql, "--format", "csv").stdout)))
    assert rows == [["frame", "score"], ["0", "1.0"], ["1", "1.0"]]
    found = json.loads(muybridge("query", out, sql, "--format", "json").stdout)
    assert found == [{"frame": 0, "score": 1.0}, {"frame": 1, "score": 1.0}]
    data = muybridge("query", out, sql, "--format", "parquet").stdout_bytes
    assert pq.read_table(pa.BufferReader(data)).num_rows == 2


def test_a_wrong_query_says_what_there_is(out):
    done = muybridge("query", out, "select * from trucks")
    assert done.exit_code == 2
    names = "videos, sessions, people, keypoints, joints3d, densepose, bodies, actions, tracks"
    assert f"The tables are {names}, errors" in done.stderr


def test_a_video_that_is_not_there_is_named_before_anything_starts(tmp_path):
    done = muybridge("index", tmp_path / "none.mp4", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert str(tmp_path / "none.mp4") in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_video_is_told_before_anything_starts(tmp_path):
    done = muybridge("index", tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert f"no video in {tmp_path}" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_output_is_left_alone(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "thesis.doc").touch()
    done = muybridge("index", tmp_path / "a.mp4", "--out", tmp_path)
    assert done.exit_code == 2
    assert "was not made by muybridge" in done.stderr


def test_without_a_model_index_says_how_to_get_one_before_anything_starts(tmp_path):
    (tmp_path / "a.mp4").touch()
    done = muybridge(
        "index", tmp_path / "a.mp4", "--out", tmp_path / "out", "--pose-model", "blazepose_heavy"
    )
    assert done.exit_code == 2, done.stderr
    assert "npm package @mediapipe/pose" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_doctor_has_a_line_for_everything_and_says_whether_it_can_run():
    done = muybridge("doctor")
    assert done.exit_code == 0, done.stdout
    assert {"python", "ray", "decoders", "device"} <= {
        line.split("  ")[1].strip() for line in done.stdout.splitlines()
    }


def test_graphs_lists_what_each_needs_and_takes():
    said = muybridge("graphs").stdout
    for name in ("people", "detect", "openpose", "densepose"):
        assert f"{name}: " in said
    assert "needs    densepose_rcnn_R_50_FPN_s1x (" in said
    assert "--detect-every" in said


@pytest.mark.parametrize("command", ["index", "serve"])
def test_weights_that_cannot_be_fetched_are_all_told_before_anything_starts(
    command, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody answers there
    (tmp_path / "a.mp4").touch()
    words = [tmp_path / "a.mp4", "--out", tmp_path / "out"] if command == "index" else []
    chosen = ["--graph", "densepose", "--detector", "fasterrcnn_resnet50_fpn"]
    done = muybridge(command, *words, *chosen)
    assert done.exit_code == 2
    assert "https://download.pytorch.org/models/fasterrcnn_resnet50_fpn" in done.stderr
    assert "densepose_rcnn_R_50_FPN_s1x: model_final_162be9.pkl cannot be fetched" in done.stderr
    assert f"put it to {tmp_path / 'cache'}" in done.stderr
    assert not (tmp_path / "out").exists()


def test_terms_are_told_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    done = muybridge("index", tmp_path, "--out", tmp_path / "out", "--graph", "openpose")
    assert done.exit_code == 2
    assert "muybridge weights fetch openpose_body25 --accept-licence" in done.stderr
    assert "noncommercial" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--graph", "trucks"], "there is no graph 'trucks'"),
        (["--detector", "fasterrcnn_resnet50_fpn"], "--detector: means nothing to it"),
        (["--graph", "detect", "--tables", "people,joints3d"], "joints3d gets no rows from it"),
        (["--graph", "densepose", "--weights", "/no/where.pkl"], "there is no /no/where.pkl"),
    ],
)
def test_what_a_graph_cannot_do_is_refused_in_a_sentence(words, said, tmp_path):
    (tmp_path / "a.mp4").touch()
    done = muybridge("index", tmp_path / "a.mp4", "--out", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_track_is_named_for_an_atlas_only(out, tmp_path):
    done = muybridge("render", out, "a.mp4", "-o", tmp_path / "o.mp4", "--track", 0)
    assert done.exit_code == 2
    assert "give --show atlas with it" in done.stderr
    named = muybridge("render", out, "a.mp4", "-o", tmp_path / "o.mp4", "--show", "atlas")
    assert "an atlas is written as PNG; name it o.png" in named.stderr


def test_evaluate_tracking_compares_an_output_with_labels(out, tmp_path):
    (tmp_path / "a.txt").write_text("1,1,1,1,5,5,1,1,1\n")
    done = muybridge("evaluate", "tracking", out, tmp_path / "a.txt")
    assert done.exit_code == 2  # the output's video has no name
    assert "has labels of a, but the videos are" in done.stderr
    gone = muybridge("evaluate", "tracking", out, tmp_path / "none")
    assert "no labels there" in gone.stderr


def test_evaluate_jitter_prints_a_table_alone_and_against_another_output(out):
    assert muybridge("evaluate", "jitter", out).stdout.split()[:3] == ["video", "track", "system"]
    assert "wrists ratio" in muybridge("evaluate", "jitter", out, "--against", out).stdout
    done = muybridge("evaluate", "jitter", out, "--against", "/no/where")
    assert done.exit_code == 2
    assert "/no/where: is no output of muybridge" in done.stderr


def test_evaluate_keypoints_takes_an_output_for_a_folder_of_pictures(out, tmp_path):
    file = tmp_path / "t.json"
    file.write_text('{"images": [{"id": 1, "file_name": "b_0.jpg"}], "annotations": []}')
    done = muybridge("evaluate", "keypoints", out, file)
    assert done.exit_code == 2
    assert "none of its 1 pictures is named as a frame of" in done.stderr


@pytest.mark.golden
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_surfaces_are_indexed_queried_and_drawn_by_the_command_line(
    official, confident, data, tmp_path
):
    from muybridge.video.clips import clips
    from muybridge.video.probe import probe

    video = data / "intel_people/asl_gestures/want.mkv"
    folder = official("densepose_rcnn_R_50_FPN_s1x").parent
    score = confident(clips(probe(str(video)), str(video), "v", 2.0), 64)
    chosen = ["--graph", "densepose", "--weights", folder, "--size", 64, "--min-score", score]
    indexed = muybridge("index", video, "--out", tmp_path / "out", "--fps", 2, *chosen)
    assert indexed.exit_code == 0, indexed.stderr
    sql = "select track_id, frame, model, parts from densepose order by all"
    rows = json.loads(muybridge("query", tmp_path / "out", sql, "--format", "json").stdout)
    assert {row["model"] for row in rows} == {"densepose_rcnn_R_50_FPN_s1x"}
    assert base64.b64decode(rows[0]["parts"]).startswith(b"\x89PNG")
    shown = muybridge("query", tmp_path / "out", sql).stdout
    assert " bytes>" in shown
    for show, file in (("densepose", "parts.mp4"), ("uv", "uv.mp4"), ("atlas", "atlas.png")):
        words = ["--show", show, *(["--track", rows[0]["track_id"]] if show == "atlas" else [])]
        made = muybridge("render", tmp_path / "out", video, "-o", tmp_path / file, *words)
        assert made.exit_code == 0, made.stderr
        assert (tmp_path / file).stat().st_size > 1000
    again = muybridge("index", video, "--out", tmp_path / "out", "--fps", 2)
    assert again.exit_code == 2
    assert "was made otherwise" in again.stderr
