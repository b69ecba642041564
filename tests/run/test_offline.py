"""The graph on Ray Data: the same answer however it is grouped, and whoever dies."""

import os
import signal

import numpy as np
import pytest

from muybridge.columns import GIVEN, empty
from muybridge.errors import ClipError, InputError
from muybridge.graph import Stage
from muybridge.run import local, offline
from muybridge.run.pools import Pool, group, parse


def toy():
    """Two stages that count frames; uris tell them how to fail."""

    def load_look():
        def run(clips):
            for clip in clips:
                if clip["uri"] == "bad":
                    raise ClipError("nothing can be seen here")
                if clip["uri"] == "odd":
                    raise ZeroDivisionError("by chance")
                if clip["uri"] == "deadly":
                    os.kill(os.getpid(), signal.SIGKILL)
            return [{"frame_seen": np.ones(len(clip["pts"]), bool)} for clip in clips]

        return run

    def load_score():
        return lambda clips: [
            {"person_score": np.float32(clip["frame_seen"].sum(keepdims=True) / 10)}
            for clip in clips
        ]

    return (
        Stage("look", load_look, ("pts", "uri"), ("frame_seen",), clips_per_call=3),
        Stage("score", load_score, ("frame_seen",), ("person_score",)),
        Stage("meet", load_meet, ("person_score",), ("placed_view",), across=True),
    )


def load_meet():
    """Load what names the views of a session that did not fail; its uri tells it how to."""

    def run(clips):
        for clip in clips:
            if clip["uri"] == "deadly together":
                os.kill(os.getpid(), signal.SIGKILL)
            if clip["uri"] == "odd together":
                raise ZeroDivisionError("by chance")
        return [{"placed_view": np.array(good(clip), np.int32)} for clip in clips]

    return run


def good(clip):
    return [number for number, view in enumerate(clip["views"]) if not view["error"]]


def clip(uri: str, frames: int):
    return {**empty(GIVEN), "uri": uri, "clip_id": f"{uri}{frames}", "pts": np.arange(frames)}


def session(uri: str, *views: str):
    return {**clip(uri, 2), "views": [clip(view, 2) for view in views]}


CLIPS = [clip("good", frames) for frames in (0, 1, 5)] + [clip("bad", 2), clip("odd", 3)]


def answers(rows):
    return sorted(
        (out["clip_id"], out["person_score"].tolist(), out["error"], out["error_kind"])
        for out in rows
    )


def run_offline(cluster, clips, **options):
    rows = cluster.data.from_items([offline.pack(clip) for clip in clips], override_num_blocks=2)
    return [offline.unpack(row)[0] for row in offline.compile(toy(), rows, **options).take_all()]


def test_a_clip_that_cannot_be_worked_on_fails_alone():
    assert [(out["error"], len(out["person_score"])) for out in local.run(toy(), CLIPS)] == [
        ("", 1),
        ("", 1),
        ("", 1),
        ("nothing can be seen here", 0),
        ("by chance", 0),
    ]


@pytest.mark.ray
@pytest.mark.parametrize(
    "pools", ["", "look|score+meet", "look:cpus=0.5,largest=2|score+meet:cpus=0.5"]
)
def test_any_grouping_into_pools_gives_the_same_answer(cluster, pools):
    chosen = parse(pools) if pools else ()
    assert answers(run_offline(cluster, CLIPS, pools=chosen)) == answers(local.run(toy(), CLIPS))


@pytest.mark.ray
def test_a_surprise_is_tried_three_times_and_told_with_its_traceback(cluster):
    (out,) = run_offline(cluster, [clip("odd", 3)])
    assert (out["error_attempts"], out["error_stage"]) == (3, "look")
    assert "ZeroDivisionError: by chance" in out["error_traceback"]


@pytest.fixture
def deaths(tmp_path):
    """Count in files how often each clip was taken up before."""

    def count(clip, pool):
        with open(tmp_path / clip["clip_id"], "a") as marks:
            marks.write("x")
        return os.path.getsize(tmp_path / clip["clip_id"]) - 1

    return count


