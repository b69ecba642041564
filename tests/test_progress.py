"""What a person, a log and a program see of a run."""

import json

import pytest

from muybridge.progress import clock, display, sentence, told
from muybridge.run.report import Progress, Summary

HALF = Progress("analysing", 2, 4, 30.0, 60.0, frames=900, errors=1, elapsed_s=45.0)
DONE = Progress("analysing", 4, 4, 60.0, 60.0, frames=1800, errors=1, elapsed_s=90.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (750, "12:30"), (11100, "3:05:00")]
)
def test_durations_are_written_as_clocks_show_them(seconds, text):
    assert clock(seconds) == text


def test_a_line_says_how_far_how_fast_how_long_and_what_went_wrong():
    assert sentence(HALF) == (
        "analysing: 2 of 4 videos, 0:30 of 1:00 of video, 20.0 frames/s, 0:45 left, 1 error"
    )
    assert sentence(Progress("planning", 0, 9)) == "planning: 0 of 9 videos, 0 errors"
    assert sentence(Progress("starting Ray")) == "starting Ray"


def test_lines_are_few_and_the_last_one_is_there(capsys):
    with display("lines") as report:
        for progress in (Progress("planning", 1, 4), HALF, HALF, DONE):
            report(progress)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "planning: 1 of 4 videos",
        "analysing: 2 of 4 videos",
        "analysing: 4 of 4 videos",
    ]


def test_json_lines_hold_numbers_for_a_program(capsys):
    with display("json") as report:
        report(HALF)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line) == {
        "phase": "analysing",
        "videos": 2,
        "videos_total": 4,
        "seconds": 30.0,
        "seconds_total": 60.0,
        "frames": 900,
        "errors": 1,
        "elapsed_s": 45.0,
        "frames_per_s": 20.0,
        "left_s": 45.0,
    }


def test_nothing_is_written_when_nothing_is_asked_for(capsys):
    with display("none") as report:
        report(DONE)
    assert capsys.readouterr().err == ""


def summary(**more):
    rows = {"videos": 4, "people": 1234, "tracks": 5, "errors": 0}
    return Summary("OUT", rows=rows, **more)


def test_the_end_says_what_was_written_and_how_well_the_time_was_spent():
    spent = {"decode": 0.0, "people": 90.0, "frames": 20.0, "write": 5.0, "idle": 5.0}
    text = told(summary(clips=8, frames=900, elapsed_s=60.0, spent=spent))
    assert "4 videos, 5 people, seen 1,234 times" in text
    assert "looked at 900 frames in 1:00, 15.0 frames/s" in text
    assert "the models worked 70% of the workers' time" in text
    assert "waiting for frames 20%, waiting for clips 5%, writing 5%" in text
    assert "errors" not in text


def test_the_end_says_that_who_is_seen_by_several_cameras_counts_for_each():
    end = summary()
    end.rows["sessions"] = 4
    assert "4 videos, 5 people (counted in each view), seen 1,234 times" in told(end)


def test_the_end_says_where_errors_are_read_and_when_nothing_was_to_do():
    end = summary()
    end.rows["errors"] = 2
    assert 'muybridge query OUT "select uri, kind, message from errors"' in told(end)
    assert told(end).endswith("nothing was left to do")
