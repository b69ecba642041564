"""From crops back to pictures and to space, and from many clips to one answer."""

from __future__ import annotations

import numpy as np
import pytest

from muybridge.geometry.skeletons import PA17
from muybridge.models.multitask.postprocess import (
    agreed,
    around_root,
    crop_to_picture,
    depths,
    in_space,
    mirrored,
)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_places_are_mapped_back_by_each_crops_square(count):
    squares = np.array([[-20.0, 20, 60, 100], [10, 10, 20, 20]])[:count]
    poses = np.array([[[0, 0, 0.5, 1], [1, 0.5, 0.5, 1]]] * 2)[:count]
    wanted = np.array([[[-20, 20], [60, 60]], [[10, 10], [20, 15]]])[:count]
    assert crop_to_picture(poses, squares).tolist() == wanted.tolist()


def test_depth_spans_two_metres_about_the_root():
    assert depths(np.array([[[0, 0, 0, 1], [0, 0, 0.5, 1], [0, 0, 0.75, 1]]])).tolist() == [
        [-1, 0, 0.5]
    ]


def body():
    """Somebody 1.7 metres high who stands straight, facing the camera: (17, 3) in metres."""
    made = np.zeros((17, 3))
    for side, out in (("right", -0.2), ("left", 0.2)):
        for joint, down in (("shoulder", -0.5), ("elbow", -0.1838), ("wrist", 0.0644)):
            made[PA17.index(f"{side}_{joint}")] = (out, down, 0)
        for joint, down in (("hip", 0), ("knee", 0.4165), ("ankle", 0.8347)):
            made[PA17.index(f"{side}_{joint}")] = (out / 2, down, 0)
    return made


@pytest.mark.parametrize("pixels", [20.0, 400.0])
def test_without_a_camera_limbs_say_how_large_a_pixel_is(pixels):
    leaning = body() @ np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])
    for joints in (body(), leaning):
        points = joints[:, :2] * pixels + [320, 240]
        made = around_root(points[None], joints[None, :, 2])
        assert made.shape == (1, 17, 3)
        assert made[0] == pytest.approx(joints - joints[0], abs=1e-3)
        assert (made[0, 0] == 0).all()


def test_joints_in_one_place_have_a_place_in_space():
    made = around_root(np.full((2, 17, 2), 7.0), np.zeros((2, 17)))
    assert (made == 0).all()
    assert np.isfinite(around_root(np.full((1, 17, 2), 7.0), np.arange(17.0)[None])).all()
    assert around_root(np.empty((0, 17, 2)), np.empty((0, 17))).shape == (0, 17, 3)


def test_joints_in_space_are_seen_where_they_were_found():
    camera = np.array([[1000.0, 0, 320], [0, 1100, 240], [0, 0, 1]])
    joints = np.array([[[0.1, -0.2, 3.0], [0.5, 0.4, 3.4]], [[0, 0, 2.0], [-1, 1, 1.5]]])
    seen = joints @ camera.T
    points, root = seen[..., :2] / seen[..., 2:], joints[:, 0, 2]
    made = in_space(points, joints[..., 2] - root[:, None], root, camera)
    assert np.allclose(made, joints)


def test_probabilities_are_multiplied_and_add_up_to_1():
    made = agreed(np.array([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]))
    assert np.allclose(made, np.array([0.1, 0.15, 0.05]) / 0.3)
    assert np.allclose(agreed(np.array([[0.2, 0.8]])), [0.2, 0.8])
    assert np.allclose(agreed(np.empty((0, 4))), 0.25)


def test_many_clips_do_not_lose_the_answer_to_rounding():
    made = agreed(np.array([[0.2, 0.8, 0.0]] * 2000))
    assert np.allclose(made, [0, 1, 0])


def test_crops_are_turned_left_to_right():
    crops = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    assert mirrored(crops)[0, 1, 0].tolist() == crops[0, 1, 3].tolist()
