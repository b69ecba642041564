"""Clocks that differ are set right by somebody who moves, and it is told how surely."""

from __future__ import annotations

import json

import numpy as np
import pytest

from muybridge.geometry.cameras import projected
from muybridge.tracking.offsets import UNKNOWN, offsets
from muybridge.video.calibration import read

from .scenes import cameras

CAMERAS = cameras(3, np.random.default_rng(1))
STILL = np.random.default_rng(2).uniform((-0.3, -0.3, 0), (0.3, 0.3, 1.8), (15, 3))


def moving(times):
    """Let a body bob and sway, as who walks on the spot does (T, 15, 3)."""
    phase = 2 * np.pi * times[:, None] * np.linspace(0.4, 1.1, 15)
    sway = np.stack([np.sin(phase), np.sin(1.3 * phase + 1), np.cos(phase)], -1)
    return STILL + 0.2 * sway


def shown(view, bodies, noise=0.0):
    pixels = projected([CAMERAS[view]], bodies)[..., 0, :]
    pixels += noise * np.random.default_rng(view).normal(size=pixels.shape)
    return np.insert(pixels, 2, 1, -1)


def clocks(late, rate=(30, 30, 30), seconds=6.0, noise=0.0, body=moving):
    """See a body by views whose clocks are so many seconds late: times and joints of each."""
    true = [np.arange(0, seconds, 1 / each) for each in rate]
    joints = [shown(view, body(times), noise) for view, times in enumerate(true)]
    return [times - each for times, each in zip(true, late, strict=True)], joints


@pytest.mark.parametrize("late", [(0, 0, 0), (0, 0.5, -0.3), (0, 0.015, 0.11)])
def test_offsets_are_found(late):
    found = offsets(CAMERAS, *clocks(late))
    assert np.allclose(found.seconds, late, atol=0.004)
    assert found.seconds[0] == found.spread[0] == 0
    assert (found.spread[1:] < 0.01).all()


def test_offsets_are_found_of_views_with_frame_rates_of_their_own_and_noise():
    late = (0, 0.2, -0.37)
    found = offsets(CAMERAS, *clocks(late, rate=(30, 25, 50), noise=4.0))
    assert np.allclose(found.seconds, late, atol=0.01)
    assert (abs(found.seconds - late)[1:] < 3 * found.spread[1:]).all()


def test_a_view_that_is_always_wrong_by_as_much_does_no_harm():
    """A detector that sees every joint 20 pixels too low in one view, or a camera that slipped."""
    times, joints = clocks((0, 0.2, -0.3))
    joints[1] = joints[1] + np.array([0, 20, 0])
    assert np.allclose(offsets(CAMERAS, times, joints).seconds, [0, 0.2, -0.3], atol=0.02)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_who_stands_still_tells_nothing(noise):
    still = clocks((0, 0.2, -0.3), noise=noise, body=lambda t: np.repeat(STILL[None], len(t), 0))
    assert (offsets(CAMERAS, *still).spread[1:] > 0.1).all()


def test_an_offset_beyond_what_is_searched_is_not_known():
    """A body rises and sinks once in 6 s, 0.9 s late: up to 0.5 s it fits better and better."""

    def rising(times):
        return STILL + 0.5 * np.sin(times[:, None, None] * 2 * np.pi / 6) * [0, 0, 1]

    found = offsets(CAMERAS[:2], *(part[:2] for part in clocks((0, 0.9, 0), body=rising)), most=0.5)
    assert found.seconds[1] == 0
    assert found.spread[1] > UNKNOWN / 2
    enough = offsets(CAMERAS[:2], *(part[:2] for part in clocks((0, 0.9, 0), body=rising)))
    assert np.allclose(enough.seconds, [0, 0.9], atol=0.01)


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_too_few_frames_tell_nothing(frames):
    times, joints = clocks((0, 0, 0))
    found = offsets(CAMERAS, [t[:frames] for t in times], [j[:frames] for j in joints])
    assert (found.seconds == 0).all()
    assert (found.spread[1:] > UNKNOWN / 2).all()


def test_joints_that_are_not_seen_do_not_count():
    """Most, hardly seen, are shown as they were in another order."""
    times, joints = clocks((0, 0.2, -0.3))
    for view in joints:
        view[:, :12] = view[::-1, :12]
        view[:, :12, 2] = 0.1
    assert np.allclose(offsets(CAMERAS, times, joints).seconds, [0, 0.2, -0.3], atol=0.01)


def test_one_joint_seen_for_a_moment_tells_nothing():
    times, joints = clocks((0, 0.2, -0.3))
    for view in joints:
        view[:, 1:, 2] = view[:80, :, 2] = view[110:, :, 2] = 0
    assert (offsets(CAMERAS, times, joints).spread[1:] > UNKNOWN / 2).all()


def test_the_real_cameras_run_together_and_are_found_where_they_are_moved_apart(data):
    """Within half a frame of 1/60 s; of the moved ones, one and a half."""
    folder = data / "pose2sim_balancing"
    stand, seen = read(folder / "calibration"), []
    for view in sorted((folder / "openpose_json_associated").iterdir()):
        people = [json.loads(file.read_text())["people"] for file in sorted(view.iterdir())]
        points = [each[0].get("pose_keypoints_2d") if each else None for each in people]
        seen.append(np.array([p or [0] * 75 for p in points], float).reshape(-1, 25, 3))
    seen = [joints + np.array([0.5, 0.5, 0]) for joints in seen]
    together = offsets(stand, [np.arange(100) / 60] * 4, seen)
    assert (abs(together.seconds) < 0.5 / 60).all()
    late = np.array([0, 7, -5, 12])
    first = np.maximum(late, 0)
    times = [np.arange(100 - at) / 60 + (at - by) / 60 for at, by in zip(first, late, strict=True)]
    moved = offsets(stand, times, [joints[at:] for joints, at in zip(seen, first, strict=True)])
    assert (abs(moved.seconds - late / 60) < 1.5 / 60).all()
