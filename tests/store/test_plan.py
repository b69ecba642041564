"""A plan comes back exactly, grows by shards, and knows what has changed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from muybridge.columns import GIVEN, check
from muybridge.store.inputs import Input, fingerprint, inputs, video_id
from muybridge.store.objects import at
from muybridge.store.plan import Plan, PlannedVideo


def clip(video: str, number: int, times: np.ndarray) -> dict[str, object]:
    frames = len(times)
    return {
        "video_id": video, "clip_id": f"{video}-{number}", "uri": f"/{video}", "size": 5,
        "tag": "tag", "stream": 1, "decoder": "pyav", "width": 1280, "height": 720, "rotation": 90,
        "core": np.array([0, frames]), "frame_index": np.arange(frames) * 3,
        "pts": np.arange(frames) * 1001 - 7, "times": times,
    }  # fmt: skip


def video(name: str, *clips: dict[str, object], seconds: float = 1.0) -> PlannedVideo:
    info = {"duration_s": seconds, "codec": "h264", "has_audio": None, "fps": 1 / 3}
    return PlannedVideo(Input(f"/{name}", 5, "tag"), name, info, list(clips))


def same(one: PlannedVideo, other: PlannedVideo) -> None:
    plain = [
        (v.input, v.video_id, v.info, v.error_kind, v.error, len(v.clips)) for v in (one, other)
    ]
    assert plain[0] == plain[1]
    for a, b in zip(one.clips, other.clips, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert type(a[name]) is type(b[name]), name
            assert np.asarray(a[name]).tobytes() == np.asarray(b[name]).tobytes(), name


def test_a_shard_comes_back_to_the_last_bit(tmp_path):
    plan = Plan(at(str(tmp_path)))
    awkward = np.array([-0.0, 0.1 + 0.2, 1 / 3, 1e300, -5e-324, np.inf, np.nan])
    many = np.cumsum(np.random.default_rng(0).random(5000))
    planned = [
        video("a", clip("a", 0, awkward), clip("a", 1, many)),
        PlannedVideo(Input("/b", 0, ""), "b", {}, [], "empty", "/b: no frame"),
        video("c", clip("c", 0, np.zeros(0)), clip("c", 1, np.zeros(1))),
    ]
    plan.save("0", planned)
    for one, other in zip(planned, plan.load("0"), strict=True):
        same(one, other)


def test_a_clip_of_several_views_comes_back_with_them(tmp_path):
    plan = Plan(at(str(tmp_path)))
    views = [clip("one", 0, np.arange(3) / 7), clip("two", 0, np.array([-0.0, 1 / 3]))]
    both = {**clip("both", 0, np.arange(3.0)), "views": views}
    info = {"duration_s": 1.0, "views": [{"video_id": n, "error_kind": ""} for n in ("one", "two")]}
    session = PlannedVideo(Input("/both", 5, "tag"), "both", info, [both])
    plan.save("0", [video("a", clip("a", 0, np.arange(2.0))), session])
    plain, loaded = plan.load("0")
    assert "views" not in plain.clips[0]
    assert plain.ids == {"a"}
    assert loaded.ids == {"both", "one", "two"}
    same(
        PlannedVideo(Input("", 0, ""), "", {}, loaded.clips[0]["views"]),
        PlannedVideo(Input("", 0, ""), "", {}, views),
    )


def test_a_loaded_clip_has_the_given_columns_but_where_to_read_it(tmp_path):
    plan = Plan(at(str(tmp_path)))
    plan.save("0", [video("a", clip("a", 0, np.arange(3.0)))])
    ((loaded,),) = [v.clips for v in plan.load("0")]
    assert {*loaded} == {*GIVEN} - {"source"}
    check(loaded, loaded)


def test_a_shard_of_nothing_but_bad_videos_comes_back(tmp_path):
    plan = Plan(at(str(tmp_path)))
    bad = PlannedVideo(Input("/b", 0, ""), "b", {}, [], "empty", "/b: no frame")
    plan.save("0", [bad])
    assert plan.load("0") == [bad]


def test_steady_frames_cost_almost_nothing(tmp_path):
    objects = at(str(tmp_path))
    Plan(objects).save("0", [video("a", clip("a", 0, np.arange(100_000) / 30))])
    size = next(e.size for e in objects.list() if e.key.endswith("/0.parquet"))
    assert size < 100_000  # three columns of 800,000 bytes


def test_a_new_output_has_no_plan(tmp_path):
    plan = Plan(at(str(tmp_path)))
    assert plan.shards() == {}
    assert plan.add([]) == []


def test_shards_hold_whole_videos_of_about_an_hour(tmp_path):
    plan = Plan(at(str(tmp_path)))
    names = plan.add(video(f"v{n}", seconds=1500.0) for n in range(7))
    assert names == ["000000", "000001", "000002"]
    assert [len(videos) for videos in plan.shards().values()] == [3, 3, 1]


def test_one_video_of_many_hours_is_one_shard(tmp_path):
    assert len(Plan(at(str(tmp_path))).add([video("v", seconds=1e5), video("w")])) == 2


def test_added_videos_go_into_new_shards(tmp_path):
    Plan(at(str(tmp_path))).add([video("a")])
    assert Plan(at(str(tmp_path))).add([video("b")]) == ["000001"]
    assert Plan(at(str(tmp_path))).shards() == {
        "000000": frozenset({"a"}),
        "000001": frozenset({"b"}),
    }


@pytest.fixture
def corpus(tmp_path) -> tuple[Plan, Path]:
    """A plan of two real files."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_text(name)
    plan = Plan(at(str(tmp_path / "out")))
    plan.add(planned(item) for item in inputs([str(folder)]))
    return plan, folder


