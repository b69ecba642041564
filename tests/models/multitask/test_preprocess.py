"""People cut out of pictures, and videos into clips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from muybridge.models.multitask.postprocess import crop_to_picture
from muybridge.models.multitask.preprocess import (
    SIDE,
    crop,
    frames,
    normalised,
    squares,
    windows,
)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def test_boxes_become_square_about_their_middles():
    boxes = np.array([[10, 20, 30, 100], [0, 0, 90, 10], [5, 5, 5, 5]])
    wanted = [[-20, 20, 60, 100], [0, -40, 90, 50], [4.5, 4.5, 5.5, 5.5]]
    assert squares(boxes).tolist() == wanted
    assert squares(boxes[:1], 1.25).tolist() == [[-30, 10, 70, 110]]
    assert squares(np.empty((0, 4))).shape == (0, 4)


def test_a_square_is_cut_out_as_pil_scales_it(picture):
    made = crop(picture, np.array([20.0, 10.0, 84.0, 74.0]))
    wanted = Image.fromarray(picture[10:74, 20:84]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    assert np.array_equal(made, np.asarray(wanted))
    assert np.array_equal(crop(picture, np.array([0.0, 0, 64, 64]), 64), picture[:64, :64])


def test_there_is_black_where_there_is_no_picture():
    made = crop(np.full((50, 50, 3), 200, np.uint8), np.array([-50.0, -50, 50, 50]), 100)
    assert (made[50:, 50:] == 200).all()
    assert (made[:50] == 0).all()
    assert (made[:, :50] == 0).all()


def test_a_square_between_pixels_is_cut_there(picture):
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 100, 0).repeat(3, 2)
    made = crop(ramp, np.array([10.5, 10.25, 74.5, 74.25]), 64)
    assert (made[:, 1:-1, 0] == np.arange(21, 149, 2)[1:-1]).all()  # half way between two


def test_what_lies_in_a_crop_is_found_where_it_was_in_the_picture():
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:44, 60:64] = 255
    square = squares(np.array([[30.0, 20.0, 90.0, 80.0]]))
    bright = crop(picture, square[0])[..., 0].astype(float)
    middle = np.array([(np.arange(SIDE) + 0.5) @ bright.sum(axis) for axis in (0, 1)])
    at = middle / bright.sum() / SIDE
    found = crop_to_picture(at[None, None], square)
    assert np.allclose(found, [[[62, 42]]], atol=0.05)


@pytest.mark.parametrize(
    ("count", "length", "apart", "wanted"),
    [
        (50, 8, 6, [3, 9, 15, 21, 27, 33, 39, 45]),
        (9, 3, 2, [2, 4, 6]),
        (3, 4, 2, [0, 0, 2, 2]),
        (1, 2, 1, [0, 0]),
    ],
)
def test_a_clip_is_taken_from_the_middle(count, length, apart, wanted):
    assert frames(count, length, apart).tolist() == wanted


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (0, []),
        (1, [[0, 0, 0]]),
        (3, [[0, 1, 2]]),
        (6, [[0, 1, 2], [2, 3, 4], [3, 4, 5]]),
        (5, [[0, 1, 2], [2, 3, 4]]),
    ],
)
def test_windows_cover_every_frame_and_the_last_ends_with_the_last(count, wanted):
    assert windows(count, 3, 2).tolist() == wanted


def test_pictures_go_from_minus_1_to_1():
    made = normalised(torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8))
    assert torch.allclose(made.flatten(), torch.tensor([-1, 1, -0.6]))
