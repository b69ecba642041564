"""What is tried again, and what is final."""

import pytest

from muybridge.errors import ClipError, VideoError
from muybridge.graph import Stage, load
from muybridge.run.attempts import through


def graph(*faults):
    """One stage that fails with these, one after the other, and then works."""
    left = list(faults)

    def run(clips):
        if left:
            raise left.pop(0)
        return [{} for _ in clips]

    return load((Stage("try", lambda: run, ("uri",), ()),), ("uri",))


CRASH = VideoError("crashed", "a.mp4", "killed")


@pytest.mark.parametrize(
    ("faults", "error", "attempts"),
    [
        ([], "", 0),
        ([ValueError("odd")], "", 0),
        ([CRASH, CRASH], "", 0),
        ([CRASH, CRASH, CRASH], "a.mp4: killed", 3),
        ([ValueError("odd")] * 3, "odd", 3),
        ([ClipError("too dark")], "too dark", 1),
        ([VideoError("timeout", "a.mp4", "hung")], "a.mp4: hung", 1),
        ([ValueError("odd"), ClipError("too dark")], "too dark", 2),
    ],
)
def test_surprises_and_dead_decoders_are_tried_three_times_the_rest_once(faults, error, attempts):
    (done,) = through(graph(*faults), [{"uri": "a.mp4"}])
    assert (done["error"], done["error_attempts"]) == (error, attempts)


def test_a_clip_that_failed_before_is_not_tried_again():
    failed = {"uri": "a.mp4", "error": "before", "error_traceback": "x", "error_attempts": 2}
    (done,) = through(graph(ValueError("odd")), [failed])
    assert (done["error"], done["error_attempts"]) == ("before", 2)


def test_no_clips_need_no_attempt():
    assert through(graph(), []) == []
