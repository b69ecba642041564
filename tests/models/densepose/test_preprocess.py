"""Pictures are scaled, turned and padded as the network wants them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.models.densepose.config import Config
from muybridge.models.densepose.preprocess import MEAN, batch, target_size


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((480, 640), (800, 1067)),  # the shorter side becomes 800
        ((1080, 1920), (750, 1333)),  # unless the longer would pass 1333
        ((800, 800), (800, 800)),
    ],
)
def test_a_picture_is_scaled_by_its_shorter_side(size, wanted):
    assert target_size(*size, Config()) == wanted


def test_red_comes_last_and_what_is_padded_is_zero():
    red = np.zeros((32, 40, 3), np.uint8)
    red[:, :, 0] = 200
    made = batch([red], Config(min_size=32, max_size=40))
    assert made.pixels.shape == (1, 3, 32, 64)
    assert made.sizes == ((32, 40),)
    wanted = torch.tensor([-MEAN[0], -MEAN[1], 200 - MEAN[2]])
    assert torch.allclose(made.pixels[0, :, 5, 5], wanted)
    assert (made.pixels[:, :, :, 40:] == 0).all()


def test_pictures_of_several_sizes_are_padded_together():
    pictures = [np.zeros((64, 32, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)]
    made = batch(pictures, Config(min_size=32, max_size=64))
    assert made.pixels.shape == (2, 3, 64, 64)
    assert made.originals == made.sizes == ((64, 32), (32, 64))
