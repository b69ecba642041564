"""The network as the product runs it answers as the plain one does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from muybridge.convolutions import FusedBlock
from muybridge.models.densepose import backbone
from muybridge.models.densepose.config import LEGACY, VARIANTS, Config
from muybridge.models.densepose.fused import AtOnce, fuse
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.surface import Predictor
from muybridge.models.densepose.swift import Swift

BOXES = [torch.tensor([[3.0, 5, 60, 90], [40, 20, 90, 95]]), torch.tensor([[0.0, 0, 96, 64]])]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def with_statistics(network: nn.Module) -> nn.Module:
    """Give batch norms numbers of their own; fresh ones change nothing."""
    for layer in network.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            for values in (layer.weight, layer.bias, layer.running_mean):
                values.normal_(0.5, 0.2)
            layer.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = DensePose(Config(width=64, layers=2, proposals_per_level=40, proposals=60))
    for layer in made.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            layer.weight.fill_(0.5)  # else each block would double what it is given
    return made.eval()


@pytest.mark.parametrize("name", [n for n in VARIANTS if "R_50" in n and "DL" not in n])
def test_predictors_in_one_convolution_give_the_same_charts(name):
    made = Predictor(VARIANTS[name]).eval()
    found = torch.randn(1, 512, 4, 4)
    want, got = made(found), AtOnce(made)(found)
    for values, others in zip(vars(want).values(), vars(got).values(), strict=True):
        assert torch.allclose(others, values, rtol=1e-4, atol=1e-4)  # they are up to 30


@pytest.mark.parametrize(("inputs", "stride"), [(16, 1), (8, 1), (8, 2)])
def test_a_fused_block_does_what_a_block_does(inputs, stride):
    block = with_statistics(backbone.Block(inputs, 4, stride))
    x = torch.randn(2, inputs, 10, 12)
    want = block(x)
    network = nn.Sequential(block)
    fuse(network, tiled=False)
    assert isinstance(network[0], FusedBlock)
    assert torch.allclose(network(x.clone()), want, atol=1e-5)


def test_every_answer_is_the_plain_networks(network):
    pictures, sizes = torch.randn(2, 3, 96, 128) * 50, [(90, 128), (96, 100)]
    swift = Swift(network)
    maps, mine = network.features(pictures), swift.features(pictures)
    for want, got in zip(maps, mine, strict=True):
        assert torch.allclose(got, want, rtol=1e-4, atol=1e-4 * want.std())
    regions = network.regions(maps, sizes)
    people, found = network.people(maps, regions, sizes), swift.people(mine, regions, sizes)
    for want, got in zip(people, found, strict=True):
        assert len(want.boxes)
        assert torch.allclose(got.scores, want.scores, atol=1e-4)
    charts, read = network.read(maps, BOXES), swift.read(mine, BOXES)
    for name in ("coarse", "fine", "u", "v"):
        want, got = getattr(charts, name), getattr(read, name)
        assert len(got) == 3
        assert torch.allclose(got, want, atol=1e-4)


def test_a_network_without_decoder_is_cut_alike():
    network = DensePose(replace(LEGACY, width=64, layers=2)).eval()
    maps = [torch.randn(2, 256, 96 // s, 128 // s) for s in (4, 8, 16, 32, 64)]
    boxes = [torch.tensor([[3.0, 5, 60, 90]]), torch.tensor([[0.0, 0, 800, 900], [4, 4, 5, 5]])]
    want = network.cut(maps, boxes)
    assert torch.allclose(Swift(network).cut(maps, boxes), want, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", [LEGACY, Config(head="deeplab")], ids=["legacy", "deeplab"])
def test_other_heads_are_read_alike(config, precision):
    plain = DensePose(replace(config, width=64, layers=2)).eval()
    cut = torch.randn(3, 256, config.pooled, config.pooled)
    want, got = plain.chart(cut), Swift(plain, precision).chart(cut)
    assert got.fine.dtype == torch.float32
    limit = 1e-4 if precision == "float32" else 0.05
    assert (got.fine - want.fine).std() < limit * want.fine.std()


def test_the_given_network_stays_as_it_is(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    Swift(network, "bfloat16")
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_bfloat16_answers_nearly_alike(network):
    pictures = torch.randn(1, 3, 96, 128) * 50
    fine, rough = Swift(network), Swift(network, "bfloat16")
    want = fine.read(fine.features(pictures), BOXES[:1])
    got = rough.read(rough.features(pictures), BOXES[:1])
    assert got.fine.dtype == torch.float32
    assert (got.fine - want.fine).std() < 0.05 * want.fine.std()
    assert not torch.equal(got.fine, want.fine)


def test_confidences_are_read_where_a_network_has_them():
    found = torch.randn(2, 512, 4, 4)
    charts = Predictor(VARIANTS["densepose_rcnn_R_50_FPN_WC2M_s1x"])(found)
    assert charts.sigma_2.shape == charts.kappa_u.shape == charts.kappa_v.shape == (2, 25, 16, 16)
    plain = Predictor(Config())(found)
    assert plain.sigma_2.shape == plain.kappa_u.shape == (0,)


def test_confidence_in_segments_weighs_them():
    made = Predictor(VARIANTS["densepose_rcnn_R_50_FPN_WC1M_s1x"])
    for layer in (made.fine_confidence, made.coarse_confidence):
        layer.weight.zero_()
        layer.bias.fill_(20)  # where softplus changes next to nothing
    found = torch.randn(1, 512, 4, 4)
    weighed = made(found)
    made.fine_confidence.bias.fill_(-20)  # next to none, and a hundredth is added
    assert torch.allclose(made(found).fine * 2001, weighed.fine, rtol=1e-3, atol=1e-4)
    assert torch.equal(made(found).coarse, weighed.coarse)
