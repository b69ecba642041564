"""People are carried over frames at which nobody looked for them."""

from __future__ import annotations

import numpy as np

from muybridge.tracking.carry import carry

TIMES = np.arange(20) / 10
NONE = np.empty(0, np.int64)


def carried(rows, looks, seen):
    """Carry those seen, (row, track, left) each: {row: {track: left}}."""
    seen = sorted(seen)  # by row
    frame, track, left = (np.array([s[i] for s in seen], int) for i in range(3))
    made = carry(rows, TIMES, looks, frame, track)
    found: dict[int, dict[int, float]] = {}
    places = made.places(left[:, None].astype(float))[:, 0]
    for row, before, x in zip(made.row, made.before, places, strict=True):
        found.setdefault(int(row), {})[int(track[before])] = round(float(x), 6)
    return found


def test_nobody_is_carried_nowhere():
    made = carry(range(9), TIMES, [0, 4, 8], NONE, NONE)
    assert len(made.row) == 0
    assert made.places(np.empty((0, 4))).shape == (0, 4)


def test_looking_at_every_frame_changes_nothing_and_fills_no_gap():
    assert carried(range(3), [0, 1, 2], [(0, 0, 10), (2, 0, 30)]) == {0: {0: 10}, 2: {0: 30}}


def test_one_is_carried_evenly_from_look_to_look():
    found = carried(range(5), [0, 4], [(0, 0, 0), (4, 0, 40)])
    assert found == {row: {0: 10.0 * row} for row in range(5)}


def test_times_count_not_rows():
    uneven = np.array([0.0, 0.1, 1.0])
    made = carry([0, 1, 2], uneven, [0, 2], np.array([0, 2]), np.array([5, 5]))
    assert made.places(np.array([[0.0], [100.0]]))[:, 0].round(6).tolist() == [0, 10, 100]


def test_who_is_gone_at_the_next_look_goes_on_for_half_of_the_time():
    found = carried(range(13), [0, 4, 8, 12], [(0, 0, 0), (4, 0, 40)])
    assert found == {row: {0: 10.0 * row} for row in range(7)}


def test_who_is_new_at_a_look_came_half_of_the_time_before():
    found = carried(range(13), [0, 4, 8, 12], [(8, 0, 80), (12, 0, 120)])
    assert found == {row: {0: 10.0 * row} for row in range(7, 13)}


def test_who_is_seen_at_one_look_only_stands_still_around_it():
    assert carried(range(9), [0, 4, 8], [(4, 0, 7)]) == {row: {0: 7} for row in (3, 4, 5, 6)}


def test_many_are_carried_side_by_side_in_order_of_rows_and_tracks():
    seen = [(0, 1, 0), (4, 1, 40), (0, 0, 100), (4, 0, 60)]
    found = carried(range(5), [0, 4], seen)
    assert list(found) == [0, 1, 2, 3, 4]
    assert found[1] == {0: 90, 1: 10}
    assert [list(found[row]) for row in found] == [[0, 1]] * 5


def test_a_frame_that_could_not_be_decoded_has_nobody():
    assert list(carried([0, 1, 3, 4], [0, 4], [(0, 0, 0), (4, 0, 40)])) == [0, 1, 3, 4]


def test_scores_stay_between_those_seen():
    made = carry(range(9), TIMES, [0, 4, 8], np.array([0, 4]), np.array([0, 0]))
    assert made.scores(np.array([0.5, 0.9])).round(3).tolist() == [
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        0.9,
        0.9,
    ]
