"""Pictures go in, people and their surfaces come out, many at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from muybridge.models.densepose.config import Config
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.predict import Predictor, detect, see

SMALL = Config(width=64, layers=2, min_size=64, max_size=96, proposals=100)
SIZES = ((48, 64), (80, 40), (48, 64))  # height and width of pictures


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    return Predictor(DensePose(replace(SMALL, detections=5)))


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


def test_no_pictures_give_nothing(predictor):
    assert detect(predictor, []) == []
    assert see(predictor, []) == []


def test_people_lie_in_their_pictures_best_first(predictor, pictures):
    found = detect(predictor, pictures)
    assert len(found) == len(pictures)
    for (height, width), each in zip(SIZES, found, strict=True):
        assert each.boxes.shape == (len(each.scores), 4)
        assert 0 < len(each.scores) <= 5
        assert (np.diff(each.scores) <= 0).all()
        assert (each.boxes >= 0).all()
        assert (each.boxes <= [width, height, width, height]).all()


def test_people_found_and_people_seen_are_the_same(predictor, pictures):
    for a, b in zip(
        detect(predictor, pictures), see(predictor, pictures, min_score=0), strict=True
    ):
        assert np.array_equal(a.boxes, b.boxes)
        assert np.array_equal(a.scores, b.scores)
        assert len(b.surfaces) == len(b.boxes)


def test_a_picture_with_nobody_gives_empty_arrays(predictor, pictures):
    (seen,) = see(predictor, pictures[:1], min_score=2)
    assert seen.boxes.shape == (0, 4)
    assert seen.boxes.dtype == np.float32
    assert seen.scores.shape == (0,)
    assert seen.surfaces == []


def test_given_people_are_seen_in_their_order_and_place(predictor, pictures):
    first = np.array([[10.4, 5, 30.2, 40], [0, 0, 64, 48], [30, 20, 31, 21]], np.float32)
    nobody = np.zeros((0, 4), np.float32)
    given = [first, nobody, first[:1]]
    seen = see(predictor, pictures, given)
    assert [len(each.surfaces) for each in seen] == [3, 0, 1]
    boxes = [surface.box.tolist() for surface in seen[0].surfaces]
    assert boxes == [[10, 5, 29, 40], [0, 0, 64, 48], [30, 20, 31, 21]]
    for surface in seen[0].surfaces:
        left, top, right, bottom = surface.box
        assert surface.parts.shape == (bottom - top, right - left)
        assert surface.uv.shape == (bottom - top, right - left, 2)
        assert surface.parts.max() <= 24
        assert (surface.uv[surface.parts == 0] == 0).all()
    assert np.array_equal(seen[0].boxes, first)
    assert seen[0].scores.tolist() == [1, 1, 1]


def test_a_given_box_is_cut_off_at_the_borders(predictor, pictures):
    given = np.array([[-20, -10, 500, 400]], np.float32)
    (seen,) = see(predictor, pictures[:1], [given])
    assert seen.boxes.tolist() == [[0, 0, 64, 48]]


def test_a_picture_seen_among_others_of_its_size_shows_the_same(predictor, pictures):
    same = [pictures[0], pictures[2]]
    given = [np.array([[5, 5, 60, 40]], np.float32)] * 2
    together = see(predictor, same, given)
    alone = [see(predictor, [p], [g])[0] for p, g in zip(same, given, strict=True)]
    for a, b in zip(together, alone, strict=True):
        assert np.mean(a.surfaces[0].parts == b.surfaces[0].parts) > 0.999


def test_the_size_that_a_network_looks_at_is_a_setting(pictures):
    torch.manual_seed(0)
    smaller = Predictor(DensePose(replace(SMALL, min_size=32, max_size=64)))
    (seen,) = see(smaller, pictures[:1], [np.array([[5, 5, 60, 40]])])
    assert smaller.network.config.min_size == 32
    assert [surface.box.tolist() for surface in seen.surfaces] == [[5, 5, 60, 40]]
