"""The network as the product runs it finds what the plain one finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import FrozenBatchNorm2d

from muybridge.models.vibe import swift
from muybridge.models.vibe.model import Config, Generator, Hmr, Regressor, Vibe
from muybridge.models.vibe.predict import Predictor
from muybridge.models.vibe.preprocess import normalised
from muybridge.models.vibe.swift import Generated, linear

SMALL = Config(features=12, width=8, hidden=16)


@pytest.fixture(scope="module")
def hmr():
    torch.manual_seed(0)
    made = Hmr()
    for layer in made.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            for values in (layer.weight, layer.bias, layer.running_mean):
                values.normal_(0.3, 0.1)  # fresh ones change nothing
            layer.running_var.uniform_(0.5, 2)
    return made.eval()


@pytest.fixture(scope="module")
def network(hmr):
    torch.manual_seed(1)
    generator = Generator(Config(width=32, hidden=64))
    scattered(generator.regressor)
    return Vibe(hmr.backbone, generator).eval()


@pytest.fixture(scope="module")
def predictor(network):
    return Predictor(network)


@pytest.fixture(scope="module")
def crops():
    """As small as the network reads: features do not hang on the size."""
    return np.random.default_rng(0).integers(0, 256, (10, 64, 64, 3), np.uint8)


def scattered(regressor: Regressor) -> None:
    """Have a regressor correct the mean body by much; a fresh one hardly does."""
    torch.manual_seed(2)
    for parameter in regressor.parameters():
        parameter.data.normal_(0, 0.3 / parameter.shape[-1] ** 0.5)
    for buffer in regressor.mean.buffers():
        buffer.add_(0.3 * torch.randn(buffer.shape))


def same(ours, theirs, limit=1e-4):
    assert torch.allclose(ours.camera, theirs.camera, atol=limit)
    assert torch.allclose(ours.rotations, theirs.rotations, atol=limit)
    assert torch.allclose(ours.betas, theirs.betas, atol=limit)


@torch.inference_mode()
def test_features_are_the_plain_networks(network, predictor, crops):
    wanted = network.backbone(normalised(torch.from_numpy(crops)))
    found = predictor.features(crops)
    assert found.dtype == torch.float32
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.std()))


@torch.inference_mode()
def test_features_in_bfloat16_are_nearly_the_plain_networks(network, crops):
    wanted = Predictor(network).features(crops)
    found = Predictor(network, "bfloat16").features(crops)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    assert (found - wanted).std() < 0.05 * wanted.std()


def test_crops_a_few_at_a_time_are_read_as_all_at_once(monkeypatch, predictor, crops):
    whole = predictor.features(crops)
    monkeypatch.setattr(swift, "AT_ONCE", 3)
    assert torch.allclose(predictor.features(crops), whole, rtol=1e-4, atol=1e-4)
    assert torch.allclose(predictor.features(crops[:1]), whole[:1], rtol=1e-4, atol=1e-4)


def test_nobody_has_no_features_and_no_bodies(predictor):
    features = predictor.features(np.empty((0, 224, 224, 3), np.uint8))
    assert features.shape == (0, 2048)
    found, state = predictor.bodies(features)
    assert found.theta.shape == (0, 85)
    assert found.rotations.shape == (0, 24, 3, 3)
    assert state is None


@torch.inference_mode()
def test_all_rounds_in_one_layer_find_the_same_body():
    regressor = Regressor(SMALL).eval()
    scattered(regressor)
    features = torch.randn(2, 3, 12)
    found = linear(regressor)(features)
    assert torch.allclose(found, regressor.rounds(features)[-1], atol=1e-5)
    assert not torch.allclose(found, regressor.rounds(features)[1], atol=1e-2)


@torch.inference_mode()
def test_the_generators_short_form_finds_the_same_bodies():
    generator = Generator(SMALL).eval()
    scattered(generator.regressor)
    features = torch.randn(2, 5, 12)
    theirs, wanted = generator(features)
    ours, state = Generated(generator.encoder, generator.regressor)(features)
    same(ours, theirs, 1e-5)
    assert torch.equal(state, wanted)


@torch.inference_mode()
def test_a_tracks_bodies_are_the_plain_networks(network, predictor):
    features = torch.randn(7, 2048)
    theirs, _ = network.generator(features[None])
    found, _ = predictor.bodies(features)
    assert found.camera.shape == (7, 3)
    assert torch.allclose(found.camera, theirs.camera[0], atol=1e-4)
    assert torch.allclose(found.rotations, theirs.rotations[0], atol=1e-4)


def test_what_came_before_is_known_across_windows_and_across_calls(predictor):
    features = torch.randn(9, 2048)
    whole, last = predictor.bodies(features)
    pieces, end = predictor.bodies(features, window=4)
    same(pieces, whole, 1e-5)
    assert torch.allclose(end, last, atol=1e-6)
    _, state = predictor.bodies(features[:5])
    rest, _ = predictor.bodies(features[5:], state)
    assert torch.allclose(rest.rotations, whole.rotations[5:], atol=1e-5)
    afresh, _ = predictor.bodies(features[5:])
    assert not torch.allclose(afresh.rotations, whole.rotations[5:], atol=1e-3)


def test_under_parity_every_window_forgets_what_came_before(predictor):
    features = torch.randn(9, 2048)
    _, state = predictor.bodies(features)
    found, _ = predictor.bodies(features, state, window=4, parity=True)
    for start in (0, 4, 8):
        alone, _ = predictor.bodies(features[start : start + 4])
        assert torch.allclose(found.camera[start : start + 4], alone.camera, atol=1e-5)


@torch.inference_mode()
def test_hmr_finds_each_body_by_itself(hmr, crops):
    scattered(hmr.regressor)
    predictor = Predictor(hmr)
    features = predictor.features(crops)
    found, state = predictor.bodies(features, window=3)
    same(found, hmr.regressor(features))
    assert state is None
    alone, _ = predictor.bodies(features[4:5])
    assert torch.allclose(alone.camera, found.camera[4:5], atol=1e-5)


def test_the_given_network_stays_as_it_is(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learning = [parameter.requires_grad for parameter in network.parameters()]
    Predictor(network, "bfloat16")
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert [parameter.requires_grad for parameter in network.parameters()] == learning
