"""The losses VIBE is trained by: against the authors' numbers, and by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from muybridge.checkpoints import Layout, filled
from muybridge.models.vibe.discriminator import BODY, Config, Discriminator
from muybridge.models.vibe.losses import (
    Labels,
    Predicted,
    Weights,
    discriminator_losses,
    label_losses,
    motion_loss,
)

TABLE = (("gru", "gru"), ("attention.attention.{}", "pool.layers.{}"), ("fc", "fc"))
OTHERS = ("concat.{}", "last.{}")  # the pack's other networks
NAMES = {  # ours, and the pack's
    "joints_2d": "loss_kp_2d",
    "joints_3d": "loss_kp_3d",
    "pose": "loss_pose",
    "shape": "loss_shape",
    "real": "d_m_disc_real",
    "made": "d_m_disc_fake",
}


class Pack:
    """The pack's predictions, labels, weights, discriminator and outputs."""

    def __init__(self, folder, synthetic):
        manifest = json.loads((folder / "manifest.json").read_text())
        inputs, self.outputs = (np.load(folder / f"{n}.npz") for n in ("inputs", "outputs"))
        self.inputs = {name: torch.from_numpy(inputs[name]) for name in inputs.files}
        self.constants = manifest["constants"]
        arrays = synthetic(folder / "manifest.json")
        self.tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        sizes = {row["name"]: row["shape"] for row in manifest["tensors"]}
        self.config = Config(sizes["gru.weight_ih_l0"][1], sizes["gru.weight_hh_l0"][1])

    def discriminator(self):
        start = tuple(name.removesuffix("{}") for name in OTHERS)
        mine = {n: t for n, t in self.tensors.items() if not n.startswith(start)}
        layout = Layout(lambda: Discriminator(self.config), TABLE)
        return filled(mine, layout).requires_grad_()

    def predicted(self):
        names = ("pred_theta", "pred_kp_2d", "pred_kp_3d")
        return Predicted(*(self.inputs[name].clone().requires_grad_() for name in names))

    def labels(self):
        """Put sequences with labels in the picture first, then those in space, as predictions."""
        given = self.inputs
        shape = given["gt2d_kp_2d"].shape[:2]
        unknown = torch.full((*shape, 49, 3), torch.nan), torch.full((*shape, 85), torch.nan)
        rows = (
            (given["gt2d_kp_2d"], *unknown, torch.zeros(shape), torch.zeros(shape)),
            tuple(given[n] for n in ("gt3d_kp_2d", "gt3d_kp_3d", "gt3d_theta", "w_3d", "w_smpl")),
        )
        return Labels(*(torch.cat(pair) for pair in zip(*rows, strict=True)))

    def near(self, key, found):
        wanted = torch.from_numpy(self.outputs[key])
        assert found.shape == wanted.shape, key
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)

    def near_gradient(self, key, found):
        """Gradients are small: so is what they may be off, measured by their own size."""
        wanted = torch.from_numpy(self.outputs[key])
        assert found.shape == wanted.shape, key
        assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max(), key


@pytest.fixture(scope="module")
def pack(golden, synthetic):
    return Pack(golden / "motion_discriminator", synthetic)


@pytest.mark.golden
def test_what_the_generator_loses_is_the_authors_and_so_are_its_gradients(pack):
    predicted = pack.predicted()
    judged = pack.discriminator()(predicted.theta[..., BODY])
    losses = label_losses(predicted, pack.labels())
    for name, loss in losses.items():
        pack.near(f"loss.{NAMES[name]}", loss.detach())
    motion = motion_loss(judged)
    total = sum(losses.values()) + motion
    pack.near("fake_logits", judged.detach())
    pack.near("loss.e_m_disc_loss", motion.detach())
    pack.near("loss.gen_total", total.detach())
    total.backward()
    pack.near_gradient("grad_theta", predicted.theta.grad)
    pack.near_gradient("grad_kp_2d", predicted.joints_2d.grad)
    pack.near_gradient("grad_kp_3d", predicted.joints_3d.grad)


@pytest.mark.golden
def test_what_the_discriminator_loses_is_the_authors_and_so_are_its_gradients(pack):
    network = pack.discriminator()
    real = network(pack.inputs["real_theta"][..., BODY])
    losses = discriminator_losses(real, network(pack.inputs["pred_theta"][..., BODY]))
    pack.near("real_logits", real.detach())
    for name, loss in losses.items():
        pack.near(f"loss.{NAMES[name]}", loss.detach())
    total = sum(losses.values())
    pack.near("loss.d_m_disc_loss", total.detach())
    pack.near("loss.dis_total", total.detach())
    total.backward()
    pack.near_gradient("dis_grad.fc.weight", network.fc.weight.grad)
    pack.near_gradient("dis_grad.gru.bias_hh_l1", network.gru.bias_hh_l1.grad)
    attention = network.pool.layers[6].weight.grad
    pack.near_gradient("dis_grad.attention.attention.6.weight", attention)


