"""People are cut out of pictures where they are, black where there is no picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.models.vibe.preprocess import crops, matrices, normalised, squares

FULL = 224 / 1.1  # the side of a box whose crop has a pixel for each of the picture's


def test_boxes_become_square_round_their_centres():
    boxes = np.array([[10.0, 20, 30, 80], [0, 0, 100, 50], [5, 5, 5, 5]])
    wanted = [[20, 50, 60, 60], [50, 25, 100, 100], [5, 5, 1, 1]]
    assert squares(boxes).tolist() == wanted
    assert squares(np.empty((0, 4))).shape == (0, 4)


def test_the_middle_of_a_box_and_its_edges_go_where_the_paper_has_them():
    """A box's half is 112 / 1.1 pixels of the crop."""
    (matrix,) = matrices(np.array([[50.0, 40, 20, 10]]))
    for x, y, wanted in ((50, 40, (112, 112)), (60, 45, (112 + 112 / 1.1,) * 2)):
        found = matrix @ [x - 0.5, y - 0.5, 1]  # pixels count from the first one's centre
        assert np.allclose(found, wanted)


def test_a_box_of_the_right_size_copies_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    (cut,) = crops([picture], [0], np.array([[200.5, 150.5, FULL, FULL]]))
    assert np.array_equal(cut, picture[38:262, 88:312])


def test_what_lies_outside_the_picture_is_black():
    picture = np.full((100, 100, 3), 200, np.uint8)
    (cut,) = crops([picture], [0], np.array([[0.5, 50.5, FULL, FULL]]))
    inside = np.zeros((224, 224), bool)
    inside[62:162, 112:212] = True
    assert (cut[inside] == 200).all()
    assert (cut[~inside] == 0).all()


def test_a_crop_half_a_pixel_further_mixes_neighbours_evenly():
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[:, ::2] = 100
    (cut,) = crops([picture], [0], np.array([[150.0, 150.5, FULL, FULL]]))
    assert (cut[:, 1:-1] == 50).all()


@pytest.mark.parametrize(("off", "share"), [(0.014, 0), (0.017, 1), (0.03, 1), (0.05, 2)])
def test_positions_are_rounded_to_the_nearest_of_32_between_pixels(off, share):
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[:, 1::2] = 160
    (cut,) = crops([picture], [0], np.array([[150.5 + off, 150.5, FULL, FULL]]))
    assert set(np.unique(cut).tolist()) == {160 * share // 32, 160 - 160 * share // 32}


def test_a_ramp_is_scaled_each_way_by_itself():
    """A box twice as wide as high: the crop goes across twice as fast as down."""
    across = np.arange(240, dtype=np.uint8)
    picture = np.stack([np.tile(across, (240, 1)), np.tile(across[:, None], (1, 240))] * 2, 2)
    (cut,) = crops([picture[..., :3]], [0], np.array([[120.5, 120.5, 160, 80]]))
    steps = np.diff(cut.astype(float)[10:-10, 10:-10], axis=1)[..., 0].mean()
    down = np.diff(cut.astype(float)[10:-10, 10:-10], axis=0)[..., 1].mean()
    assert abs(steps - 1.1 * 160 / 224) < 0.01
    assert abs(down - 1.1 * 80 / 224) < 0.01
    assert cut[112, 112, 0] == cut[112, 112, 1] == 120


def test_many_people_of_pictures_of_any_sizes_are_cut_out_in_their_order():
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*size, 3), np.uint8) for size in ((50, 80), (90, 60))]
    boxes = random.uniform(20, 60, (5, 4))
    rows = [0, 1, 1, 0, 1]
    together = crops(pictures, rows, boxes)
    assert together.shape == (5, 224, 224, 3)
    for cut, row, box in zip(together, rows, boxes, strict=True):
        assert np.array_equal(cut, crops([pictures[row]], [0], box[None])[0])
    assert crops(pictures, [], np.empty((0, 4))).shape == (0, 224, 224, 3)


@pytest.mark.parametrize("box", [(5000, -3000, 20, 30), (30, 20, 1e6, 1e6), (30, 20, 1e-3, 1e-3)])
def test_a_box_beside_the_picture_or_of_any_size_is_cut_out(box):
    picture = np.full((40, 60, 3), 9, np.uint8)
    (cut,) = crops([picture], [0], np.array([box]))
    assert set(np.unique(cut)) <= set(range(10))


def test_the_networks_numbers_have_no_mean_and_a_spread_of_one():
    """By hand: (0 - 0.485) / 0.229 and so on, (1 - 0.485) / 0.229 and so on."""
    black, white = torch.zeros(1, 2, 2, 3), torch.full((1, 2, 2, 3), 255)
    seen = normalised(torch.cat([black, white]).to(torch.uint8))
    assert seen.shape == (2, 3, 2, 2)
    assert seen.dtype == torch.float32
    assert torch.allclose(seen[0, :, 0, 0], torch.tensor([-2.1179, -2.0357, -1.8044]), atol=1e-4)
    assert torch.allclose(seen[1, :, 1, 1], torch.tensor([2.2489, 2.4286, 2.6400]), atol=1e-4)
