"""VIBE's network does what the paper says of it, whatever its weights."""

from __future__ import annotations

import pytest
import torch

from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.models.vibe.model import (
    Bodies,
    Config,
    Encoder,
    Generator,
    Hmr,
    Mean,
    Regressor,
    Vibe,
    bodies,
    feature_extractor,
)

SMALL = Config(features=12, width=8, hidden=16)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_are_as_large_as_published():
    """HMR has 27.0 million parameters, the recurrent network 17.8, the regressor 3.5."""
    assert round(parameters(Encoder().gru) / 1e6, 1) == 15.7
    assert round(parameters(Encoder()) / 1e6, 1) == 17.8
    assert round(parameters(Regressor()) / 1e6, 1) == 3.5
    norms = 53_120  # scales and shifts that are frozen, and so no parameters here
    assert round((parameters(Hmr()) + norms) / 1e6, 1) == 27.0


@pytest.mark.parametrize(("count", "length"), [(1, 1), (1, 5), (3, 2)])
def test_every_frame_of_every_sequence_gets_a_body(count, length):
    found, state = Generator(SMALL)(torch.randn(count, length, 12))
    assert found.camera.shape == (count, length, 3)
    assert found.rotations.shape == (count, length, 24, 3, 3)
    assert found.betas.shape == (count, length, 10)
    assert found.theta.shape == (count, length, 85)
    assert state.shape == (2, count, 8)


def test_a_frame_knows_those_before_it_and_none_after():
    encoder, features = Encoder(SMALL), torch.randn(1, 6, 12)
    changed = features.clone()
    changed[0, 3] += 1
    before, after = encoder(features)[0], encoder(changed)[0]
    differs = (before != after).any(2)[0]
    assert differs.tolist() == [False, False, False, True, True, True]


def test_the_state_carries_on_where_the_frames_ended():
    encoder, features = Encoder(SMALL), torch.randn(2, 7, 12)
    whole, last = encoder(features)
    first, state = encoder(features[:, :4])
    second, end = encoder(features[:, 4:], state)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)
    assert torch.allclose(end, last, atol=1e-6)
    assert not torch.allclose(encoder(features[:, 4:])[0], second, atol=1e-3)


def test_an_encoder_that_has_learnt_nothing_passes_features_on():
    encoder, features = Encoder(SMALL), torch.randn(1, 3, 12)
    for parameter in encoder.linear.parameters():
        parameter.data.zero_()
    assert torch.equal(encoder(features)[0], features)


def test_a_regressor_that_corrects_nothing_says_the_mean_body():
    regressor = Regressor(SMALL).eval()
    for layer in (regressor.pose, regressor.shape, regressor.camera):
        layer.weight.data.zero_()
        layer.bias.data.zero_()
    found = regressor(torch.randn(2, 12))
    assert torch.allclose(found.rotations, torch.eye(3).expand(2, 24, 3, 3))
    assert found.betas.tolist() == [[0] * 10] * 2
    assert torch.allclose(found.camera, torch.tensor([0.9, 0, 0]).expand(2, 3))


def test_each_of_three_rounds_starts_from_the_last_ones_body():
    regressor, features = Regressor(SMALL).eval(), torch.randn(2, 12)
    body = regressor.mean()[0].expand(2, -1)
    for found in regressor.rounds(features):
        body = body + regressor.correction(features, body)
        assert torch.allclose(found, body)
    assert len(regressor.rounds(features)) == 3


def test_numbers_are_read_as_pose_shape_and_camera():
    turned = torch.tensor([0.0, -1, 1, 0, 0, 0])  # first column y, second -x: a quarter about z
    numbers = torch.cat([turned.repeat(24), torch.arange(10.0), torch.tensor([1.0, 2, 3])])
    found = bodies(numbers)
    quarter = matrix_from_axis_angle(torch.tensor([0, 0, torch.pi / 2]))
    assert torch.allclose(found.rotations, quarter.expand(24, 3, 3), atol=1e-6)
    assert found.betas.tolist() == list(range(10))
    assert found.camera.tolist() == [1, 2, 3]


def test_theta_is_camera_axis_angles_and_shape():
    turns = torch.rand(24, 3)
    found = Bodies(torch.tensor([1.0, 2, 3]), matrix_from_axis_angle(turns), torch.arange(10.0))
    wanted = torch.cat([found.camera, turns.flatten(), found.betas])
    assert torch.allclose(found.theta, wanted, atol=1e-5)


def test_the_mean_body_lies_as_files_have_it():
    assert Mean(1).pose.shape == (1, 144)
    assert Mean().pose.shape == (144,)
    assert torch.equal(Mean(1)()[0], Mean()())


def test_the_whole_network_reads_crops_of_tracks():
    config = Config(width=8, hidden=16)
    network = Vibe(feature_extractor(), Generator(config)).eval()
    crops = torch.randn(2, 2, 3, 64, 64)
    with torch.inference_mode():
        found, _ = network(crops)
        features = network.backbone(crops.flatten(0, 1)).view(2, 2, 2048)
        wanted, _ = network.generator(features)
    assert found.rotations.shape == (2, 2, 24, 3, 3)
    assert torch.allclose(found.theta, wanted.theta)


def test_gradients_reach_every_layer_that_learns():
    network = Generator(SMALL)
    found, _ = network(torch.randn(1, 3, 12))
    (found.rotations.sum() + found.betas.sum() + found.camera.sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
