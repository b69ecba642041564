"""Points are smoothed by how sure they are, without lag, and short gaps are bridged."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.tracking.smooth import FAST, GAP, PUSH, smooth, smooth_joints

from .scenes import motions

TIMES = np.arange(60) / 30


def even(points, deviation=0.01):
    """Give every point (..., 3) the same covariance (..., 3, 3)."""
    return np.broadcast_to(deviation**2 * np.eye(3), (*points.shape, 3))


def line(times=TIMES):
    """Move one joint at 2, -1 and 0.5 m/s (T, 1, 3)."""
    return (np.array([2.0, -1, 0.5]) * times[:, None] + [5, 0, 1])[:, None]


def test_what_moves_evenly_stays_as_it_is():
    found, spread = smooth(TIMES, line(), even(line()))
    assert np.allclose(found, line(), atol=1e-3)
    assert (spread[:, 0].trace(axis1=1, axis2=2) < 3 * 0.01**2).all()


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one_frame_stay_what_they_are(count):
    points = line()[:count]
    found, spread = smooth(TIMES[:count], points, even(points))
    assert np.allclose(found, points, atol=1e-4)
    assert spread.shape == (count, 1, 3, 3)


def test_it_is_the_solution_of_least_squares():
    """Of all measurements and pushes at once, written as one system for one coordinate."""
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.02, 0.05, 8))
    deviation = random.uniform(0.005, 0.02, 8)
    measured = np.sin(5 * times) + deviation * random.normal(size=8)
    rows, right = [], []

    def equation(row, value, weight):
        rows.append(weight @ row)
        right.append(weight @ np.atleast_1d(value))

    state = np.eye(16).reshape(8, 2, 16)
    equation(state[0], [measured[0], 0], np.diag([0.1, 1 / FAST]))
    for frame in range(8):
        equation(state[frame, :1], measured[frame], np.array([[1 / deviation[frame]]]))
        if frame:
            step = times[frame] - times[frame - 1]
            drift = PUSH**2 * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
            off = state[frame] - np.array([[1, step], [0, 1]]) @ state[frame - 1]
            equation(off, [0, 0], np.linalg.cholesky(np.linalg.inv(drift)).T)
    matrix = np.concatenate(rows)
    best = np.linalg.lstsq(matrix, np.concatenate(right), rcond=None)[0][::2]
    spreads = np.diagonal(np.linalg.inv(matrix.T @ matrix))[::2]

    points = np.repeat(measured[:, None, None], 3, 2)
    found, spread = smooth(times, points, (deviation**2)[:, None, None, None] * np.eye(3))
    assert np.allclose(found[:, 0], best[:, None], atol=1e-8)
    assert np.allclose(np.diagonal(spread[:, 0], axis1=1, axis2=2), spreads[:, None], atol=1e-10)


def test_noise_on_real_motion_is_halved_without_lag(data):
    """2 cm of noise along each axis; neither the frame before nor the one after fits better."""
    random = np.random.default_rng(1)
    for motion in motions(data)[::12]:
        true, times = motion[:200], np.arange(200) / 60
        noisy = true + random.normal(0, 0.02, true.shape)
        found, _ = smooth(times, noisy, even(noisy, 0.02))
        off = np.linalg.norm(found - true, axis=-1).mean()
        assert off < 0.6 * np.linalg.norm(noisy - true, axis=-1).mean()
        for ahead in (-2, 2):
            assert np.linalg.norm(found - np.roll(true, ahead, 0), axis=-1)[2:-2].mean() > off


def test_what_is_sure_stays_and_what_is_not_gives_way():
    points, spread = line(), np.array(even(line()))
    points[20] += 0.008
    points[40] += 0.2
    spread[20], spread[40] = 1e-8 * np.eye(3), np.eye(3)
    found, _ = smooth(TIMES, points, spread)
    assert np.allclose(found[20], points[20], atol=1e-3)
    assert np.allclose(found[40], line()[40], atol=0.02)


def test_one_point_far_off_does_little_harm():
    points = line()
    points[30] += 1.0
    found, _ = smooth(TIMES, points, even(points))
    assert np.linalg.norm(found - line(), axis=-1).max() < 0.01


def test_a_short_gap_is_bridged_and_a_long_one_left_open():
    points = line()
    points[10:14] = np.nan
    points[25:55] = np.nan
    found, spread = smooth(TIMES, points, even(points))
    assert np.allclose(found[10:14], line()[10:14], atol=0.01)
    assert (spread[11:13, 0, 0, 0] > 2 * spread[5, 0, 0, 0]).all()
    open_ = np.isnan(found[:, 0, 0])
    away = [min(abs(time - TIMES[24]), abs(TIMES[55] - time)) > GAP for time in TIMES[25:55]]
    assert open_.tolist() == [False] * 25 + away + [False] * 5
    assert np.isnan(spread[open_]).all()


def test_each_joint_is_smoothed_by_itself_and_one_never_seen_stays_unknown():
    points = np.concatenate([line(), np.full((60, 1, 3), np.nan), 3 * line()], 1)
    found, spread = smooth(TIMES, points, even(points))
    assert np.allclose(found[:, [0, 2]], points[:, [0, 2]], atol=1e-3)
    assert np.isnan(found[:, 1]).all()
    assert np.isnan(spread[:, 1]).all()


def test_joints_in_the_picture_shake_less_and_do_not_lag():
    """A wrist that swings once a second, measured with noise: the best shift is 0."""
    random, times = np.random.default_rng(0), np.arange(90) / 30
    true = np.zeros((90, 2, 3))
    true[..., 0], true[..., 2] = 100 + 80 * np.sin(2 * np.pi * times)[:, None], 0.8
    noisy = true + random.normal(0, 3, true.shape) * [1, 1, 0]
    found = smooth_joints(times, noisy, np.full(90, 400.0))
    assert np.array_equal(found[..., 2], noisy[..., 2])

    def shaking(joints):
        return np.abs(np.diff(joints[..., :2], 2, axis=0)).mean()

    assert shaking(found) < 0.3 * shaking(noisy)
    away = [np.abs(np.roll(found, shift, 0) - true)[5:-5].mean() for shift in (-2, -1, 0, 1, 2)]
    assert int(np.argmin(away)) == 2
    assert away[2] < np.abs(noisy - true)[5:-5].mean()


def test_a_track_of_one_frame_or_none_is_left_as_it_is():
    for count in (0, 1):
        joints = np.ones((count, 17, 3))
        assert np.array_equal(smooth_joints(np.zeros(count), joints, np.ones(count)), joints)
