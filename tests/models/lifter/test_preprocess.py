"""What the lifter sees of the joints that a 2-D system found."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.skeletons import BLAZEPOSE33, BODY25, COCO17, COCO18
from muybridge.models.lifter.preprocess import (
    OFFSETS,
    SEEN,
    STEP,
    TAPS,
    Track,
    gathered,
    normalised,
    windows,
)

MIDDLE = TAPS // 2
EAR, NOSE = COCO17.index("left_ear")[0], COCO17.index("nose")[0]


def numbered(count: int, people: int = 1) -> np.ndarray:
    """Joints (people, count, 3) at (j, 10 j), all sure."""
    j = np.arange(count, dtype=np.float32)
    return np.tile(np.stack([j, 10 * j, np.ones(count, np.float32)], 1), (people, 1, 1))


@pytest.mark.parametrize("skeleton", [BLAZEPOSE33, COCO17, COCO18, BODY25])
def test_joints_are_taken_by_name_from_every_system(skeleton):
    made = gathered(numbered(len(skeleton.joints)), skeleton, 0.3)
    assert made.shape == (1, 15, 3)
    for name in ("left_wrist", "right_knee", "left_shoulder"):
        assert made[0, SEEN.index(name), 0] == skeleton.index(name)[0]
    ears = np.mean(skeleton.index("left_ear", "right_ear"))
    assert made[0, SEEN.index("head"), 0] == ears
    has_toes = skeleton in (BLAZEPOSE33, BODY25)
    assert (made[0, SEEN.index("left_big_toe"), 2] > 0) == has_toes


def test_the_nose_stands_for_the_head_where_ears_and_eyes_are_hidden():
    joints = numbered(17)
    joints[0, COCO17.index("left_ear", "left_eye"), 2] = 0.1
    made = gathered(joints, COCO17, 0.3)
    assert made[0, SEEN.index("head"), 0] == NOSE
    joints[0, NOSE, 2] = 0
    assert gathered(joints, COCO17, 0.3)[0, SEEN.index("head")].tolist() == [0, 0, 0]


def test_nobody_has_no_joints_and_no_windows():
    assert gathered(numbered(17, 0), COCO17, 0.3).shape == (0, 15, 3)
    places, scores = windows(Track(np.empty(0), np.empty((0, 15, 3))))
    assert places.shape == (0, TAPS, 15, 2)
    assert scores.shape == (0, TAPS, 15)


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_window_holds_the_same_moments_whatever_the_frame_rate(fps):
    times = np.arange(4 * fps) / fps
    joints = np.ones((len(times), 15, 3))
    joints[..., 0] = 100 * times[:, None]  # 100 pixels a second
    places, scores = windows(Track(times, joints))
    at = 2 * fps
    assert np.allclose(places[at, :, 0, 0], 100 * (times[at] + OFFSETS))
    assert (scores[at] == 1).all()


def test_what_lies_before_and_after_a_track_is_not_seen():
    times = np.arange(30) * STEP
    _, scores = windows(Track(times, np.ones((30, 15, 3))))
    # as far as joints are filled in: a tenth of a second, three moments
    assert (scores[0, :, 0] > 0).tolist() == [False] * (MIDDLE - 3) + [True] * (MIDDLE + 4)
    assert (scores[-1, :, 0] > 0).tolist() == [True] * (MIDDLE + 4) + [False] * (MIDDLE - 3)


def test_a_long_gap_stays_a_gap_and_a_short_one_is_bridged():
    times = np.arange(60) * STEP
    joints = np.ones((60, 15, 3))
    joints[20:22, 0, 2] = 0  # the first joint is lost for a moment,
    joints[20:40, 1, 2] = 0  # the second for long
    joints[20:40, 1, 0] = 999
    places, scores = windows(Track(times, joints))
    assert scores[20, MIDDLE, 0] == 1
    assert scores[30, MIDDLE, 1] == 0
    assert (places < 2).all()


def test_one_frame_is_a_window_of_a_single_moment():
    places, scores = windows(Track(np.array([5.0]), np.full((1, 15, 3), 7.0)))
    assert (scores[0, MIDDLE] == 7).all()
    assert (places[0, MIDDLE] == 7).all()
    assert (scores[0, :5] == 0).all()


def test_sparse_frames_see_their_neighbours():
    times = np.arange(10) / 5  # five frames a second
    _, scores = windows(Track(times, np.ones((10, 15, 3))))
    assert (scores[5] > 0).all()


def test_where_a_person_is_and_how_large_does_not_matter():
    rng = np.random.default_rng(0)
    places, seen = rng.normal(0, 50, (4, TAPS, 15, 2)), rng.random((4, TAPS, 15)) < 0.8
    one = normalised(places, seen)
    other = normalised(3 * places + [400, 300], seen)
    assert np.abs(one - other).max() < 1e-5
    assert one.shape == (4, TAPS * 45)


def test_the_hips_are_the_origin_else_the_shoulders_else_all_that_is_seen():
    places = np.random.default_rng(1).normal(0, 50, (3, TAPS, 15, 2))
    seen = np.ones((3, TAPS, 15), bool)
    hips = [SEEN.index(f"{side}_hip") for side in ("left", "right")]
    shoulders = [SEEN.index(f"{side}_shoulder") for side in ("left", "right")]
    seen[1:, :, hips[0]] = False
    seen[2:, :, shoulders[1]] = False
    made = normalised(places, seen).reshape(3, TAPS, 15, 3)
    assert np.abs(made[0][:, hips, :2].mean(1)).max() < 1e-6
    assert np.abs(made[1][:, shoulders, :2].mean(1)).max() < 1e-6
    assert np.abs(made[2, ..., :2].sum(1)).max() < 1e-4
    assert np.array_equal(made[..., 2] > 0, seen)
    assert (made[~seen] == 0).all()


def test_nothing_seen_makes_zeros():
    assert (normalised(np.ones((1, TAPS, 15, 2)), np.zeros((1, TAPS, 15), bool)) == 0).all()
