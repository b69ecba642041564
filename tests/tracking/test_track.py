"""Tracks: who is who from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from muybridge.tracking.assign import assign
from muybridge.tracking.associate import match
from muybridge.tracking.motion import follow, predict, start
from muybridge.tracking.track import Tracker, patience

RATE = 25.0  # frames a second of both real scenes
NONE = np.empty((0, 4))
LOOK = np.full((1, 15), 50.0)


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


@pytest.mark.parametrize("rate", [5, 30])
def test_the_filter_learns_the_velocity_whatever_the_frame_rate(rate):
    one = start([0], 0.0, box(0)[None])
    for frame in range(1, 3 * rate):
        one = follow(one, frame / rate, box(50 * frame / rate)[None])
    assert one.velocity[0] == pytest.approx([50, 0], abs=5)
    assert one.box[0] == pytest.approx(box(50 * (3 - 1 / rate)), abs=1)


def test_an_occluded_track_goes_on_slows_down_and_becomes_uncertain():
    one = start([0], 0.0, box(0)[None])
    for frame in range(1, 31):
        one = follow(one, frame / 10, box(5 * frame)[None])
    went = [predict(one, 3 + later).box[0, 0] - one.box[0, 0] for later in (1, 2, 3)]
    assert 35 < went[0] < 50
    assert 0 < went[2] - went[1] < went[1] - went[0] < went[0]
    std = [float(np.sqrt(predict(one, 3 + later).covariance[0, 0])) for later in (0, 1, 2, 3)]
    assert std == sorted(std)
    assert std[0] < 0.05
    assert 0.3 < std[3] < 1.5  # box lengths


def test_boxes_of_very_different_size_are_never_paired():
    one = start([7], 0.0, box(0)[None])
    assert match(one, 0.1, box(0, height=250)[None]).tolist() == []
    assert match(one, 0.1, np.array([box(0, height=250), box(0)])).tolist() == [[0, 1]]


def test_a_track_waits_four_times_as_long_as_it_lasted_from_one_second_to_three():
    times = np.array([0, 0.4, 0.8, 5.0])
    ids = np.arange(4)
    tracks = start(ids, 0.0, np.array([box(200 * at) for at in ids]))
    assert patience(replace(tracks, time=times), 3.0) == pytest.approx([1, 1.6, 3, 3])


def test_somebody_who_lasted_is_known_again_after_nearly_three_seconds_and_not_later():
    for gap, same in ((2.8, True), (3.2, False)):
        tracker = Tracker()
        for time in np.arange(0, 2, 0.1):
            tracker.update(time, box(0)[None], appearance=LOOK)
        ids = tracker.update(1.9 + gap, box(3)[None], appearance=LOOK)
        assert (ids.tolist() == [0]) == same


def test_somebody_else_where_one_vanished_is_told_by_appearance():
    for other, same in ((5.0, True), (60.0, False)):
        tracker = Tracker()
        for time in np.arange(0, 2, 0.1):
            tracker.update(time, box(0)[None], appearance=LOOK)
        ids = tracker.update(3.5, box(3)[None], appearance=LOOK + other)
        assert (ids.tolist() == [0]) == same


def test_a_weak_box_continues_a_track_and_starts_none():
    tracker = Tracker()
    seen = np.array([box(0), box(300)])
    assert tracker.update(0.0, seen, scores=np.array([0.9, 0.3])).tolist() == [0, -1]
    assert tracker.update(0.1, seen, scores=np.array([0.3, 0.9])).tolist() == [0, 1]


def test_a_confident_box_is_assigned_before_a_weak_one():
    tracker = Tracker()
    tracker.update(0.0, box(0)[None], scores=np.array([0.9]))
    seen = np.array([box(0), box(5)])
    assert tracker.update(0.1, seen, scores=np.array([0.3, 0.9])).tolist() == [-1, 0]


def test_who_leaves_the_picture_is_waited_for_less_than_who_is_hidden():
    for picture, ids in (((640, 480), [1]), (None, [0])):
        tracker = Tracker(picture=picture)
        for time in np.arange(0, 2, 0.1):
            tracker.update(time, box(600 - 40 + 20 * (time - 1.9) + 40)[None])
        assert tracker.update(4.0, box(598)[None]).tolist() == ids


def test_the_same_input_gives_the_same_numbers(street):
    assert track(street.frame, street.box).tolist() == track(street.frame, street.box).tolist()


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
