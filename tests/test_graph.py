"""What follows from the columns that stages read and write."""

import numpy as np
import pytest

from muybridge.columns import COLUMNS, check, empty
from muybridge.errors import ClipError, GraphError
from muybridge.graph import Stage, apply, faults, load, needed, ready, waves

GIVEN = ("pts",)


def stage(name, reads, writes, run=None, **options):
    def nothing(clips):
        return [empty(writes) for _ in clips]

    return Stage(name, lambda: run or nothing, reads, writes, **options)


DECODE = stage("decode", ("pts",), ("frames",))
SEE = stage("see", ("frames",), ("person_box",))
SCORE = stage("score", ("person_box",), ("person_score",))
FOLLOW = stage("follow", ("person_box",), ("person_track",))


def names(graph):
    return [stage.name for stage in graph]


def test_stages_run_when_what_they_read_is_there_whatever_order_they_are_named_in():
    for graph in [(DECODE, SEE, SCORE, FOLLOW), (FOLLOW, SCORE, SEE, DECODE)]:
        assert [set(names(wave)) for wave in waves(graph, GIVEN)] == [
            {"decode"},
            {"see"},
            {"score", "follow"},
        ]


def test_no_stages_need_no_waves():
    assert waves((), GIVEN) == []


def test_only_the_stages_a_request_depends_on_are_kept():
    assert names(needed((DECODE, SEE, SCORE, FOLLOW), ["person_score"])) == [
        "decode",
        "see",
        "score",
    ]
    assert needed((DECODE, SEE), ["person_track"]) == ()


def test_all_faults_of_the_wiring_are_told_at_once():
    twice = stage("see", ("nose",), ("person_box",))
    found = faults((DECODE, SEE, twice), GIVEN)
    assert found == [
        "two stages are called 'see'",
        "'person_box' is written 2 times",
        "see: columns.py has no 'nose'",
        "see: nobody writes 'nose'",
    ]


def test_stages_that_wait_for_each_other_are_refused():
    one = stage("one", ("person_box",), ("person_score",))
    two = stage("two", ("person_score",), ("person_box",))
    with pytest.raises(GraphError, match="one: waits in a circle"):
        waves((one, two), GIVEN)


def test_missing_weights_are_told_beside_faults_of_the_wiring():
    blind = stage("blind", ("times",), ("person_score",), missing=lambda: ["fetch the eyes"])
    with pytest.raises(GraphError, match=r"(?s)nobody writes 'times'.*fetch the eyes"):
        ready((blind,), GIVEN)
    ready((DECODE, SEE), GIVEN)


def clip(frames):
    return {"pts": np.arange(frames)}


def by_length(clips):
    if any(len(c["pts"]) == 2 for c in clips):
        raise ClipError("two frames will not do")
    return [{"person_score": np.ones(len(c["pts"]), "float32")} for c in clips]


@pytest.mark.parametrize("per_call", [1, 2, 10])
def test_one_bad_clip_fails_alone_however_many_go_through_together(per_call):
    graph = (stage("count", ("pts",), ("person_score",), by_length, clips_per_call=per_call),)
    done = apply(load(graph, GIVEN), [clip(n) for n in (0, 1, 2, 3)])
    assert [len(c["person_score"]) for c in done] == [0, 1, 0, 3]
    assert [c["error"] for c in done] == ["", "", "two frames will not do", ""]
    assert [c["error_stage"] for c in done] == ["", "", "count", ""]


def test_no_clips_give_no_clips():
    assert apply(load((DECODE,), GIVEN), []) == []


def test_a_stage_that_writes_another_shape_than_declared_is_told_so():
    wrong = stage(
        "wrong", ("pts",), ("person_box",), lambda clips: [{"person_box": np.zeros((2, 3))}]
    )
    (done,) = apply(load((wrong,), GIVEN), [clip(1)])
    assert "person_box: type float64, not float32" in done["error"]
    assert done["person_box"].shape == (0, 4)


def test_columns_that_share_a_letter_must_agree():
    with pytest.raises(ClipError, match=r"person_score: shape \(3,\), not \('P',\) with P = 2"):
        check(
            {"person_box": np.zeros((2, 4), "float32"), "person_score": np.zeros(3, "float32")},
            ("person_box", "person_score"),
        )


def test_every_column_can_be_empty_and_is_then_as_declared():
    check(empty(COLUMNS), [name for name in COLUMNS if name != "frames"])
