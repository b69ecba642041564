"""From the network's numbers to people."""

import numpy as np
import pytest

from muybridge.models.blazepose import postprocess
from muybridge.models.blazepose.postprocess import people


def reading(angle=0.0):
    """What the network might say of one person: a column of points in the middle of the crop."""
    points = np.zeros((1, 39, 5), np.float32)
    points[0, :, 0], points[0, :, 1] = 128, np.linspace(64, 192, 39)
    points[0, 33, :2], points[0, 34, :2] = (128, 128), (128, 28)
    points[..., 3:] = 5
    world = np.zeros((1, 39, 3), np.float32)
    world[0, :, 1] = np.linspace(-0.5, 0.5, 39)
    heat = np.full((1, 64, 64, 39), -9, np.float32)
    heat[0, 0, 0] = 0  # summits of one half, far from the points
    looked = np.array([[300, 200, 256, angle]], np.float32)
    return people(points, heat, world, looked)


def test_a_point_goes_to_the_heat_around_it_and_stays_where_there_is_none():
    heat = np.full((1, 64, 64, 4), -20, np.float32)
    heat[0, 33, 31, 0] = heat[0, 34, 31, 0] = 9  # a cell left, one to two cells down
    heat[0, 50, 31, 1] = 9  # too far away
    heat[0, 33, 31, 2] = -1  # not sure enough
    heat[0, 1, 63, 3] = 9  # by the edge
    points = np.array([[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [1.02, -0.01]]])
    moved = postprocess.refined(points, heat)[0]
    assert moved[0] == pytest.approx([31 / 64, 33.5 / 64])
    assert moved[1:3] == pytest.approx(points[0, 1:3])
    assert moved[3] == pytest.approx([63 / 64, 1 / 64])
    assert postprocess.refined(points[:0], heat[:0]).shape == (0, 4, 2)


def test_joints_are_in_pixels_of_the_picture_and_scores_between_0_and_1():
    one = reading()
    assert one.joints[0, 0] == pytest.approx([300, 200 - 64, 1 / (1 + np.exp(-5))], abs=1e-4)
    assert one.region[0] == pytest.approx([300, 200, 2 * 1.25 * 100, 0], abs=1e-4)


def test_in_a_turned_crop_joints_turn_in_pixels_and_in_metres():
    straight, turned = reading(), reading(np.pi / 2)
    offset = straight.joints[0, :, :2] - [300, 200]
    assert turned.joints[0, :, :2] - [300, 200] == pytest.approx(
        np.stack([-offset[:, 1], offset[:, 0]], 1), abs=1e-3
    )
    assert turned.joints3d[0, :, 0] == pytest.approx(-straight.joints3d[0, :, 1], abs=1e-6)
    assert turned.region[0, 3] == pytest.approx(np.pi / 2)
