"""The network as the product runs it: the same answers, each picture looked at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.models.multitask.model import NTU, Config, Spnet
from muybridge.models.multitask.predict import Predictor
from muybridge.models.multitask.preprocess import normalised, windows

SMALL = Config(
    5, 3, (4, 3), 3, (2, 3), levels=3, entry=8, growth=8, kernel=3, pose_features=16,
    visual_features=32, replica=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    """A network whose layers and norms do something."""
    torch.manual_seed(0)
    made = Spnet(SMALL).eval()
    for name, tensor in made.state_dict().items():
        if tensor.dim() == 1:
            tensor.normal_(0, 0.1) if "bias" in name or "mean" in name else tensor.uniform_(
                0.5, 1.5
            )
        else:
            tensor.normal_(0, 1 / tensor[0].numel() ** 0.5)
    return made


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (11, 64, 64, 3), np.uint8)


def plain(network, crops, clips):
    with torch.inference_mode():
        poses = network.look(normalised(torch.from_numpy(crops))).poses[-1]
        _, scores = network(torch.stack([normalised(torch.from_numpy(crops[c])) for c in clips]))
    return poses.numpy(), [head.softmax(1).numpy() for head in scores[-1]]


def test_overlapping_clips_are_judged_as_if_each_was_looked_at_anew(network, crops):
    clips = windows(len(crops), 4, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor = Predictor(network)
    seen = predictor.look(crops)
    found = predictor.judge(seen, clips)
    poses, scores = plain(network, crops, clips)
    assert np.abs(seen.poses - poses).max() < 1e-5
    assert [head.shape for head in found] == [(5, 4), (5, 3)]
    for head, wanted in zip(found, scores, strict=True):
        assert np.abs(head - wanted).max() < 1e-5
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_bfloat16_is_nearly_the_same_and_not_the_same(network, crops):
    clips = windows(len(crops), 4, 2)
    exact, rough = Predictor(network), Predictor(network, "bfloat16")
    seen, other = exact.look(crops), rough.look(crops)
    assert other.poses.dtype == np.float32
    assert 1e-5 < np.abs(seen.poses - other.poses).mean() < 0.02
    pairs = zip(exact.judge(seen, clips), rough.judge(other, clips), strict=True)
    assert all(np.abs(one - two).max() < 0.05 for one, two in pairs)


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures_or_none_are_fine(network, crops, count):
    predictor = Predictor(network)
    seen = predictor.look(crops[:count])
    assert seen.poses.shape == (count, 5, 4)
    found = predictor.judge(seen, windows(count, 4, 2))
    assert [head.shape for head in found] == [(count, 4), (count, 3)]


def test_a_picture_does_not_depend_on_those_beside_it(network, crops):
    predictor = Predictor(network)
    together, alone = predictor.look(crops), predictor.look(crops[9:10])
    assert np.abs(together.poses[9:10] - alone.poses).max() < 1e-5


@pytest.mark.golden
@pytest.mark.parametrize("ending", ["", "_2d", "_t16"])
def test_the_product_finds_what_the_authors_do(pack, ending):
    given = pack(ending)
    predictor = Predictor(given.network())
    seen = predictor.look(given.frames)
    found = predictor.judge(seen, np.arange(len(given.frames))[None])
    last = sorted(key for key in given.outputs if key.startswith("pose_"))[-1]
    assert given.off(last, seen.poses[None]) < 1e-4
    actions = sorted(key for key in given.outputs if key.startswith("action_0"))
    for key, head in zip(actions[-len(found) :], found, strict=True):
        assert given.off(key, head) < 2e-5


@pytest.mark.golden
def test_bfloat16_moves_joints_by_millimetres_and_keeps_what_is_done(pack):
    given = pack("")
    predictor = Predictor(given.network(), "bfloat16")
    seen = predictor.look(given.frames)
    assert given.config == NTU
    off = np.abs(seen.poses - given.outputs["pose_05"][0])[..., 2] * 2
    assert 1e-6 < off.mean() < 5e-3  # metres of depth
    (found,) = predictor.judge(seen, np.arange(len(given.frames))[None])
    assert found.argmax() == given.outputs["action_05"].argmax()
