"""Charts become the parts and coordinates of every pixel of a box."""

from __future__ import annotations

import torch

from muybridge.models.densepose.postprocess import quantised, surfaces, to_size, whole
from muybridge.models.densepose.surface import Charts

NOTHING = torch.empty(0)


def charts(count: int) -> Charts:
    """The left half of everybody is part 3 at u = 0.5, v = 1.2; the right half is background."""
    coarse, fine = torch.zeros(count, 2, 8, 8), torch.zeros(count, 25, 8, 8)
    u, v = torch.full((count, 25, 8, 8), 0.25), torch.full((count, 25, 8, 8), 0.75)
    coarse[:, 1, :, :4], coarse[:, 0, :, 4:] = 1, 1
    fine[:, 3], u[:, 3], v[:, 3] = 1, 0.5, 1.2
    return Charts(coarse, fine, u, v, NOTHING, NOTHING, NOTHING)


def test_a_pixel_shows_the_likeliest_part_where_there_is_a_body():
    (surface,) = surfaces(charts(1), torch.tensor([[10.7, 20.2, 18.9, 28.4]]))
    assert surface.box.tolist() == [10, 20, 18, 28]
    assert (surface.parts[:, :4] == 3).all()
    assert (surface.parts[:, 4:] == 0).all()
    assert (surface.uv[:, :4] == [127, 255]).all()  # cut short, and held at 255
    assert (surface.uv[:, 4:] == 0).all()


def test_everybody_gets_a_surface_of_their_own_size():
    boxes = torch.tensor([[0.0, 0, 5, 9], [1, 2, 1.4, 2.3]])
    shapes = [surface.parts.shape for surface in surfaces(charts(2), boxes)]
    assert shapes == [(9, 5), (1, 1)]
    assert surfaces(charts(0), torch.empty(0, 4)) == []


def test_boxes_are_cut_short_to_whole_pixels():
    assert whole(torch.tensor([[10.9, 5.1, 70.2, 95.0]])) == [(10, 5, 59, 89)]


def test_boxes_follow_the_picture_to_another_size_and_stay_inside():
    boxes = torch.tensor([[10.0, 10, 20, 30], [-5, 0, 400, 100]])
    moved = to_size(boxes, (100, 200), (50, 400))
    assert moved.tolist() == [[20, 5, 40, 15], [0, 0, 400, 50]]


def test_coordinates_are_held_within_a_byte():
    assert quantised(torch.tensor([-0.1, 0, 0.5, 1, 1.3])).tolist() == [0, 0, 127, 255, 255]