def planned(item: Input) -> PlannedVideo:
    name = video_id(item.uri, fingerprint(item))
    return PlannedVideo(item, name, {}, [clip(name, 0, np.arange(2.0)) | {"uri": item.uri}])


def test_nothing_has_changed_while_nothing_has(corpus):
    plan, folder = corpus
    changes = Plan(plan.objects).changes(inputs([str(folder)]))
    assert changes.new == changes.changed == []


def test_a_file_written_again_with_the_same_bytes_is_planned_again_as_the_same_video(corpus):
    plan, folder = corpus
    before = plan.shards()
    os.utime(folder / "a.mp4", (1, 1))
    changes = plan.changes(inputs([str(folder)]))
    assert [item.uri for item in changes.changed] == [str(folder / "a.mp4")]
    plan.replace(map(planned, changes.changed))
    again = Plan(plan.objects)
    assert again.changes(inputs([str(folder)])).changed == []
    assert again.shards() == before
    assert again.load("000000")[0].clips[0]["tag"] == "1000000000"


def failed(item: Input, kind: str) -> PlannedVideo:
    return PlannedVideo(item, video_id(item.uri, fingerprint(item)), error_kind=kind, error="x")


def test_what_met_a_transient_error_is_planned_again_and_what_is_broken_only_on_request(tmp_path):
    (away, broken) = (Input("s3://b/away.mp4", 1, "1"), Input("s3://b/broken.mp4", 1, "1"))
    plan = Plan(at(str(tmp_path)))
    plan.add([failed(away, "unavailable"), failed(broken, "unreadable")])
    again = Plan(plan.objects)
    assert again.changes([away, broken]).changed == [away]
    assert again.changes([away, broken], retry_errors=True).changed == [away, broken]
    again.replace([planned(away)])
    assert Plan(plan.objects).changes([away, broken]).changed == []
    # the same video by its id, but there is something to be done now
    assert plan.shards().keys() == again.shards().keys()
    assert plan.shards() != again.shards()


def test_a_session_is_planned_again_while_a_view_cannot_be_read(tmp_path):
    views = [{"video_id": "v1", "error_kind": ""}, {"video_id": "v2", "error_kind": "timeout"}]
    item = Input("/session", 1, "1")
    plan = Plan(at(str(tmp_path)))
    plan.add([PlannedVideo(item, "s", {"views": views})])
    assert Plan(plan.objects).changes([item]).changed == [item]
    assert plan.shards() == {"000000": frozenset({"s:timeout"})}


def test_a_changed_file_takes_the_place_of_its_older_self(corpus):
    plan, folder = corpus
    before = plan.load("000000")
    (folder / "b.mp4").write_text("B.mp4")
    changes = plan.changes(inputs([str(folder)]))
    assert [item.uri for item in changes.changed] == [str(folder / "b.mp4")]
    assert plan.replace(map(planned, changes.changed)) == ["000000"]
    after = Plan(plan.objects).load("000000")
    same(before[0], after[0])
    assert before[1].video_id != after[1].video_id
    assert Plan(plan.objects).shards() == {"000000": frozenset(v.video_id for v in after)}


def test_a_file_no_longer_named_stays_in_the_plan(corpus):
    plan, folder = corpus
    plan.changes(inputs([str(folder / "a.mp4")]))
    assert len(plan.shards()["000000"]) == 2


def test_a_plan_cut_off_before_its_index_is_made_again(corpus, monkeypatch):
    plan, folder = corpus
    (folder / "c.mp4").write_text("c")
    new = plan.changes(inputs([str(folder)])).new
    monkeypatch.setattr(Plan, "_note", lambda *_: None)
    plan.add(map(planned, new))
    monkeypatch.undo()
    again = Plan(plan.objects)
    assert again.changes(inputs([str(folder)])).new == new
    assert again.add(map(planned, new)) == ["000001"]
