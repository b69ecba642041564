"""Segments are made over all clips of a video, of hand-made scores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from muybridge.labels import KINETICS, LABELS, OTHER, named
from muybridge.run.actions import RULES, actions
from muybridge.store import tables


def moments(
    first: int,
    label: str,
    count: int,
    score: float = 0.95,
    track: int = 0,
    label_set: str = "motion",
) -> pa.Table:
    """Make ``count`` frames, a tenth of a second apart, of somebody who does something."""
    labels = named(label_set)
    scores = np.full((count, len(labels)), (1 - score) / (len(labels) - 1))
    scores[:, labels.index(label)] = score
    rows = [
        {"video_id": "v", "frame": frame, "time_s": frame / 10, "track_id": track,
         "system": "some", "label_set": label_set, "scores": each.tolist()}
        for frame, each in enumerate(scores, first)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, tables.MOMENTS)


def test_what_goes_on_across_clips_is_one_segment():
    made = actions([moments(0, "walking", 12), moments(12, "walking", 8)])
    assert made.schema.equals(tables.SCHEMAS["actions"])
    (row,) = made.to_pylist()
    assert (row["first_frame"], row["last_frame"], row["label"]) == (0, 19, "walking")
    assert (row["first_time_s"], row["last_time_s"]) == (0.0, 1.9)
    assert row["labels"][0] == "walking"
    assert len(row["labels"]) == len(row["scores"]) == 3
    assert row["score"] == row["scores"][0]
    assert abs(row["score"] - 0.95) < 1e-6


def test_people_are_told_apart_and_others_kept_silent_about():
    made = actions(
        [
            moments(0, "walking", 20),
            moments(0, "running", 20, track=1),
            moments(0, OTHER, 20, track=2),
            moments(0, "jumping", 20, score=0.85, track=3),
            moments(0, "jumping", 5, track=4),
        ]
    )
    assert [(row["track_id"], row["label"]) for row in made.to_pylist()] == [
        (0, "walking"),
        (1, "running"),
    ]


@pytest.mark.parametrize(
    ("label_set", "label"),
    [("ntu60", "hand waving"), ("penn15", "squat"), (KINETICS, "juggling balls")],
)
def test_a_label_of_a_set_without_others_opens_when_likelier_than_all_the_rest(label_set, label):
    def said(*scores: float) -> list[tuple[int, int]]:
        parts = [
            moments(4 * i, label, 4, score, label_set=label_set) for i, score in enumerate(scores)
        ]
        rows = actions(parts).to_pylist()
        assert {(row["label_set"], row["label"]) for row in rows} <= {(label_set, label)}
        return [(row["first_frame"], row["last_frame"]) for row in rows]

    assert said(0.59, 0.59) == []  # never opens
    assert said(0.5, 0.61, 0.41, 0.39) == [(0, 11)]  # holds lower than it opens
    assert said(0.61, 0.3, 0.61) == [(0, 11)]  # a gap of 0.4 seconds
    assert said(0.61, 0.3, 0.3, 0.61) == []  # none of these takes half a second
    assert said(0.61, 0.61, 0.3, 0.3, 0.61, 0.61) == [(0, 7), (16, 23)]


def test_every_label_set_has_a_rule_and_no_label_twice():
    assert set(RULES) == {*LABELS, KINETICS}
    assert all(len(set(labels)) == len(labels) for labels in LABELS.values())
    assert (len(LABELS["ntu60"]), len(LABELS["penn15"])) == (60, 15)


def test_nobody_does_nothing():
    assert len(actions([])) == 0
    assert len(actions([tables.MOMENTS.empty_table()])) == 0
