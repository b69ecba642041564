"""Regions, crops, and the way back from a crop to its picture."""

import numpy as np
import pytest

from muybridge.models.blazepose.preprocess import crop_to_picture, crops, regions_of


def region(x, y, side, angle):
    return np.array([[x, y, side, angle]], np.float32)


def gradient(width, height):
    """A picture whose red is its x and whose green is its y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=2).astype(np.uint8)


def test_a_region_holds_the_whole_body_and_its_upward_axis_goes_to_the_shoulders():
    joints = np.zeros((2, 17, 3), np.float32)
    joints[:, :, :2] = (100, 100)  # the hips and all else
    joints[0, 5:7, :2] = (100, 60)  # shoulders above
    joints[0, 15, :2] = (100, 180)  # an ankle 80 below
    joints[1, 5:7, :2] = (150, 100)  # lying, the shoulders to the right
    found = regions_of(joints)
    assert found[0] == pytest.approx([100, 100, 2 * 1.25 * 80, 0], abs=1e-4)
    assert found[1] == pytest.approx([100, 100, 2 * 1.25 * 50, np.pi / 2], abs=1e-4)
    assert regions_of(joints[:0]).shape == (0, 4)


def test_a_straight_crop_of_256_pixels_is_a_part_of_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    (crop,) = crops(picture, region(150, 140, 256, 0))
    assert crop * 255 == pytest.approx(picture[12:268, 22:278].astype(float), abs=0.51)


def test_a_crop_turned_by_a_right_angle_has_the_pictures_right_on_top():
    (crop,) = crops(gradient(256, 256), region(128, 128, 256, np.pi / 2))
    red = crop[..., 0] * 255
    assert red[0, 128] > 250  # up in the crop is to the right in the picture
    assert red[255, 128] < 5


def test_what_lies_outside_the_picture_is_black():
    (crop,) = crops(np.full((20, 20, 3), 200, np.uint8), region(-100, -100, 40, 0))
    assert not crop.any()


def test_no_regions_give_no_crops():
    assert crops(gradient(9, 9), np.empty((0, 4), np.float32)).shape == (0, 256, 256, 3)


@pytest.mark.parametrize("angle", [0, 0.4, -2.0])
def test_a_point_found_in_a_crop_is_mapped_to_where_it_is_in_the_picture(angle):
    picture = gradient(200, 200)
    where = region(90, 110, 80, angle)
    (crop,) = crops(picture, where)
    middle = np.array([[[64.5, 200.5]]], np.float32) / 256  # the middle of pixel 64, 200
    x, y = crop_to_picture(middle, where)[0, 0]
    # A pixel has its number as value, which is half less than its place; Pillow rounds down.
    assert crop[200, 64, :2] * 255 == pytest.approx([x - 0.5, y - 0.5], abs=1.1)
