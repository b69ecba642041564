"""The decoder computed only where people are gives what it gives everywhere."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.densepose import boxes as box
from muybridge.models.densepose import crops, samples
from muybridge.models.densepose.crops import Window
from muybridge.models.densepose.surface import Decoder

HEIGHT, WIDTH = 192, 256
PEOPLE = {
    "nobody": [],
    "one": [[40, 60, 90, 150]],
    "in all corners": [
        [0, 0, 20, 30], [230, 0, 256, 30], [0, 170, 30, 192], [225.5, 160.2, 256, 192]
    ],
    "over each other": [[40, 60, 90, 150], [60, 50, 120, 140], [61, 61, 62, 62]],
    "all of the picture": [[0, 0, 256, 192]],
    "next to nothing at the border": [[255.8, 191.9, 256, 192], [0, 0, 0.1, 0.1]],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    return Decoder().eval()


@pytest.fixture(scope="module")
def maps():
    torch.manual_seed(1)
    return [torch.randn(2, 256, HEIGHT // s, WIDTH // s) for s in (4, 8, 16, 32)]


def rows(people):
    return torch.tensor(people, dtype=torch.float32).reshape(-1, 4)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_are_cut_out_as_of_the_whole_map(decoder, maps, name):
    boxes = [rows(PEOPLE[name]), rows(PEOPLE["one"])]
    want = box.pool(decoder(maps), boxes, 4, 28)
    assert torch.allclose(crops.cut(decoder, maps, boxes, 28), want, atol=2e-5)


def test_nothing_is_read_far_from_people(decoder, maps):
    boxes = [rows(PEOPLE["one"])] * 2
    spoiled = [x.clone() for x in maps]
    for x, stride in zip(spoiled[:2], (4, 8), strict=True):
        x[:, :, : 60 // stride - 4] = torch.nan
        x[:, :, :, 90 // stride + 5 :] = torch.nan
    want = crops.cut(decoder, maps, boxes, 28)
    assert torch.equal(crops.cut(decoder, spoiled, boxes, 28), want)


def test_windows_are_put_together_where_that_is_cheaper():
    whole = Window(0, 100, 0, 100)
    near, beside, far = Window(0, 40, 0, 10), Window(0, 40, 8, 20), Window(0, 40, 80, 100)
    assert crops.merged([near, beside, far], whole) == [
        (far, [2]),
        (Window(0, 40, 0, 20), [1, 0]),
    ]
    assert crops.merged([], whole) == []


def test_where_windows_cost_more_than_everything_everything_is_computed():
    cross = [Window(45, 55, 0, 100), Window(0, 100, 45, 55)]
    assert len(crops.merged(cross, Window(0, 100, 0, 100))) == 2
    assert crops.merged(cross, Window(0, 40, 0, 40)) == [(Window(0, 40, 0, 40), [0, 1])]


@pytest.mark.parametrize("cells", [7, 14])
def test_regions_are_cut_out_as_by_roi_align(maps, cells):
    boxes = [
        rows([[40, 60, 90, 150], [-30, -50, 500, 400], [10, 10, 10.5, 300], [250, 180, 700, 600]]),
        rows([[0, 0, 120, 130]]),
    ]
    want = box.pool_levels(maps, boxes, (4, 8, 16, 32), cells)
    got = samples.pool_levels(maps, boxes, (4, 8, 16, 32), cells).permute(0, 3, 1, 2)
    assert torch.allclose(got, want, atol=1e-4)  # places in a map are rounded at 1e-6 cells