@pytest.mark.ray
def test_a_clip_that_kills_its_workers_is_quarantined_and_the_rest_goes_on(cluster, deaths):
    clips = [clip("good", 1), clip("deadly", 2), clip("good", 3)]
    found = {out["clip_id"]: out for out in run_offline(cluster, clips, deaths=deaths)}
    assert [found[name]["error"] for name in ("good1", "good3")] == ["", ""]
    assert found["deadly2"]["error_kind"] == "quarantined"
    assert found["deadly2"]["error_attempts"] == 3
    assert "SIGKILL" in found["deadly2"]["error"]


SESSIONS = [session("both", "good", "good"), session("one", "bad", "good", "good")]


@pytest.mark.ray
@pytest.mark.parametrize("pools", ["", "look+score|meet", "look|score+meet"])
def test_what_works_across_views_comes_last_and_sees_no_single_video(cluster, pools):
    chosen = parse(pools) if pools else ()
    for done in (local.run(toy(), SESSIONS), run_offline(cluster, SESSIONS, pools=chosen)):
        found = {out["uri"]: out["placed_view"].tolist() for out in done}
        assert found == {"both": [0, 1], "one": [1, 2]}
    assert all("placed_view" not in out for out in run_offline(cluster, CLIPS, pools=chosen))


@pytest.mark.ray
@pytest.mark.parametrize(
    ("uri", "kind", "attempts"),
    [("odd together", "ZeroDivisionError", 3), ("deadly together", "quarantined", 3)],
)
def test_what_fails_across_views_leaves_the_views_as_they_are(cluster, deaths, uri, kind, attempts):
    clips = [session(uri, "good", "bad"), session("both", "good", "good")]
    found = {out["uri"]: out for out in run_offline(cluster, clips, deaths=deaths)}
    assert found["both"]["placed_view"].tolist() == [0, 1]
    out = found[uri]
    assert (out["error_kind"], out["error_attempts"], out["error_stage"]) == (
        kind,
        attempts,
        "meet",
    )
    assert not len(out["placed_view"])
    one, other = out["views"]
    assert (one["error"], one["person_score"].tolist()) == ("", [np.float32(0.2)])
    assert other["error"] == "nothing can be seen here"


@pytest.mark.ray
def test_each_pool_counts_its_own_deaths(cluster, tmp_path):
    """A clip that comes to its second pool is taken up again, and nobody has died over it."""

    def deaths(clip, pool):
        (tmp_path / f"{clip['clip_id']} {pool}").touch()
        return 0

    chosen = parse("look | score+meet")
    found = run_offline(cluster, CLIPS, pools=chosen, deaths=deaths)
    assert answers(found) == answers(local.run(toy(), CLIPS))
    taken = sorted(path.name for path in tmp_path.iterdir())
    good = [out["clip_id"] for out in found if not out["error"]]
    assert set(taken) >= {f"{name} {pool}" for name in good for pool in (0, 1)}


def test_pools_are_read_from_a_line():
    assert parse("look+score") == (Pool(("look", "score")),)
    assert parse("look:cpus=2 | score:gpus=0.5,smallest=2,largest=4") == (
        Pool(("look",), cpus=2),
        Pool(("score",), gpus=0.5, smallest=2, largest=4),
    )


@pytest.mark.parametrize(
    ("pools", "told"),
    [
        ("look|nose", "no stage is called 'nose'; there are look, score"),
        ("look", "score is in no pool"),
        ("look|look+score", "look is in more than one pool"),
        ("score|look+meet", "score stands before look, whose 'frame_seen' it reads"),
        ("meet|look+score", "meet stands before score, whose 'person_score' it reads"),
        ("look:speed=3|score", "options: cpus, gpus, smallest, largest"),
    ],
)
def test_pools_that_cannot_work_are_refused(pools, told):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        group(toy(), GIVEN, parse(pools))
