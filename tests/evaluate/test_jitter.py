"""How much joints shake, and how late they are; numbers by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from muybridge.evaluate.jitter import Motion, jitter, lag, shared


def motion(x, fps: float = 30.0, frames=None, body: float = 1000.0) -> Motion:
    """One joint that moves along x (F,), NaN where it is not seen."""
    x = np.asarray(x, float)
    frames = np.arange(len(x)) if frames is None else np.asarray(frames)
    joints = np.stack([x, 0 * x], axis=-1)[:, None]
    return Motion(frames, frames / fps, joints, body, 1 / fps)


def test_a_steady_speed_does_not_shake_and_a_joint_to_and_fro_does():
    assert jitter(motion([0, 3, 6, 9])) == pytest.approx(0)
    assert jitter(motion([0, 1, 0, 1])) == pytest.approx(2)  # each second difference is 2 pixels


def test_a_body_half_as_long_shakes_twice_as_much_by_the_same_pixels():
    assert jitter(motion([0, 1, 0, 1], body=500)) == pytest.approx(4)


def test_the_same_movement_has_the_same_jitter_at_every_frame_rate():
    for fps in (10, 30, 60):
        seconds = np.arange(0, 2, 1 / fps)
        assert jitter(motion(450 * seconds**2, fps)) == pytest.approx(
            1
        )  # 900 pixels/s², in (1/30 s)²


def test_gaps_between_frames_and_joints_unseen_are_passed_over():
    assert jitter(motion([0, 3, 6, 50, 53, 56], frames=[0, 1, 2, 9, 10, 11])) == pytest.approx(0)
    assert jitter(motion([0, 3, 6, np.nan, 99, 102, 105])) == pytest.approx(0)


@pytest.mark.parametrize("x", [[], [1], [1, 2], [1, np.nan, 3]])
def test_fewer_than_three_frames_together_say_nothing(x):
    assert math.isnan(jitter(motion(x)))


def test_a_body_without_length_says_nothing():
    assert math.isnan(jitter(motion([0, 1, 0, 1], body=0)))


@pytest.mark.parametrize("late", [-3, -1, 0, 1, 2, 10])
def test_a_lag_is_found_in_frames(late):
    frames = np.arange(60)
    one, other = np.sin((frames - late) / 4), 5 + 3 * np.sin(frames / 4)
    assert lag(motion(one), motion(other)) == late


def test_a_lag_is_found_with_frames_missing_and_noise():
    draw = np.random.default_rng(0)
    x = np.cumsum(draw.normal(size=200))
    kept = np.sort(draw.choice(np.arange(4, 200), 150, replace=False))
    late = motion(x[kept - 4] + 0.3 * draw.normal(size=150), frames=kept)
    assert lag(late, motion(x)) == 4


def test_what_moves_steadily_or_not_at_all_or_is_short_has_no_lag():
    steady = motion(3.0 * np.arange(40))
    assert lag(steady, steady) == 0
    assert lag(motion(np.zeros(40)), motion(np.zeros(40))) is None
    assert lag(motion(np.arange(9) % 3), motion(np.arange(9) % 3)) is None
    assert lag(motion([]), motion([])) is None


def test_frames_of_both_are_kept():
    one, two = shared(motion([1, 2, 3], frames=[0, 2, 4]), motion([5, 6, 7], frames=[2, 3, 4]))
    assert one.frames.tolist() == two.frames.tolist() == [2, 4]
    assert (one.joints[:, 0, 0].tolist(), two.joints[:, 0, 0].tolist()) == ([2, 3], [5, 7])
