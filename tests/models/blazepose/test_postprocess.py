"""From the networks' numbers to people."""

import numpy as np
import pytest

from muybridge.models.blazepose import postprocess
from muybridge.models.blazepose.postprocess import NOBODY, body_box, people, together

WHOLE = np.array([[0, 0, 224, 224]], np.float32)


def test_anchors_are_the_middles_of_the_cells_of_three_grids():
    anchors = postprocess.anchors()
    assert anchors.shape == (2254, 2)
    assert anchors[0] == pytest.approx([0.5 / 28, 0.5 / 28])
    assert anchors[2] == pytest.approx([1.5 / 28, 0.5 / 28])  # x runs first, two anchors a cell
    assert anchors[2 * 28 * 28] == pytest.approx([0.5 / 14, 0.5 / 14])
    assert anchors[-1] == pytest.approx([6.5 / 7, 6.5 / 7])


def test_a_detection_is_decoded_from_its_anchor():
    raw, logits = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254), -9, np.float32)
    logits[0, 0] = 0  # a score of one half, at the anchor (4, 4) of the picture's 224 pixels
    raw[0, 0, 4:8] = [96, 96, 96, 46]  # the hips' middle, and a point 50 pixels above
    score, regions = postprocess.detections(raw, logits, WHOLE, 0.4)
    assert score.tolist() == [0.5]
    assert regions[0] == pytest.approx([100, 100, 2 * 1.25 * 50, 0], abs=1e-4)


def test_a_detection_in_a_tile_is_moved_to_where_the_tile_is():
    raw, logits = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254), -9, np.float32)
    logits[0, 0] = 3
    raw[0, 0, 4:8] = [96, 96, 146, 96]  # lying, the head to the right
    tile = np.array([[300, 200, 300 + 448, 200 + 448]], np.float32)
    _, regions = postprocess.detections(raw, logits, tile, 0.5)
    assert regions[0] == pytest.approx([500, 400, 250, np.pi / 2], abs=1e-4)


def test_nothing_above_the_threshold_is_nothing_detected():
    nothing = np.zeros((2, 2254, 12), np.float32), np.full((2, 2254), -1, np.float32)
    score, regions = postprocess.detections(*nothing, WHOLE.repeat(2, 0), 0.5)
    assert score.shape == (0,)
    assert regions.shape == (0, 4)


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
    return people(points, np.ones(1, np.float32), heat, world, looked, (640, 480))


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
    assert one.score.tolist() == [0.5]  # present for sure, summits of logit 0
    assert one.region[0] == pytest.approx([300, 200, 2 * 1.25 * 100, 0], abs=1e-4)


def test_in_a_turned_crop_joints_turn_in_pixels_and_in_metres():
    straight, turned = reading(), reading(np.pi / 2)
    offset = straight.joints[0, :, :2] - [300, 200]
    assert turned.joints[0, :, :2] - [300, 200] == pytest.approx(
        np.stack([-offset[:, 1], offset[:, 0]], 1), abs=1e-3
    )
    assert turned.joints3d[0, :, 0] == pytest.approx(-straight.joints3d[0, :, 1], abs=1e-6)
    assert turned.region[0, 3] == pytest.approx(np.pi / 2)


def test_the_box_holds_the_joints_that_are_there_and_the_head():
    xy = np.zeros((1, 33, 2), np.float32)
    xy[0, :11], xy[0, 11:] = (100, 50), (100, 100)  # all of the face, all of the rest
    xy[0, 27] = (100, 400)  # a foot below the picture
    there = np.ones((1, 33), bool)
    there[0, 27] = False
    left, top, right, bottom = body_box(xy, there, (200, 300))[0]
    assert (left, top, right, bottom) == (100, 10, 100, 100)  # the crown, 0.8 x 50 above the face
    there[0, 27] = True
    assert body_box(xy, there, (200, 300))[0, 3] == 300


def test_people_are_put_together_in_order():
    both = together([reading(), NOBODY, reading(1.0)])
    assert len(both) == 2
    assert both.region[:, 3] == pytest.approx([0, 1])
    assert len(together([NOBODY, NOBODY])) == 0
