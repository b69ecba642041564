"""VIBE's motion discriminator: against the authors' numbers, and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from muybridge.checkpoints import Layout, filled
from muybridge.models.vibe.discriminator import Attention, Config, Discriminator, Last, MeanAndMost

TABLE = (("gru", "gru"), ("fc", "fc"))
ATTENTION = ("attention.attention.{}", "pool.layers.{}")
NAMES = {"attention": "", "concat": "concat.", "last": "last."}  # how tensors' names start
SMALL = Config(width=8)


class Pack:
    """The pack's motions, its outputs, and its networks."""

    def __init__(self, folder, synthetic):
        inputs, self.outputs = (np.load(folder / f"{n}.npz") for n in ("inputs", "outputs"))
        self.motion = torch.from_numpy(inputs["motion"])
        self.tensors = {
            name: torch.from_numpy(array)
            for name, array in synthetic(folder / "manifest.json").items()
        }
        rows = json.loads((folder / "manifest.json").read_text())["tensors"]
        self.values, self.width = (
            next(r["shape"][1] for r in rows if r["name"] == name)
            for name in ("gru.weight_ih_l0", "gru.weight_hh_l0")
        )

    def network(self, pool):
        start = NAMES[pool]
        others = tuple(other for other in NAMES.values() if other and other != start)
        mine = {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if (name.startswith(start) and not name.startswith(others))
        }
        config = Config(self.values, self.width, pool=pool)
        table = (*TABLE, ATTENTION) if pool == "attention" else TABLE
        return filled(mine, Layout(lambda: Discriminator(config), table))

    def near(self, key, found):
        wanted = self.outputs[key]
        assert found.shape == wanted.shape, key
        np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-5, err_msg=key)


@pytest.fixture(scope="module")
def pack(golden, synthetic):
    return Pack(golden / "motion_discriminator", synthetic)


@pytest.mark.golden
def test_every_seam_is_the_authors(pack):
    network = pack.network("attention")
    states, last = network.gru(pack.motion)
    scores = network.pool.scores(states)
    pack.near("gru_out", states)
    pack.near("gru_state", last)
    pack.near("attention_raw", scores)
    pack.near("attention_scores", scores.softmax(1))
    pack.near("pooled", network.pool(states))
    pack.near("logits", network(pack.motion))
    pack.near("logits_single", network(pack.motion[:1])[0])  # the authors' has lost an axis


@pytest.mark.golden
@pytest.mark.parametrize("pool", ["concat", "last"])
def test_other_ways_to_pool_are_the_authors(pack, pool):
    pack.near(f"logits_{pool}", pack.network(pool)(pack.motion))


@pytest.mark.parametrize("pool", NAMES)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_motion_is_scored_alone(pool, count):
    torch.manual_seed(0)
    network = Discriminator(Config(width=8, pool=pool)).eval()
    motions = torch.randn(count, 16, 69)
    alone = [network(motion[None]) for motion in motions]
    together = network(motions)
    assert together.shape == (count, 1)
    torch.testing.assert_close(together, torch.cat([torch.empty(0, 1), *alone]))


def test_sizes_are_as_asked():
    config = Config(values=6, width=8, layers=3, pool="concat")
    shapes = {name: tuple(t.shape) for name, t in Discriminator(config).state_dict().items()}
    assert shapes["gru.weight_ih_l0"] == (24, 6)
    assert "gru.weight_ih_l2" in shapes
    assert "gru.weight_ih_l3" not in shapes
    assert shapes["fc.weight"] == (1, 16)


def test_attention_weighs_frames_and_its_scores_are_bounded():
    attention = Attention(2, 0.0)
    for tensor in attention.parameters():
        torch.nn.init.zeros_(tensor)
    states = torch.tensor([[[1.0, 0.0], [3.0, 2.0]]])
    torch.testing.assert_close(attention(states), torch.tensor([[2.0, 1.0]]))  # all alike: the mean
    for layer in (attention.layers[0], attention.layers[3], attention.layers[6]):
        torch.nn.init.constant_(layer.weight, 100.0)
    assert attention.scores(states).tolist() == [[1.0, 1.0]]


def test_mean_of_what_is_positive_stands_beside_the_maximum_and_last_is_last():
    states = torch.tensor([[[-2.0, 1.0], [4.0, 2.0]], [[-1.0, -1.0], [-3.0, 0.0]]])
    assert MeanAndMost()(states).tolist() == [[2.0, 1.5, 4.0, 2.0], [0.0, 0.0, 0.0, 0.0]]
    assert Last()(states).tolist() == [[4.0, 2.0], [-3.0, 0.0]]


def test_attention_is_dropped_out_in_training_only():
    torch.manual_seed(0)
    network, motions = Discriminator(SMALL), torch.randn(2, 16, 69)
    assert not torch.equal(network(motions), network(motions))
    network.eval()
    assert torch.equal(network(motions), network(motions))
