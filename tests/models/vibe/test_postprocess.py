"""What is found in a crop is brought back to where it is in the picture."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.vibe.postprocess import (
    crop_to_picture,
    own_focal,
    picture_camera,
    projected,
    translation,
    weak,
)
from muybridge.models.vibe.preprocess import matrices

SIZE = (640, 480)
BOX = torch.tensor([[320.0, 240, 200, 200]])
CAMERA = torch.tensor([[0.8, 0.1, -0.2]])
BODY = torch.tensor([[[0.0, 0, 0], [0.3, -0.5, 0.1], [-0.2, 0.9, -0.2]]])


def pixels(points, where, focal):
    """A camera in the picture's middle, as the tables have it."""
    seen = points + where[:, None]
    middle = torch.tensor(SIZE) / 2
    return focal * seen[..., :2] / seen[..., 2:] + middle


def test_a_point_at_the_bodys_origin_lies_where_the_camera_says():
    """By hand: s = 0.5 puts a metre on a quarter of the crop, half of half its side."""
    camera = torch.tensor([[0.5, 0.4, -0.2]])
    found = projected(torch.tensor([[[0.0, 0, 0], [1, 0, 0]]]), camera)
    assert torch.allclose(found, torch.tensor([[[0.2, -0.1], [0.7, -0.1]]]), atol=1e-6)


def test_what_is_nearer_looks_a_little_larger():
    points = torch.tensor([[[1.0, 0, -1], [1, 0, 0], [1, 0, 1]]])
    near, middle, far = projected(points, torch.tensor([[1.0, 0, 0]]))[0, :, 0].tolist()
    assert far < middle < near < 1.05 * far


def test_a_crops_edges_lie_beyond_the_box_by_a_tenth():
    corners = torch.tensor([[[-1.0, -1], [0, 0], [1, 1]]])
    found = crop_to_picture(corners, BOX)
    assert torch.allclose(found, torch.tensor([[[210.0, 130], [320, 240], [430, 350]]]))
    theirs = crop_to_picture(corners, BOX, parity=True)
    assert torch.allclose(theirs, torch.tensor([[[220.0, 140], [320, 240], [420, 340]]]))


def test_a_box_that_is_no_square_is_undone_each_way_by_itself():
    box = torch.tensor([[100.0, 100, 100, 200]])
    found = crop_to_picture(torch.tensor([[[1.0, 1]]]), box)
    assert torch.allclose(found, torch.tensor([[[155.0, 210]]]))


def test_the_way_back_undoes_the_way_there():
    """A crop's matrix counts pixels from the first one's centre."""
    box = torch.tensor([[123.0, 77, 90, 60]])
    (matrix,) = torch.from_numpy(matrices(box.numpy().astype(float))).float()
    place = torch.tensor([140.0, 60])
    in_crop = matrix[:, :2] @ (place - 0.5) + matrix[:, 2]
    assert torch.allclose(crop_to_picture((in_crop / 112 - 1)[None, None], box)[0, 0], place)


def test_the_pictures_camera_puts_a_flat_body_where_its_crop_does():
    flat = BODY * torch.tensor([1.0, 1, 0])
    for parity in (False, True):
        sx, sy, x, y = picture_camera(CAMERA, BOX + 10, SIZE, parity)[0]
        over_picture = torch.stack([sx * (flat[0, :, 0] + x), sy * (flat[0, :, 1] + y)], 1)
        place = (over_picture + 1) / 2 * torch.tensor(SIZE)
        wanted = crop_to_picture(projected(flat, CAMERA), BOX + 10, parity)[0]
        assert torch.allclose(place, wanted, atol=1e-3)


@pytest.mark.parametrize(("x", "y", "limit"), [(320, 240, 0.01), (500, 100, 1.0)])
def test_a_camera_of_the_crops_own_focal_length_sees_what_the_crop_shows(x, y, limit):
    """In the picture's middle exactly; elsewhere it looks at the body from a little aside."""
    box = torch.tensor([[x, y, 150.0, 150]])
    focal = own_focal(box)
    assert torch.allclose(focal, torch.tensor([5000 / 224 * 165]))
    where = translation(CAMERA, box, SIZE, focal)
    wanted = crop_to_picture(projected(BODY, CAMERA), box)
    assert torch.allclose(pixels(BODY, where, focal), wanted, atol=limit)


@pytest.mark.parametrize("focal", [500.0, 5000.0])
def test_a_body_is_as_far_as_the_focal_length_is_long(focal):
    """By hand: s b / 2 = 0.8 * 220 / 2 = 88 pixels for a metre."""
    where = translation(CAMERA, BOX + torch.tensor([88.0, -44, 0, 0]), SIZE, focal)
    assert torch.allclose(where, torch.tensor([[0.1 + 1, -0.2 - 0.5, focal / 88]]))
    at = pixels(torch.zeros(1, 1, 3), where, focal)
    assert torch.allclose(at, torch.tensor([[[408 + 8.8, 196 - 17.6]]]), atol=1e-3)


def test_nobody_is_nowhere():
    none = torch.empty(0, 3), torch.empty(0, 4)
    assert projected(torch.empty(0, 49, 3), none[0]).shape == (0, 49, 2)
    assert crop_to_picture(torch.empty(0, 49, 2), none[1]).shape == (0, 49, 2)
    assert picture_camera(*none, SIZE).shape == (0, 4)
    assert translation(*none, SIZE, 1000.0).shape == (0, 3)


def test_a_place_in_space_says_the_picture_s_camera():
    where = translation(CAMERA, BOX, SIZE, 900.0)
    assert torch.allclose(weak(where, 900.0, SIZE), picture_camera(CAMERA, BOX, SIZE))
