"""Boxes: areas, overlaps, and boxes round points."""

import numpy as np
import pytest

from muybridge.geometry import boxes

SQUARE = np.array([[0.0, 0, 10, 10]])
NONE = np.empty((0, 4))


def test_a_box_turned_inside_out_has_no_area():
    assert boxes.area(np.array([[0.0, 0, 4, 5], [3, 3, 1, 9]])).tolist() == [20, 0]


def test_iou_is_what_two_boxes_share_of_what_they_cover():
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert boxes.iou(SQUARE, others)[0] == pytest.approx([1, 50 / 150, 0])


def test_boxes_without_area_overlap_with_nothing():
    point = np.array([[3.0, 3, 3, 3]])
    assert boxes.iou(point, point).tolist() == [[0]]
    assert boxes.containment(point, SQUARE).tolist() == [[0]]


def test_containment_is_the_part_of_the_smaller_box_in_the_larger():
    others = np.array([[2.0, 2, 4, 4], [-10, 0, 10, 100], [8, 8, 12, 12]])
    assert boxes.containment(SQUARE, others)[0] == pytest.approx([1, 1, 4 / 16])


def test_no_boxes_have_no_overlaps():
    assert boxes.iou(NONE, SQUARE).shape == (0, 1)
    assert boxes.iou(SQUARE, NONE).shape == (1, 0)


def test_clip_cuts_boxes_to_the_picture():
    assert boxes.clip(np.array([[-5.0, 3, 700, 500]]), 640, 480).tolist() == [[0, 3, 640, 480]]


def test_around_leaves_out_points_that_do_not_count():
    points = np.array([[[1.0, 2], [3, 9], [100, 100]]])
    assert boxes.around(points).tolist() == [[1, 2, 100, 100]]
    assert boxes.around(points, [[True, True, False]]).tolist() == [[1, 2, 3, 9]]