@pytest.mark.golden
def test_weights_are_the_authors(pack):
    names = {"joints_2d": "kp_2d", "joints_3d": "kp_3d"}
    for name, value in asdict(Weights()).items():
        assert value == pack.constants[f"{names.get(name, name)}_weight"]
    assert [BODY.start, BODY.stop] == pack.constants["theta_slice"]


def known(sequences=2, frames=3):
    """Labels that are all 0 and all known, and predictions that meet them."""
    shape = (sequences, frames)
    joints = torch.zeros(*shape, 49, 3)
    labels = Labels(
        torch.cat([joints[..., :2], joints[..., :1] + 1], -1),
        joints,
        torch.zeros(*shape, 85),
        torch.ones(shape),
        torch.ones(shape),
    )
    return Predicted(torch.zeros(*shape, 85), joints[..., :2], joints), labels


def alone(losses):
    """Name the losses that are not 0."""
    return {name: round(loss.item(), 4) for name, loss in losses.items() if loss.item() != 0}


def test_what_is_met_costs_nothing_and_each_miss_costs_its_own_loss():
    predicted, labels = known()
    assert alone(label_losses(predicted, labels)) == {}
    off = torch.tensor([0.1, 0.3])  # squares 0.01 and 0.09: their mean is 0.05
    moved = replace(predicted, joints_2d=predicted.joints_2d + off)
    assert alone(label_losses(moved, labels)) == {"joints_2d": 15.0}
    theta = predicted.theta.clone()
    theta[..., 75:] = 2
    assert alone(label_losses(replace(predicted, theta=theta), labels)) == {"shape": 0.24}
    theta = predicted.theta.clone()
    theta[..., 3] = torch.pi / 2  # the root's x: in its matrix four of nine numbers are off by 1
    assert alone(label_losses(replace(predicted, theta=theta), labels)) == {
        "pose": pytest.approx(60 * 4 / 9 / 24, abs=1e-4)
    }
    theta = predicted.theta.clone()
    theta[..., :3] = 9
    assert alone(label_losses(replace(predicted, theta=theta), labels)) == {}  # the camera


def test_joints_in_space_are_compared_from_the_hips_and_only_fourteen_of_them():
    predicted, labels = known()
    far = replace(predicted, joints_3d=predicted.joints_3d + 5)
    assert alone(label_losses(far, labels)) == {}
    joints = predicted.joints_3d.clone()
    joints[..., :25, :], joints[..., 39:, :] = 5, 5
    assert alone(label_losses(replace(predicted, joints_3d=joints), labels)) == {}
    joints = predicted.joints_3d.clone()
    joints[..., 38, 0] = 0.1
    assert alone(label_losses(replace(predicted, joints_3d=joints), labels)) == {
        "joints_3d": pytest.approx(300 * 0.01 / (14 * 3), abs=1e-4)
    }


def test_what_is_unknown_costs_nothing_and_breaks_nothing():
    predicted, labels = known()
    predicted = Predicted(
        *(
            (x + 0.5).requires_grad_()
            for x in (predicted.theta, predicted.joints_2d, predicted.joints_3d)
        )
    )
    nothing = Labels(
        torch.zeros_like(labels.joints_2d),
        torch.full_like(labels.joints_3d, torch.nan),
        torch.full_like(labels.theta, torch.nan),
        torch.zeros_like(labels.has_joints),
        torch.zeros_like(labels.has_body),
    )
    losses = label_losses(predicted, nothing)
    assert alone(losses) == {}
    sum(losses.values()).backward()
    assert all(
        x.grad is not None and not x.grad.any() for x in (predicted.theta, predicted.joints_3d)
    )
    half = replace(nothing, theta=labels.theta.clone(), has_body=labels.has_body.clone())
    half.theta[0], half.has_body[0] = torch.nan, 0
    whole = replace(nothing, theta=labels.theta, has_body=labels.has_body)
    one, both = (label_losses(predicted, each)["pose"] for each in (half, whole))
    torch.testing.assert_close(one, both)  # the mean is over what is known


def test_the_game_is_won_at_one_and_at_zero():
    scores = torch.tensor([[1.0], [1.0], [0.0]])
    assert motion_loss(scores).item() == pytest.approx(0.5 / 3)
    lost = discriminator_losses(torch.tensor([[1.0], [3.0]]), scores)
    assert {k: v.item() for k, v in lost.items()} == pytest.approx({"real": 1.0, "made": 1 / 3})
    assert motion_loss(scores, Weights(motion=0)).item() == 0
