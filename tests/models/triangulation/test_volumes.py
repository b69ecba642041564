"""Cubes are filled and read as the article has it: by hand, without the authors' numbers."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.triangulation import volumes
from muybridge.models.triangulation.model import Config
from muybridge.models.triangulation.volumetric import Space, Volumetric

LOOKING = torch.tensor([[10.0, 0, 2, 0], [0, 10, 2, 0], [0, 0, 1, 0]])  # along z, from the origin


def test_a_view_says_what_its_map_has_where_a_point_is_seen_and_0_elsewhere():
    maps = torch.arange(25.0).view(1, 1, 5, 5)
    points = torch.tensor(
        [[0.0, 0, 1], [0.1, -0.1, 1], [0.15, 0, 1], [0, 0, -1], [9, 0, 1], [0, 0, 0]]
    )
    found = volumes.unprojected(maps, LOOKING[None], points, parity=False)
    assert found[0, 0].tolist() == pytest.approx([12, 8, 13.5, 0, 0, 0], abs=1e-4)


def test_under_parity_maps_are_stretched_by_a_cell():
    maps = torch.arange(5.0).expand(1, 1, 5, 5)
    found = volumes.unprojected(maps, LOOKING[None], torch.tensor([[0.1, 0, 1]]))
    assert found.item() == pytest.approx(3 / 5 * 4)


@pytest.mark.parametrize("aggregation", volumes.AGGREGATIONS)
def test_one_view_stands_for_itself_and_two_that_agree_for_one(aggregation):
    maps = torch.rand(1, 2, 5, 5)
    cells = volumes.cube(torch.tensor([0, 0, 1.0]), torch.eye(3), 0.4, 4)
    trust = torch.full((2, 2), 0.5)

    def found(views):
        given = maps.expand(views, -1, -1, -1), LOOKING.expand(views, -1, -1)
        return volumes.filled(*given, cells, aggregation, trust[:views])

    alone = volumes.unprojected(maps, LOOKING[None], cells.view(-1, 3))[0].view(2, 4, 4, 4)
    times = {"sum": (1, 2), "conf": (0.5, 1)}.get(aggregation, (1, 1))
    for views, factor in zip((1, 2), times, strict=True):
        assert torch.allclose(found(views), alone * factor)


def test_of_two_views_that_differ_the_softmax_takes_the_one_that_says_more():
    cells, trust = torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[[0.2]], [[0.6]]])
    found = {name: rule(cells, trust).item() for name, rule in volumes.AGGREGATIONS.items()}
    more = torch.tensor(2.0).sigmoid().item()
    assert found == pytest.approx(
        {"sum": 4, "max": 3, "softmax": 3 * more + 1 - more, "conf": 2, "conf_norm": 2.5}
    )


def test_views_held_at_a_time_do_not_grow_with_their_number(monkeypatch):
    """Whatever is brought together at once has at most so many numbers."""
    largest = []

    def watched(cells, trust):
        largest.append(cells.numel())
        return cells.sum(0)

    monkeypatch.setitem(volumes.AT_ONCE, "cpu", 1000)
    monkeypatch.setattr(volumes, "AGGREGATIONS", {"sum": watched})
    cells = volumes.cube(torch.tensor([0, 0, 1.0]), torch.eye(3), 0.4, 8)
    for views in (1, 2, 40):
        maps, projections = torch.rand(views, 3, 5, 5), LOOKING.expand(views, -1, -1)
        assert volumes.filled(maps, projections, cells, "sum").shape == (3, 8, 8, 8)
    assert 900 < max(largest) <= 1000


def test_a_cube_has_its_corners_and_axes_where_it_is_told():
    centre, axes = torch.tensor([1.0, 2, 3]), torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    cells = volumes.cube(centre, axes, 2, 3)
    assert cells[1, 1, 1].tolist() == [1, 2, 3]
    assert cells[2, 1, 1].tolist() == [1, 3, 3]  # the cube's x is the world's y
    assert cells[0, 0, 0].tolist() == [0, 1, 2]
    assert volumes.turned(torch.pi / 2)[:, 0].tolist() == pytest.approx([0, 1, 0], abs=1e-6)


def test_where_all_likelihood_is_in_one_cell_the_point_is_its_middle():
    cells = volumes.cube(torch.zeros(3), torch.eye(3), 2, 3)
    logits = torch.zeros(1, 3, 3, 3)
    assert volumes.expected(volumes.spread(logits), cells)[0].tolist() == pytest.approx([0, 0, 0])
    logits[0, 2, 1, 0] = 100
    assert volumes.expected(volumes.spread(logits), cells)[0].tolist() == pytest.approx([1, 0, -1])


@pytest.mark.parametrize("aggregation", ["softmax", "conf_norm"])
def test_people_far_from_the_worlds_origin_are_found_as_near_it(aggregation):
    """Everything moved by 10 km, cameras and person, moves the joints so, but for 0.01 mm."""
    torch.manual_seed(0)
    space = Space(cells=32, aggregation=aggregation)
    network = Volumetric(Config(blocks=(1, 1, 1, 1)), space).eval()
    network.network.last.weight.data *= 100  # so that likelihoods differ from cell to cell
    pictures = torch.rand(2, 3, 128, 128)
    own = torch.tensor([[100.0, 0, 64, 0], [0, 100, 64, 0], [0, 0, 1, 4]]).double()
    projections = torch.stack([own, own])
    projections[1, 0, 3] = 30
    far = torch.tensor([1e4, -1e4, 500.0]).double()
    moved = projections.clone()
    moved[:, :, 3] -= projections[:, :, :3] @ far
    with torch.inference_mode():
        near = network.person(pictures, projections, torch.zeros(3))
        there = network.person(pictures, moved, far)
    assert (there - far - near).abs().max() < 1e-5
    assert near.abs().max() > 1e-3
