"""Convolutions with fewer multiplications give what plain ones give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge import convolutions
from muybridge.convolutions import Fourier, Winograd
from muybridge.models.openpose.predict import swift


def layer(channels: int, outputs: int, kernel: int) -> nn.Conv2d:
    torch.manual_seed(kernel)
    return nn.Conv2d(channels, outputs, kernel, padding=kernel // 2).requires_grad_(False)


@pytest.mark.parametrize(("kind", "kernel"), [(Winograd, 3), (Fourier, 7)])
@pytest.mark.parametrize("size", [(1, 1), (4, 10), (46, 83), (7, 5)])
@pytest.mark.parametrize("number", [1, 3])
def test_tiles_convolve_as_the_whole_does(kind, kernel, size, number):
    plain = layer(6, 5, kernel)
    x = torch.randn(number, 6, *size)
    assert torch.allclose(kind(plain)(x), plain(x), atol=1e-5)


@pytest.mark.parametrize(("kind", "kernel"), [(Winograd, 3), (Fourier, 7)])
def test_rows_of_tiles_a_few_at_a_time_convolve_as_all_at_once(monkeypatch, kind, kernel):
    plain, x = layer(4, 4, kernel), torch.randn(2, 4, 45, 30)
    monkeypatch.setattr(convolutions, "AT_ONCE", 1)
    assert torch.allclose(kind(plain)(x), plain(x), atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_tiles_convolve_as_the_whole_does_with_or_without_bias(bias):
    plain = nn.Conv2d(6, 5, 3, padding=1, bias=bias).requires_grad_(False)
    x = torch.randn(2, 6, 9, 11)
    assert torch.allclose(Winograd(plain)(x), plain(x), atol=1e-5)


def test_only_layers_that_gain_are_replaced():
    network = nn.ModuleDict(
        {
            "conv1_2": layer(128, 128, 3),
            "conv4_2": layer(128, 128, 3),
            "narrow": layer(96, 96, 3),
            "wide": layer(8, 8, 7),
            "flat": layer(8, 8, 1),
        }
    )
    kinds = {name: type(child) for name, child in swift(network).named_children()}
    assert kinds == {
        "conv1_2": nn.Conv2d,
        "conv4_2": Winograd,
        "narrow": nn.Conv2d,
        "wide": Fourier,
        "flat": nn.Conv2d,
    }
