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
    )


def clip(uri: str, frames: int):
    return {**empty(GIVEN), "uri": uri, "clip_id": f"{uri}{frames}", "pts": np.arange(frames)}


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
@pytest.mark.parametrize("pools", ["", "look|score", "look:cpus=0.5,largest=2|score:cpus=0.5"])
def test_any_grouping_into_pools_gives_the_same_answer(cluster, pools):
    chosen = parse(pools) if pools else ()
    assert answers(run_offline(cluster, CLIPS, pools=chosen)) == answers(local.run(toy(), CLIPS))


@pytest.mark.ray
def test_a_surprise_is_tried_three_times_and_told_with_its_traceback(cluster):
    (out,) = run_offline(cluster, [clip("odd", 3)])
    assert (out["error_attempts"], out["error_stage"]) == (3, "look")
    assert "ZeroDivisionError: by chance" in out["error_traceback"]


@pytest.mark.ray
def test_a_clip_that_kills_its_workers_is_quarantined_and_the_rest_goes_on(cluster, tmp_path):
    def deaths(clip, pool):
        with open(tmp_path / clip["clip_id"], "a") as marks:
            marks.write("x")
        return os.path.getsize(tmp_path / clip["clip_id"]) - 1

    clips = [clip("good", 1), clip("deadly", 2), clip("good", 3)]
    found = {out["clip_id"]: out for out in run_offline(cluster, clips, deaths=deaths)}
    assert [found[name]["error"] for name in ("good1", "good3")] == ["", ""]
    assert found["deadly2"]["error_kind"] == "quarantined"
    assert found["deadly2"]["error_attempts"] == 3
    assert "SIGKILL" in found["deadly2"]["error"]


@pytest.mark.ray
def test_each_pool_counts_its_own_deaths(cluster, tmp_path):
    """A clip that comes to its second pool is taken up again, and nobody has died over it."""

    def deaths(clip, pool):
        (tmp_path / f"{clip['clip_id']} {pool}").touch()
        return 0

    chosen = parse("look | score")
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
        ("score|look", "score stands before look, whose 'frame_seen' it reads"),
        ("look:speed=3|score", "options: cpus, gpus, smallest, largest"),
    ],
)
def test_pools_that_cannot_work_are_refused(pools, told):
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        group(toy(), GIVEN, parse(pools))
