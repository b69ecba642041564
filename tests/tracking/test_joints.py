"""Who is who by joints in common, however many were found."""

from __future__ import annotations

import numpy as np

from muybridge.geometry.boxes import around
from muybridge.tracking.joints import JointTracker, moved

STANDING = np.array(
    [[50, 10, 1], [40, 30, 1], [60, 30, 1], [42, 90, 1], [58, 90, 1], [42, 150, 1], [58, 150, 1]],
    float,
)


def person(x: float, joints: int = 7) -> np.ndarray:
    """Somebody so far to the right, of whom the first joints are found."""
    found = STANDING + np.array([x, 0, 0])
    found[joints:] = 0
    return found


def seen(tracker: JointTracker, time: float, *people: np.ndarray) -> list[int]:
    joints = np.array(people).reshape(-1, 7, 3)
    boxes = around(joints[..., :2], joints[..., 2] > 0)
    return tracker.update(time, boxes, joints).tolist()


def test_somebody_whose_legs_come_and_go_keeps_their_number():
    tracker = JointTracker()
    ids = [seen(tracker, at / 25, person(at, 7 if at % 2 else 3)) for at in range(10)]
    assert ids == [[0]] * 10


def test_two_side_by_side_keep_their_numbers_whatever_their_order():
    tracker = JointTracker()
    assert seen(tracker, 0.00, person(0), person(60)) == [0, 1]
    assert seen(tracker, 0.04, person(61, 4), person(1)) == [1, 0]
    assert seen(tracker, 0.08, person(62)) == [1]
    assert seen(tracker, 0.12, person(3), person(63, 3)) == [0, 1]


def test_nobody_is_no_one_and_somebody_new_gets_a_new_number():
    tracker = JointTracker()
    assert seen(tracker, 0.0) == []
    assert seen(tracker, 0.1, person(0)) == [0]
    assert seen(tracker, 0.2) == []
    assert seen(tracker, 0.3, person(400), person(5)) == [1, 0]


def test_who_was_away_for_long_is_somebody_else():
    tracker = JointTracker()
    assert seen(tracker, 0.0, person(0)) == [0]
    assert seen(tracker, 3.0, person(0)) == [1]


def test_too_few_joints_in_common_say_nothing():
    others = np.stack([person(7), person(7, 2)])
    assert moved(person(0), others).tolist() == [7 / 140, np.inf]
