"""People are cut out and cameras follow, as the authors do it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge.geometry.cameras import Camera
from muybridge.models.triangulation import preprocess

STRAIGHT = Camera(
    "one",
    (400, 300),
    np.array([[500.0, 0, 201], [0, 500, 151], [0, 0, 1]]),
    np.zeros(5),
    np.eye(3),
    np.zeros(3),
)


@pytest.mark.golden
def test_crops_and_cameras_are_the_authors(algebraic_pack):
    pack, side = algebraic_pack, len(algebraic_pack.outputs["pre_crop"])
    box, matrix = pack.inputs["pre_bbox_ltrb"], pack.inputs["pre_K"]
    found = preprocess.crop(pack.inputs["pre_image"], box, side)
    assert pack.off("pre_crop", found) <= 1
    assert np.abs(found.astype(int) - pack.outputs["pre_crop"]).mean() < 0.01
    ours = replace(STRAIGHT, matrix=matrix + np.outer([0.5, 0.5, 0], [0, 0, 1]))
    assert pack.off("pre_K_after", preprocess.projection(ours, box, side)[:, :3]) < 1e-9


@pytest.mark.golden
def test_colours_are_read_as_the_authors_do(algebraic_pack):
    crop = torch.from_numpy(algebraic_pack.outputs["pre_crop"])[None]
    found = preprocess.normalised(crop.flip(-1))[0, :, 64, 32]
    assert algebraic_pack.off("pre_normalised_pixel_64_32", found) < 1e-5
    right = preprocess.normalised(crop.flip(-1), parity=False)[0, :, 64, 32]
    assert algebraic_pack.off("pre_normalised_pixel_64_32", right) > 0.01


@pytest.mark.golden
def test_boxes_are_the_authors(algebraic_pack):
    box = np.array([[10, 20, 110, 171]])
    assert algebraic_pack.off("square_bbox", preprocess.squared(box)[0]) == 0
    assert algebraic_pack.off("scaled_bbox", preprocess.scaled(box, 1.5)[0]) == 0


def test_a_box_becomes_a_square_of_whole_pixels():
    boxes = np.array([[0.2, 0, 10, 4], [5, 5, 5, 5], [0, 0, 3, 8]])
    found = preprocess.squares(boxes)
    assert found.tolist() == [[0, -3, 10, 7], [5, 5, 6, 6], [-3, 0, 5, 8]]


@pytest.mark.parametrize(
    "box", [(0, 0, 60, 60), (-7, 5, 30, 42), (10, 3, 47, 40), (50, 40, 99, 89)]
)
@pytest.mark.parametrize("side", [20, 37, 64])
def test_a_crop_is_opencvs_with_black_around_the_picture(box, side):
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)
    around = np.pad(picture, ((100, 100), (100, 100), (0, 0)))
    left, top, right, bottom = (each + 100 for each in box)
    theirs = cv2.resize(around[top:bottom, left:right], (side, side), interpolation=cv2.INTER_AREA)
    ours = preprocess.crop(picture, np.array(box), side)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_crop_beside_the_picture_is_black():
    picture = np.full((60, 70, 3), 255, np.uint8)
    for box in ((-50, 0, -10, 40), (80, 0, 120, 40), (0, -50, 40, -10), (0, 70, 40, 110)):
        assert not preprocess.crop(picture, np.array(box), 16).any()


def test_half_the_size_is_the_mean_of_four_pixels():
    picture = np.array([[0, 4], [8, 12]], np.uint8)[:, :, None].repeat(3, 2)
    assert preprocess.crop(picture, np.array([0, 0, 2, 2]), 1).tolist() == [[[6, 6, 6]]]


def test_a_crops_camera_shows_a_point_where_the_picture_does():
    """Places in the crop, taken back, lie where our cameras show the point; by hand at one."""
    box, point = np.array([100, 50, 292, 242]), np.array([0.1, -0.05, 2, 1])
    seen = preprocess.projection(STRAIGHT, box) @ point
    back = preprocess.to_picture(seen[:2] / seen[2], box)
    assert back == pytest.approx([226, 138.5])  # 500 * 0.05 + 201, 500 * -0.025 + 151


def test_a_lens_is_taken_out_of_a_picture():
    """A picture painted by where each pixel looks, seen through a lens, is painted so again."""
    bent = replace(STRAIGHT, distortion=np.array([-0.4, 0.1, 0.001, 0.002, 0]))

    def painted(camera):
        down, across = np.mgrid[:300, :400] + 0.5
        ahead = camera.rays(np.stack([across, down], -1))
        flat = ahead[..., :2] / ahead[..., 2:]
        return np.rint(128 + 200 * flat @ [[1, 0, 0.5], [0, 1, 0.5]]).clip(0, 255).astype(np.uint8)

    seen, wanted = painted(bent), painted(STRAIGHT)
    found = preprocess.straightened(seen, bent)
    inside = (slice(20, -20), slice(20, -20))
    assert np.abs(found[inside].astype(int) - wanted[inside]).max() <= 1
    assert np.abs(seen[inside].astype(int) - wanted[inside]).max() > 5
    assert preprocess.straightened(wanted, STRAIGHT) is wanted
