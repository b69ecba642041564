"""Movements are smoothed as far as they shake, on rotations as they are."""

from __future__ import annotations

import math

import pytest
import torch

from muybridge.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from muybridge.models.vibe.smoothing import FRAME, one_euro, smoothed


def turning(angles, axis=(0.0, 0, 1)):
    """Rotations by angles (T,) about an axis."""
    angles = torch.as_tensor(angles)
    return matrix_from_axis_angle(angles[:, None] * torch.tensor(axis, dtype=angles.dtype))


def on_numbers(turns):
    """Smooth rotations as the authors do, axis-angle by axis-angle."""
    return matrix_from_axis_angle(one_euro(axis_angle_from_matrix(turns)))


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def between(first, second):
    """The angle from rotations to others, in radians."""
    return axis_angle_from_matrix(first.mT @ second).norm(dim=-1)


def test_the_first_is_passed_through_and_the_second_by_the_published_formula():
    """By hand: speed 2 pi / (2 pi + 1), cutoff 0.004 + 0.7 speed, a share of 2 pi cutoff."""
    speed = 2 * math.pi / (2 * math.pi + 1)
    reach = 2 * math.pi * (0.004 + 0.7 * speed)
    found = one_euro(torch.tensor([[0.0], [1.0]], dtype=torch.float64))
    assert found[:, 0].tolist() == pytest.approx([0, reach / (reach + 1)])


def test_turns_about_one_axis_are_smoothed_as_their_angles():
    angles = torch.tensor([0.0, 0.5, 0.4, 0.9, 0.8, 0.7], dtype=torch.float64)
    found = axis_angle_from_matrix(smoothed(turning(angles)))[:, 2]
    assert torch.allclose(found, one_euro(angles), atol=1e-9)


def test_a_turn_through_half_a_circle_is_not_smeared():
    """The axis-angle jumps from pi to -pi there; the rotation goes on as before."""
    turns = turning(torch.arange(2.7, 3.6, 0.05))
    lag = between(smoothed(turns), turns)
    theirs = between(on_numbers(turns), turns)
    assert lag.max() < 0.09
    assert theirs.max() > 0.2
    assert lag.diff()[4:].abs().max() < 0.005  # it has found its pace, and keeps it


def test_somebody_who_shakes_at_half_a_turn_is_steadied():
    """SMPL's y points up and a camera's down: whoever stands is turned by half a turn."""
    shaken = turning(math.pi + 0.02 * noise(100, 1)[:, 0], (1.0, 0, 0))
    jitter = [between(t[:-1], t[1:])[10:].mean() for t in (shaken, smoothed(shaken))]
    assert jitter[1] < jitter[0] / 5
    theirs = on_numbers(shaken)
    assert between(theirs[:-1], theirs[1:])[10:].mean() > 5 * jitter[0]


def test_where_a_circle_starts_makes_no_difference():
    turns = matrix_from_axis_angle(noise(20, 5, 3).cumsum(0) * 0.3)
    other = matrix_from_axis_angle(torch.tensor([1.0, 2, -1]))
    assert torch.allclose(smoothed(turns @ other), smoothed(turns) @ other, atol=1e-5)
    assert torch.allclose(smoothed(other @ turns), other @ smoothed(turns), atol=1e-5)


def test_jitter_falls_and_a_movement_stays():
    """A slow swing, shaken by 0.02 radians."""
    swing = 0.4 * torch.sin(torch.arange(200) / 60)
    shaken = turning(swing) @ matrix_from_axis_angle(0.02 * noise(200, 3))
    found = smoothed(shaken)
    jitter = [between(turns[:-1], turns[1:])[20:].mean() for turns in (shaken, found)]
    assert jitter[1] < jitter[0] / 3
    assert between(found, turning(swing))[20:].mean() < 0.2


def test_the_faster_something_moves_the_less_it_lags():
    lag = [
        float(between(smoothed(turns), turns)[-1] / speed)  # in frames
        for speed in (0.01, 0.1, 0.3)
        for turns in [turning(torch.arange(20) * speed)]
    ]
    assert lag[0] > lag[1] > lag[2]
    assert lag[2] < 1.5


def test_moments_count_by_their_times():
    turns = matrix_from_axis_angle(noise(9, 4, 3) * 0.3)
    even = torch.arange(9, dtype=torch.float64) * FRAME
    assert torch.allclose(smoothed(turns, even), smoothed(turns), atol=1e-5)
    after_a_gap = even + 100 * (torch.arange(9) >= 5)
    found = smoothed(turns, after_a_gap)
    assert torch.allclose(found[:5], smoothed(turns)[:5], atol=1e-5)
    assert between(found[5], turns[5]).max() < 0.02  # what was long ago says little
    twice = torch.zeros(9, dtype=torch.float64)
    assert smoothed(turns, twice).isfinite().all()


def test_a_movement_filmed_four_times_as_often_is_smoothed_nearly_alike():
    frames = torch.arange(0, 40, 0.25, dtype=torch.float64)
    turns = turning(0.1 * frames)
    seldom = between(smoothed(turns[::4]), turns[::4])[-1]
    often = between(smoothed(turns, frames * FRAME), turns)[-1]
    assert seldom < often < 1.5 * seldom


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_moments_or_none_are_smoothed_too(count):
    turns = turning(torch.arange(float(count)))
    assert smoothed(turns).shape == (count, 3, 3)
    assert smoothed(turns, torch.arange(float(count))).shape == (count, 3, 3)
    assert one_euro(torch.zeros(count, 72)).shape == (count, 72)
