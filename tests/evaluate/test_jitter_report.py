"""Outputs say how much people shake, alone and against another of the same videos."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.errors import InputError
from muybridge.evaluate.jitter_report import shaking
from muybridge.geometry.skeletons import COCO17

VIDEOS = [{"video_id": "a", "uri": "/videos/walk.mp4"}]
ARMS = COCO17.index("left_shoulder", "right_shoulder", "left_wrist", "right_wrist")


def tables(x, track: int = 0, system: str = "keypoint_rcnn", left: float = 0.0):
    """Somebody 500 pixels tall of whom shoulders stand still and wrists move along x (F,)."""
    people, keypoints = [], []
    for frame, at in enumerate(np.asarray(x, float)):
        who = {"video_id": "a", "frame": frame, "time_s": frame / 30, "track_id": track}
        people.append({**who, "left": left, "right": left + 200, "top": 0, "bottom": 500})
        joints = np.zeros((17, 3))
        joints[ARMS] = [[left, 50, 1], [left, 50, 1], [left + at, 90, 1], [left + at, 90, 1]]
        seen = {"system": system, "skeleton": "coco17"}
        lists = dict(zip(("x", "y", "score"), joints.T.tolist(), strict=True))
        keypoints.append({**who, **seen, **lists})
    return {"videos": VIDEOS, "people": people, "keypoints": keypoints}


def together(*parts):
    return {
        "videos": VIDEOS,
        **{name: [row for part in parts for row in part[name]] for name in ("people", "keypoints")},
    }


def test_shoulders_and_wrists_of_a_video_track_and_system_get_a_number(write_output):
    report = shaking(write_output("out", **tables([0, 1, 0, 1, 0])))
    (row,) = report["rows"]
    assert (row["video"], row["track"], row["system"]) == ("walk.mp4", 0, "keypoint_rcnn")
    assert row["shoulders"] == 0
    assert row["wrists"] == pytest.approx(4)  # second differences of 2, of a body half as long
    (mean,) = report["all"]
    assert mean["wrists"] == pytest.approx(4)
    assert "wrists ratio" not in report["text"]


def test_joints_that_were_not_found_are_passed_over(write_output):
    made = tables([0, 2, 4, 6, 8, 10, 12])
    for joint in COCO17.index("left_wrist", "right_wrist"):
        for column in ("x", "y", "score"):
            made["keypoints"][3][column][joint] = 0.0  # as systems write who is not seen
    (row,) = shaking(write_output("out", **made))["rows"]
    assert row["wrists"] == pytest.approx(0)


def test_systems_and_people_are_apart_and_averaged_by_system(write_output):
    made = together(
        tables([0, 1] * 4),
        tables([0, 3] * 4, track=1, left=900),
        tables([0, 5] * 4, system="openpose"),
    )
    report = shaking(write_output("out", **made))
    got = {(row["track"], row["system"]): row["wrists"] for row in report["rows"]}
    wanted = {(0, "keypoint_rcnn"): 4, (0, "openpose"): 20, (1, "keypoint_rcnn"): 12}
    assert got == pytest.approx(wanted)
    assert {row["system"]: row["wrists"] for row in report["all"]} == pytest.approx(
        {"keypoint_rcnn": 8, "openpose": 20}
    )


def test_another_output_gives_ratio_and_lag_whatever_its_numbers_and_systems(write_output):
    frames = np.arange(250)
    quick, late = 80 * np.sin(frames / 4), 40 * np.sin((frames - 2) / 4)
    out = write_output("out", **together(tables(late), tables(quick, track=1, left=900)))
    other = together(
        tables(quick, track=8, system="blazepose"),
        tables(quick, track=9, system="blazepose", left=900),
    )
    report = shaking(out, write_output("other", **other))
    first, second = report["rows"]
    assert first["wrists_ratio"] == pytest.approx(0.5, abs=0.01)  # half as far
    assert (first["lag"], second["lag"]) == (2, 0)
    assert second["wrists_ratio"] == pytest.approx(1)
    assert first["shoulders_ratio"] is None  # the other's do not shake at all
    assert "wrists ratio" in report["text"]


def test_somebody_whom_the_other_output_lacks_has_no_ratio(write_output):
    out = write_output("out", **tables([0, 1] * 10))
    (row,) = shaking(out, write_output("other", videos=VIDEOS))["rows"]
    assert (row["wrists_ratio"], row["lag"]) == (None, None)


def test_nobody_is_an_empty_report_and_other_videos_are_refused(write_output):
    out = write_output("out", videos=VIDEOS)
    assert shaking(out)["rows"] == []
    other = write_output("other", videos=[{"video_id": "b", "uri": "/videos/walk.mp4"}])
    with pytest.raises(InputError, match="no video in common"):
        shaking(out, other)


def test_joints_without_people_say_which_table_is_needed(write_output):
    made = {**tables([0, 1, 0]), "people": []}
    with pytest.raises(InputError, match="--tables people,keypoints"):
        shaking(write_output("out", **made))


def test_many_rows_are_cut_in_the_text_only(write_output):
    made = together(*(tables([0, 1, 0], track=track, left=300 * track) for track in range(60)))
    report = shaking(write_output("out", **made))
    assert len(report["rows"]) == 60
    assert "and 11 more rows" in report["text"]  # with the mean there are 61
