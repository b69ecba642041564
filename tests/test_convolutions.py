"""Convolutions with less to do give what plain ones give."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from muybridge import convolutions
from muybridge.convolutions import Fourier, Fused, FusedBlock, Winograd, folded
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


def norm(kind, channels: int) -> nn.Module:
    """A batch norm with numbers of its own; a fresh one changes nothing."""
    made = kind(channels).requires_grad_(False).eval()
    for values in (made.weight, made.bias, made.running_mean):
        values.normal_(0.5, 0.2)
    made.running_var.uniform_(0.5, 2)
    return made


@pytest.mark.parametrize("kind", [FrozenBatchNorm2d, nn.BatchNorm2d])
def test_folding_batch_norm_changes_nothing_but_rounding(kind):
    plain, own = layer(8, 16, 3), norm(kind, 16)
    x = torch.randn(1, 8, 9, 9)
    assert torch.allclose(folded(plain, own)(x), own(plain(x)), atol=1e-5)


@pytest.mark.parametrize("one_pass", [True, False])
@pytest.mark.parametrize("tiled", [True, False])
def test_a_fused_convolution_adds_before_it_cuts_off_what_is_negative(monkeypatch, one_pass, tiled):
    monkeypatch.setattr(convolutions, "ONE_PASS", one_pass and convolutions.ONE_PASS)
    monkeypatch.setattr(convolutions, "WIDE", 1)
    plain, own = layer(6, 5, 3), norm(FrozenBatchNorm2d, 5)
    x, added = torch.randn(2, 6, 9, 11), torch.randn(2, 5, 9, 11)
    want = own(plain(x)) + added
    assert torch.allclose(Fused(plain, own, tiled=tiled)(x, added.clone()), want, atol=1e-5)
    fused = Fused(plain, own, nn.ReLU(), tiled=tiled)
    assert torch.allclose(fused(x, added.clone()), want.relu(), atol=1e-5)
    assert torch.allclose(fused(x), (want - added).relu(), atol=1e-5)


def test_a_fused_block_adds_what_it_finds_to_what_it_is_given():
    first, second, third = layer(6, 4, 1), layer(4, 4, 3), layer(4, 6, 1)
    x = torch.randn(2, 6, 5, 7)
    want = (third(second(first(x).relu()).relu()) + x).relu()
    relu = nn.ReLU()
    block = FusedBlock(Fused(first, relu), Fused(second, relu), Fused(third, relu), nn.Identity())
    assert torch.allclose(block(x.clone()), want, atol=1e-5)
