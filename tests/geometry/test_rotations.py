"""Rotations written three ways, against scipy's, and near the angles where formulas break."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from muybridge.geometry.rotations import (
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    matrix_from_six,
    quaternion_from_matrix,
)

ANGLES = (0, 1e-12, 1e-6, 1e-3, 0.009, 0.011, 0.5, 2, 3, np.pi - 1e-3, np.pi - 1e-6, np.pi)


def vectors(angle: float, count: int = 50) -> np.ndarray:
    axes = np.random.default_rng(0).normal(size=(count, 3))
    return angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_angles_become_the_matrices_of_scipy(angle):
    made = matrix_from_axis_angle(torch.from_numpy(vectors(angle)))
    assert np.abs(made.numpy() - Rotation.from_rotvec(vectors(angle)).as_matrix()).max() < 1e-12


@pytest.mark.parametrize("angle", ANGLES)
def test_a_rotation_comes_back_from_its_matrix(angle):
    r = torch.from_numpy(vectors(angle))
    matrix = matrix_from_axis_angle(r)
    back = axis_angle_from_matrix(matrix)
    assert (matrix_from_axis_angle(back) - matrix).abs().max() < 1e-10
    assert back.norm(dim=-1).max() <= np.pi + 1e-12
    if angle < np.pi - 1e-4:  # later an axis and its opposite are nearly the same
        assert (back - r).abs().max() < 1e-9


def test_float32_is_as_exact_as_its_digits():
    for angle in ANGLES:
        r = torch.from_numpy(vectors(angle)).float()
        made = matrix_from_axis_angle(r)
        assert made.dtype == torch.float32
        exact = Rotation.from_rotvec(r.numpy().astype(float)).as_matrix()
        assert np.abs(made.numpy() - exact).max() < 1e-6
        again = matrix_from_axis_angle(axis_angle_from_matrix(made))
        assert (again - made).abs().max() < 2e-6


@pytest.mark.parametrize("angle", [0, 1e-9, 5e-3, 0.0101, 1, 3, np.pi - 1e-4, np.pi])
def test_gradients_are_right_everywhere(angle):
    r = torch.from_numpy(vectors(angle, 3)).requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_axis_angle, r)


@pytest.mark.parametrize("angle", [0, 1e-6, 0.5, 2, 3])
def test_gradients_through_a_matrix_and_back_are_those_of_doing_nothing(angle):
    r = torch.from_numpy(vectors(angle, 3)).requires_grad_()
    weight = torch.randn(3, 3, dtype=r.dtype)
    (axis_angle_from_matrix(matrix_from_axis_angle(r)) * weight).sum().backward()
    assert (r.grad - weight).abs().max() < 1e-6


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_a_turn_about_an_axis_comes_back_with_a_finite_gradient(axis):
    matrix = (2 * torch.eye(3)[axis] - 1).diag().double().requires_grad_()
    found = axis_angle_from_matrix(matrix)
    assert torch.allclose(found, np.pi * torch.eye(3)[axis].double())
    found.sum().backward()
    assert matrix.grad.isfinite().all()


@pytest.mark.parametrize("angle", ANGLES)
def test_gradients_are_finite_however_far_it_is_turned(angle):
    for dtype in (torch.float32, torch.float64):
        r = torch.from_numpy(vectors(angle)).to(dtype).requires_grad_()
        axis_angle_from_matrix(matrix_from_axis_angle(r)).sum().backward()
        assert r.grad.isfinite().all()
        assert r.grad.abs().max() < 10


def test_quaternions_have_length_one_and_a_positive_first_number():
    matrix = torch.from_numpy(Rotation.random(200, random_state=0).as_matrix())
    found = quaternion_from_matrix(matrix)
    assert (found.norm(dim=-1) - 1).abs().max() < 1e-12
    assert found[:, 0].min() >= 0
    theirs = Rotation.from_matrix(matrix.numpy()).as_quat()[:, [3, 0, 1, 2]]
    assert np.abs(np.abs((found.numpy() * theirs).sum(1)) - 1).max() < 1e-12


def test_six_numbers_are_the_first_two_columns_row_by_row():
    matrix = torch.from_numpy(Rotation.random(20, random_state=1).as_matrix())
    six = matrix[..., :2].reshape(-1, 6)
    assert (matrix_from_six(six) - matrix).abs().max() < 1e-12
    scaled = matrix_from_six(six * 3)
    assert (scaled - matrix).abs().max() < 1e-12


def test_six_numbers_of_any_kind_make_a_rotation():
    made = matrix_from_six(torch.randn(100, 6, dtype=torch.float64))
    identity = torch.eye(3, dtype=torch.float64)
    assert (made @ made.mT - identity).abs().max() < 1e-9
    assert (torch.linalg.det(made) - 1).abs().max() < 1e-9
    assert matrix_from_six(torch.zeros(2, 6)).isfinite().all()


def test_any_leading_shape_is_kept():
    assert matrix_from_axis_angle(torch.zeros(2, 4, 24, 3)).shape == (2, 4, 24, 3, 3)
    assert axis_angle_from_matrix(torch.eye(3).expand(2, 4, 3, 3)).shape == (2, 4, 3)
    assert matrix_from_six(torch.zeros(0, 6)).shape == (0, 3, 3)
