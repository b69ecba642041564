"""What is tried again, and what is final."""

import errno

import pytest

from muybridge.errors import ClipError, VideoError
from muybridge.graph import Stage, load
from muybridge.run import attempts
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
TIMEOUT = VideoError("timeout", "a.mp4", "hung")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("faults", "error", "count"),
    [
        ([], "", 0),
        ([ValueError("odd")], "", 0),
        ([CRASH, CRASH], "", 0),
        ([CRASH, CRASH, CRASH], "a.mp4: killed", 3),
        ([ValueError("odd")] * 3, "odd", 3),
        ([ClipError("too dark")], "too dark", 1),
        ([TIMEOUT], "", 0),
        ([TIMEOUT, TIMEOUT], "a.mp4: hung", 2),
        ([VideoError("unavailable", "a.mp4", "503")] * 3, "a.mp4: 503", 3),
        ([OSError(errno.EIO, "I/O error")] * 3, "[Errno 5] I/O error", 3),
        ([VideoError("changed", "a.mp4", "replaced")], "a.mp4: replaced", 1),
        ([VideoError("damaged", "a.mp4", "broken")], "a.mp4: broken", 1),
        ([ValueError("odd"), ClipError("too dark")], "too dark", 2),
    ],
)
def test_surprises_and_transient_errors_are_tried_three_times_the_rest_once(faults, error, count):
    (done,) = through(graph(*faults), [{"uri": "a.mp4"}])
    assert (done["error"], done["error_attempts"]) == (error, count)


def test_a_clip_that_failed_before_is_not_tried_again():
    failed = {"uri": "a.mp4", "error": "before", "error_traceback": "x", "error_attempts": 2}
    (done,) = through(graph(ValueError("odd")), [failed])
    assert (done["error"], done["error_attempts"]) == ("before", 2)


def test_a_video_is_found_again_before_it_is_read_again():
    asked = []

    def reopen(clip):
        asked.append(clip["uri"])
        return {**clip, "source": f"signed {len(asked)}"}

    fault = VideoError("denied", "a.mp4", "403")
    (done,) = through(graph(fault, fault), [{"uri": "a.mp4"}], reopen=reopen)
    assert (done["error"], done["source"], asked) == ("", "signed 2", ["a.mp4", "a.mp4"])


def test_no_clips_need_no_attempt():
    assert through(graph(), []) == []
