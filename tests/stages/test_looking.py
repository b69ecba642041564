"""Which frames a stage looks at, and who is who in them."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.columns import check
from muybridge.stages.looking import (
    PEOPLE,
    chunks,
    frame_seen,
    people,
    populated,
    renumbered,
    span,
)
from muybridge.video.frames import DecodedFrames

LEFT, RIGHT = np.array([0.0, 0, 10, 30]), np.array([50.0, 0, 60, 30])


def clip(frames: int, core: tuple[int, int], lost: tuple[int, ...] = ()) -> dict:
    """Make a clip whose frames 100, 101, ... are grey as their row's number."""
    rows = np.array([row for row in range(frames) if row not in lost])
    pictures = np.tile(rows.astype(np.uint8)[:, None, None, None], (1, 4, 6, 3))
    return {
        "frame_index": np.arange(100, 100 + frames),
        "core": np.array(core),
        "frames": DecodedFrames(pictures, rows, frames),
    }


@pytest.mark.parametrize(
    ("core", "rows"), [((100, 110), (0, 10)), ((102, 105), (2, 7)), ((100, 109), (0, 10))]
)
def test_the_core_and_two_frames_after_it_are_looked_at(core, rows):
    assert span(clip(10, core)) == rows


def test_pictures_come_a_few_at_a_time_without_those_that_are_lost():
    got = [(rows.tolist(), pictures[:, 0, 0, 0]) for rows, pictures in chunks(CLIP, 3)]
    assert [rows for rows, _ in got] == [[2, 4, 5], [6]]
    assert np.concatenate([shades for _, shades in got]).tolist() == [2, 4, 5, 6]
    assert np.flatnonzero(frame_seen(CLIP, [2, 4, 5, 6])).tolist() == [2, 4, 5, 6]
    assert not frame_seen(CLIP, []).any()


CLIP = clip(10, (102, 105), lost=(3,))


def test_nobody_makes_empty_columns_of_the_right_types():
    seen = {"frame_seen": np.zeros(2, bool)}
    check({**people([], np.arange(2) / 30, [], []), **seen}, PEOPLE)
    none = np.empty((0, 4)), np.empty(0)
    check({**people([0, 1], np.arange(2) / 30, *zip(none, none, strict=True)), **seen}, PEOPLE)


def test_two_people_keep_their_numbers_in_whatever_order_they_are_found():
    boxes = [np.stack([LEFT, RIGHT]), np.stack([RIGHT + 1, LEFT + 1]), LEFT[None] + 2]
    made = people([3, 4, 6], np.arange(7) / 30, boxes, [np.ones(2), np.ones(2), np.ones(1)])
    assert made["person_frame"].tolist() == [3, 3, 4, 4, 6]
    assert made["person_track"].tolist() == [0, 1, 1, 0, 0]
    assert made["person_box"][2].tolist() == [51, 1, 61, 31]


def test_tracks_are_numbered_in_order_of_first_appearance():
    assert renumbered(np.array([7, 3, 7, 1], np.int32)).tolist() == [0, 1, 0, 2]
    assert renumbered(np.empty(0, np.int32)).tolist() == []


def test_frames_before_the_core_are_looked_at_where_they_are_asked_for():
    assert span(clip(10, (104, 106)), before=3) == (1, 8)
    assert span(clip(10, (104, 106)), before=9) == (0, 8)


def test_only_pictures_with_somebody_are_looked_at():
    pictures = np.tile(np.arange(8, dtype=np.uint8)[:, None, None, None], (1, 4, 4, 3))
    held = DecodedFrames(pictures, np.arange(8), 8)
    seen = {"frames": held, "person_frame": np.array([2, 2, 5], np.int32)}
    got = [(rows.tolist(), shown[:, 0, 0, 0].tolist()) for rows, shown in populated(seen, 2)]
    assert got == [([2], [2]), ([5], [5])]
    assert list(populated({**seen, "person_frame": np.empty(0, np.int32)}, 2)) == []
