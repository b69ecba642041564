"""Tracks of joints give boxes, and videos give windows to train on."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.models.vibe.tracks import Track, located, steadied, windows


def track(*rows):
    """Joints (T, 2, 3) of which each frame's two corners are said, or None for a frame without."""
    made = np.zeros((len(rows), 2, 3))
    for joints, row in zip(made, rows, strict=True):
        if row is not None:
            joints[:, :2], joints[:, 2] = row, 1
    return made


HERE, THERE = ((0, 0), (30, 40)), ((100, 0), (130, 40))


def test_a_box_is_as_large_as_the_joints_diagonal():
    """By hand: 30 wide and 40 high is 50 across, a third of 150."""
    found = located(track(HERE))
    assert (found.start, found.stop) == (0, 1)
    assert found.places.tolist() == [[15, 20, 3]]
    assert found.boxes.tolist() == [[15, 20, 50, 50]]


def test_frames_without_joints_are_filled_in_between_and_cut_off_at_the_ends():
    found = located(track(None, HERE, None, None, None, THERE, None))
    assert (found.start, found.stop) == (1, 6)
    assert found.places[:, 0].tolist() == [15, 40, 65, 90, 115]
    assert set(found.places[:, 2].tolist()) == {3}


def test_joints_that_nobody_is_sure_of_do_not_count():
    joints = track(HERE, THERE)
    joints[0, :, 2] = 0.3
    assert located(joints).start == 1
    joints = np.concatenate([track(HERE), [[[900, 900, 0.1]]]], 1)
    assert located(joints).boxes.tolist() == [[15, 20, 50, 50]]


@pytest.mark.parametrize("count", [0, 3])
def test_a_track_without_joints_has_no_boxes(count):
    found = located(np.zeros((count, 4, 3)))
    assert (found.start, found.stop) == (0, 0)
    assert found.boxes.shape == (0, 4)


def test_one_joint_alone_gives_a_box_of_a_pixel():
    assert located(track(((5, 6), (5, 6)))).boxes.tolist() == [[5, 6, 1, 1]]


def test_what_stands_still_stays_and_under_parity_its_ends_are_drawn_to_zero():
    still = Track(0, 30, np.tile([50.0, 60, 0.7], (30, 1)))
    assert np.allclose(steadied(still), still.places)
    theirs = steadied(Track(0, 30, np.arange(30.0)[:, None] + 100), parity=True)
    ours = steadied(Track(0, 30, np.arange(30.0)[:, None] + 100))
    assert theirs[-1] < ours[-1]


def test_a_jump_for_a_moment_is_left_out():
    shaken = np.tile([50.0, 60, 0.7], (30, 1))
    shaken[15] += 500
    assert np.allclose(steadied(Track(0, 30, shaken)), [50, 60, 0.7])


def test_windows_are_cut_from_one_video_each():
    videos = np.repeat(["a", "b", "c"], [5, 2, 3])
    assert windows(videos, 3, 1).tolist() == [[0, 2], [1, 3], [2, 4], [7, 9]]
    assert windows(videos, 3, 3).tolist() == [[0, 2], [7, 9]]
    assert windows(videos, 6).shape == (0, 2)
    assert windows(videos[:0]).shape == (0, 2)
