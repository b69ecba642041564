"""Whole pictures, tiles and squares keep their aspect, and points find the way back."""

import numpy as np
import pytest

from muybridge.models.movenet.preprocess import cut, place, squares, tiles, whole


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (1280, 720, (224, 384)),
        (720, 1280, (384, 224)),
        (400, 400, (384, 384)),
        (900, 100, (64, 384)),
    ],
)
def test_a_whole_picture_is_laid_in_the_middle_of_the_next_multiples_of_32(width, height, size):
    region, found = whole(width, height, 384)
    assert found == size
    assert region[:2] + region[2:] == pytest.approx([width, height], abs=1e-3)
    scale = (region[2:] - region[:2]) / np.array(size[::-1])
    assert scale == pytest.approx([max(width, height) / 384] * 2, rel=1e-5)


def test_tiles_cover_the_picture_and_overlap():
    found = tiles(1280, 720, (1.0, 0.5), 0.2)
    for side in (720, 360):
        row = found[found[:, 2] - found[:, 0] == side]
        left = np.unique(row[:, 0])
        assert (left[0], left[-1] + side) == (0, 1280)
        assert (np.diff(left) <= 0.8 * side).all()
        assert row[:, 3].max() == 720
    assert tiles(300, 300, (1.0,), 0.2).tolist() == [[0, 0, 300, 300]]
    assert tiles(300, 300, (), 0.2).shape == (0, 4)


def test_a_square_round_a_box_is_as_long_as_its_longer_side_and_a_quarter():
    box = np.array([[10, 20, 50, 120], [5, 5, 5, 5]], np.float32)
    assert squares(box)[0].tolist() == [30 - 62.5, 70 - 62.5, 30 + 62.5, 70 + 62.5]
    assert (squares(box)[1, 2:] > squares(box)[1, :2]).all()  # a box of nothing still has a place


def test_what_lies_outside_the_picture_is_black_and_aspect_is_kept():
    white = np.full((50, 100, 3), 255, np.uint8)
    region, size = whole(100, 50, 128)
    seen = cut(white, region, size)
    assert seen.shape == (64, 128, 3)
    assert (seen == 255).all()
    seen = cut(white, np.array([50, 0, 150, 100], np.float32), (100, 100))
    assert (seen[:50, :50] == 255).all()
    assert not seen[:, 50:].any()
    assert not seen[50:].any()
    assert not cut(white, np.array([500, 500, 600, 600], np.float32), (32, 32)).any()


def test_a_point_of_the_input_is_mapped_to_where_it_is_in_the_picture():
    region, size = np.array([100, 50, 300, 250], np.float32), (64, 64)
    points = np.array([[[0, 0], [64, 64], [32, 16]]], np.float32)
    assert place(points, region, size)[0].tolist() == [[100, 50], [300, 250], [200, 100]]
