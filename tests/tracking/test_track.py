"""Tracks: who is who from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.assign import assign, cost
from muybridge.tracking.track import Tracker, follow, start

RATE = 25.0  # frames a second of both real scenes
NONE = np.empty((0, 4))


def box(x: float, y: float = 0.0, width: float = 40.0, height: float = 100.0) -> np.ndarray:
    return np.array([x, y, x + width, y + height])


def track(frame, boxes, rate=RATE, tracker=None):
    """Track boxes (N, 4) frame by frame; their numbers (N,)."""
    tracker = tracker or Tracker()
    ids = np.empty(len(frame), np.int32)
    for number in np.unique(frame):
        here = frame == number
        ids[here] = tracker.update(number / rate, boxes[here])
    return ids


def switches(person, ids):
    """Count how often a person's number changes from one sighting to the next."""
    return sum(int((np.diff(ids[person == one]) != 0).sum()) for one in np.unique(person))


def test_nobody_gets_no_number():
    assert Tracker().update(0.0, NONE).tolist() == []


def test_people_are_numbered_from_0_in_order_of_appearance():
    tracker = Tracker()
    assert tracker.update(0.0, np.array([box(0), box(300)])).tolist() == [0, 1]
    assert tracker.update(0.1, np.array([box(301), box(600), box(2)])).tolist() == [1, 2, 0]


def test_two_who_pass_each_other_keep_their_numbers():
    times = np.arange(0, 2, 0.1)
    tracker = Tracker()
    for time in times:
        ids = tracker.update(time, np.array([box(100 * time), box(200 - 100 * time, y=20)]))
        assert ids.tolist() == [0, 1]


def test_somebody_hidden_for_half_a_second_keeps_the_number():
    tracker = Tracker()
    for time in (0.0, 0.1, 0.2, 0.3):
        tracker.update(time, box(200 * time)[None])
    assert tracker.update(0.8, box(160)[None]).tolist() == [0]


def test_somebody_gone_for_two_seconds_gets_a_new_number():
    tracker = Tracker()
    tracker.update(0.0, box(0)[None])
    assert tracker.update(2.0, box(0)[None]).tolist() == [1]


def test_somebody_far_off_is_somebody_else():
    tracker = Tracker()
    tracker.update(0.0, box(0)[None])
    assert tracker.update(0.04, box(500)[None]).tolist() == [1]


def test_a_track_that_is_known_needs_no_match():
    tracker = Tracker()
    tracker.update(0.0, np.array([box(0), box(300)]))
    known = np.array([1, -1], np.int32)
    assert tracker.update(0.1, np.array([box(0), box(700)]), known).tolist() == [1, 2]


def test_a_claim_is_never_on_a_busy_track():
    tracker = Tracker()
    tracker.update(0.0, box(0)[None])
    assert tracker.claim(0.1, box(1), busy={0}) == 1
    assert tracker.claim(0.1, box(1), busy=set()) == 0


def test_the_filter_learns_the_velocity_whatever_the_frame_rate():
    for rate in (5, 30):
        one = start(0, 0.0, box(0))
        for frame in range(1, 3 * rate):
            one = follow(one, frame / rate, box(50 * frame / rate))
        assert one.velocity == pytest.approx([50, 0], abs=1)
        assert one.at(one.time + 1)[0] == pytest.approx(one.box[0] + 50, abs=1)


def test_boxes_of_very_different_size_are_never_paired():
    costs = cost(box(0)[None], np.array([box(0, height=250), box(0)]), np.array([1.0]))
    assert np.isfinite(costs).tolist() == [[False, True]]


def test_the_cheapest_pairs_are_chosen_together_and_impossible_ones_never():
    costs = np.array([[0.1, 0.2], [0.15, 0.9], [np.inf, np.inf]])
    assert assign(costs).tolist() == [[0, 1], [1, 0]]
    assert assign(np.empty((0, 3))).shape == (0, 2)


def test_true_boxes_of_a_street_are_tracked_without_mixing_anybody_up(street):
    assert switches(street.person, track(street.frame, street.box)) == 0


def test_with_a_third_of_the_boxes_missing_hardly_anybody_is_mixed_up(street):
    dropped = np.random.default_rng(0).random(len(street.frame)) < 0.33
    rest = street.without(dropped)
    assert switches(rest.person, track(rest.frame, rest.box)) <= 3
