"""Tiles, crops, and the way back from a crop to its picture."""

import numpy as np
import pytest

from muybridge.models.blazepose.preprocess import crop_to_picture, crops, detector_input, tiles


def region(x, y, side, angle):
    return np.array([[x, y, side, angle]], np.float32)


def gradient(width, height):
    """A picture whose red is its x and whose green is its y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=2).astype(np.uint8)


def test_the_first_tile_is_the_whole_picture_padded_to_a_square():
    assert tiles(1280, 720, ()).tolist() == [[0, -280, 1280, 1000]]


def test_tiles_cover_the_picture_and_overlap():
    squares = tiles(1280, 720, (1.0, 0.5), overlap=0.2)[1:]
    for side in (720, 360):
        row = squares[squares[:, 2] - squares[:, 0] == side]
        left = np.unique(row[:, 0])
        assert left[0] == 0
        assert left[-1] + side == 1280
        assert (np.diff(left) <= 0.8 * side).all()
        assert row[:, 3].max() == 720


def test_a_square_picture_has_one_large_tile():
    assert tiles(300, 300, (1.0,)).tolist() == [[0, 0, 300, 300]] * 2


def test_the_detector_sees_minus_1_to_1_and_black_padding():
    white = np.full((50, 100, 3), 255, np.uint8)
    (seen,) = detector_input(white, tiles(100, 50, ()))
    assert seen.shape == (224, 224, 3)
    assert seen[112, 112].tolist() == [1, 1, 1]
    assert seen[0, 112].tolist() == [-1, -1, -1]


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
