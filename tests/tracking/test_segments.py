"""Windows that overlap become segments; scores are made by hand, ten moments a second."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.segments import Rule, covered, segments, timed

RULE = Rule(opens=0.6, holds=0.4, gap=0.3, shortest=0.3)


def found(*scores: list[float], times: list[float] | None = None) -> list[tuple[int, int, int]]:
    """Give label, first and last moment of the segments of labels' scores."""
    rows = np.array(scores, float).T
    at = np.arange(len(rows)) / 10 if times is None else np.array(times)
    return [(s.label, s.first, s.last) for s in segments(at, rows, RULE)]


def test_no_moments_make_no_segments():
    assert segments(np.zeros(0), np.zeros((0, 3))) == []


def test_a_segment_opens_high_and_holds_low():
    assert found([0.1, 0.5, 0.7, 0.5, 0.4, 0.3, 0.5]) == [(0, 1, 4)]


def test_what_never_reaches_the_upper_bound_is_none():
    assert found([0.5] * 10) == []


def test_what_is_short_is_none():
    assert found([0, 0.9, 0.9, 0, 0, 0, 0]) == []
    assert found([0, 0.9, 0.9, 0.9, 0, 0, 0]) == [(0, 1, 3)]


def test_a_short_gap_is_closed_and_a_long_one_is_not():
    assert found([0.9] * 3 + [0] * 3 + [0.9] * 3) == [(0, 0, 8)]
    assert found([0.9] * 3 + [0] * 4 + [0.9] * 3) == [(0, 0, 2), (0, 7, 9)]


def test_a_gap_is_not_closed_towards_what_never_opens():
    assert found([0.9] * 3 + [0] * 2 + [0.5] * 3) == [(0, 0, 2)]


def test_nothing_lasts_while_the_person_is_away():
    times = [0, 0.1, 0.2, 5.0, 5.1, 5.2]
    assert found([0.9] * 6, times=times) == [(0, 0, 2), (0, 3, 5)]


def test_segments_of_several_labels_overlap():
    walking, waving = [0.9] * 8, [0] * 4 + [0.8] * 4
    assert found(waving, walking) == [(1, 0, 7), (0, 4, 7)]


def test_one_moment_is_no_segment():
    assert found([0.9]) == []


def test_a_segments_scores_are_means_over_it():
    rows = np.array([[0.9, 0.0], [0.7, 0.2], [0.8, 0.1], [0.1, 0.9]])
    (segment,) = segments(np.arange(4) / 10, rows, RULE)
    assert segment.scores == pytest.approx([0.8, 0.1])


def test_a_moment_has_the_mean_of_the_windows_over_it():
    windows = np.array([[0, 4], [2, 6]])
    scores = np.array([[1.0, 0.2], [0.0, 0.4]])
    made = covered(windows, scores, 8)
    assert made[:, 0] == pytest.approx([1, 1, 0.5, 0.5, 0, 0, 0, 0])
    assert made[:, 1] == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0, 0])


def test_no_windows_say_nothing():
    assert (covered(np.zeros((0, 2), int), np.zeros((0, 3)), 5) == np.zeros((5, 3))).all()


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_moments_are_as_far_apart_at_every_frame_rate(fps):
    times = 3 + np.arange(4 * fps) / fps
    clips, spans = timed(times, 8, 2, 0.25)
    assert np.abs(np.diff(times[clips], axis=1) - 0.25).max() <= 1 / fps
    assert np.abs(np.diff(times[clips[:-1, 0]]) - 0.5).max() <= 1 / fps
    assert clips[0, 0] == 0
    assert clips[-1, -1] == len(times) - 1
    assert np.array_equal(spans, clips[:, [0, -1]] + [0, 1])


def test_a_short_track_repeats_its_last_frame_and_gaps_part_clips():
    clips, spans = timed(np.arange(3) / 4, 8, 2, 0.25)
    assert clips.tolist() == [[0, 1, 2, 2, 2, 2, 2, 2]]
    assert spans.tolist() == [[0, 3]]
    times = np.array([0, 0.25, 0.5, 5, 5.25])
    clips, spans = timed(times, 2, 1, 0.25)
    assert spans.tolist() == [[0, 2], [1, 3], [3, 5]]
    assert [len(each) for each in timed(times[:0], 8, 2, 0.25)] == [0, 0]
