"""Points are laid upon others by a scale, a rotation and a shift, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.alignment import aligned, similarity

# a quarter turn about z: x goes to y
TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
CORNERS = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]])


def test_a_scale_a_turn_and_a_shift_are_found():
    moved = 2 * CORNERS @ TURN.T + [5, 6, 7]
    found = similarity(CORNERS, moved)
    assert np.allclose(found.scale, [2])
    assert np.allclose(found.rotation, [TURN])
    assert np.allclose(found.shift, [[5, 6, 7]])
    assert np.allclose(found(CORNERS), moved)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_frame_is_laid_by_itself(count):
    scales = np.arange(1.0, count + 1)[:, None, None]
    moved = scales * CORNERS
    found = aligned(np.repeat(CORNERS, count, 0), moved)
    assert found.shape == (count, 4, 3)
    assert np.allclose(found, moved)


def test_a_mirror_image_is_turned_but_never_mirrored():
    mirrored = CORNERS * [-1, 1, 1]
    found = similarity(CORNERS, mirrored)
    assert np.allclose(np.linalg.det(found.rotation), 1)
    assert not np.allclose(found(CORNERS), mirrored, atol=0.1)


def test_no_other_similarity_is_nearer():
    random = np.random.default_rng(0)
    points, onto = random.normal(size=(2, 5, 6, 3))
    best = ((aligned(points, onto) - onto) ** 2).sum((1, 2))
    found = similarity(points, onto)
    for _ in range(50):
        turned, _ = np.linalg.qr(np.eye(3) + 0.05 * random.normal(size=(5, 3, 3)))
        turned *= np.sign(np.diagonal(turned, axis1=1, axis2=2))[:, None]
        scale = (found.scale * random.uniform(0.9, 1.1, 5))[:, None, None]
        other = scale * points @ np.swapaxes(turned @ found.rotation, 1, 2)
        other += onto.mean(1, keepdims=True) - other.mean(1, keepdims=True)
        assert (((other - onto) ** 2).sum((1, 2)) >= best - 1e-9).all()


def test_points_in_the_plane_are_laid_too():
    points = CORNERS[:, :3, :2]
    moved = 3 * points @ TURN[:2, :2].T
    assert np.allclose(aligned(points, moved), moved)


def test_points_in_one_place_are_only_shifted():
    found = similarity(np.ones((1, 4, 3)), CORNERS)
    assert found.scale == [1]
    assert np.allclose(found(np.ones((1, 4, 3))), CORNERS.mean(1))
