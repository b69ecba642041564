"""Segments are made over all clips of a video, of hand-made scores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from muybridge.labels import LABELS, OTHER
from muybridge.run.actions import actions
from muybridge.store import tables

MOTION = LABELS["motion"]


def moments(first: int, label: str, count: int, score: float = 0.95, track: int = 0) -> pa.Table:
    """Make ``count`` frames, a tenth of a second apart, of somebody who does something."""
    scores = np.full((count, len(MOTION)), (1 - score) / (len(MOTION) - 1))
    scores[:, MOTION.index(label)] = score
    rows = [
        {"video_id": "v", "frame": frame, "time_s": frame / 10, "track_id": track,
         "system": "action", "label_set": "motion", "scores": each.tolist()}
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


def test_nobody_does_nothing():
    assert len(actions([])) == 0
    assert len(actions([tables.MOMENTS.empty_table()])) == 0
