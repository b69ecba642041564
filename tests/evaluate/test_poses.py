"""Joints in space are measured as papers do; numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.evaluate.poses import acceleration, acceleration_error, mpjpe, pa_mpjpe, rooted

TRUE = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])


def test_one_joint_of_four_off_by_two_is_half_off_in_the_mean():
    found = TRUE.copy()
    found[0, 1, 2] = 2
    assert mpjpe(found, TRUE).tolist() == [0.5]


def test_a_larger_body_elsewhere_is_wrong_until_it_is_laid_upon_the_true_one():
    found = 3 * TRUE + [1, 0, 0]
    assert mpjpe(found, TRUE)[0] > 1
    assert pa_mpjpe(found, TRUE)[0] < 1e-12


def test_a_root_is_taken_off():
    assert rooted(TRUE + 7, (1, 2))[0].tolist() == (TRUE[0] - [0.5, 0.5, 0]).tolist()


def test_a_steady_speed_is_no_acceleration_and_a_sudden_start_is():
    still, gone = np.zeros((3, 2, 3)), np.zeros((3, 2, 3))
    gone[:, :, 0] = np.arange(3)[:, None]
    assert acceleration(gone).tolist() == [0]
    gone[2, :, 0] = 5
    assert acceleration(gone).tolist() == [3]
    assert acceleration_error(gone, still).tolist() == [3]
    assert acceleration_error(gone, gone).tolist() == [0]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_every_frame_gets_a_number_and_an_acceleration_needs_three(count):
    joints = np.random.default_rng(0).normal(size=(count, 5, 3))
    assert mpjpe(joints, joints).shape == (count,)
    assert pa_mpjpe(joints, joints).shape == (count,)
    assert acceleration(joints).shape == (max(count - 2, 0),)
