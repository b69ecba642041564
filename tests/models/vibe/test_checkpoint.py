"""Published files fill the networks, with what stands in them besides left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge import checkpoints, weights
from muybridge.errors import CheckpointError, WeightsError
from muybridge.models.vibe.checkpoint import LAYOUTS, completed, lacking
from muybridge.models.vibe.model import Config, Generator, Hmr, Mean, Regressor

MEAN = {"pose": torch.rand(144), "shape": torch.rand(10), "cam": torch.rand(3)}
SIZES = {"pose": (1, 144), "shape": (1, 10), "cam": (1, 3)}


def regressor(start: str) -> checkpoints.Tensors:
    """A head's tensors under their names, as the authors' files have them; random."""
    shapes = {
        "fc1": (1024, 2048 + 157),
        "fc2": (1024, 1024),
        "decpose": (144, 1024),
        "decshape": (10, 1024),
        "deccam": (3, 1024),
    }
    made = {}
    for name, shape in shapes.items():
        made[f"{start}{name}.weight"] = torch.rand(shape)
        made[f"{start}{name}.bias"] = torch.rand(shape[0])
    return made | {f"{start}init_{name}": torch.rand(shape) for name, shape in SIZES.items()}


def gru() -> checkpoints.Tensors:
    made = {
        "encoder.linear.weight": torch.rand(2048, 1024),
        "encoder.linear.bias": torch.rand(2048),
    }
    for layer, width in ((0, 2048), (1, 1024)):
        made[f"encoder.gru.weight_ih_l{layer}"] = torch.rand(3072, width)
        made[f"encoder.gru.weight_hh_l{layer}"] = torch.rand(3072, 1024)
        made[f"encoder.gru.bias_ih_l{layer}"] = torch.rand(3072)
        made[f"encoder.gru.bias_hh_l{layer}"] = torch.rand(3072)
    return made


def of_spin(counts: bool) -> checkpoints.Tensors:
    """SPIN's file: torchvision's ResNet-50 without its last layer, and a head."""
    from torchvision.models import resnet50

    made = {n: t for n, t in resnet50(weights=None).state_dict().items() if "fc." not in n}
    return {n: t for n, t in made.items() if counts or "batches" not in n} | regressor("")


def of_vibe() -> checkpoints.Tensors:
    """VIBE's file: with a body model in it."""
    inside = ("betas", "v_template", "vertex_joint_selector.extra_joints_idxs", "J_regressor_extra")
    return gru() | regressor("regressor.") | {f"regressor.smpl.{n}": torch.rand(2) for n in inside}


@pytest.mark.parametrize("counts", [True, False])
def test_spins_file_fills_hmr_whether_or_not_its_norms_have_counted(counts):
    theirs = of_spin(counts)
    network = checkpoints.filled(theirs, LAYOUTS["spin"])
    assert isinstance(network, Hmr)
    assert torch.equal(network.backbone.conv1.weight, theirs["conv1.weight"])
    block = network.backbone.layer3[0]
    assert torch.equal(block.downsample[0].weight, theirs["layer3.0.downsample.0.weight"])
    assert torch.equal(block.bn3.running_var, theirs["layer3.0.bn3.running_var"])
    assert torch.equal(network.regressor.second.weight, theirs["fc2.weight"])
    assert torch.equal(network.regressor.mean.camera, theirs["init_cam"])


@pytest.mark.parametrize("name", ["vibe_wo_3dpw", "vibe_w_3dpw"])
def test_vibes_file_fills_the_generator_without_the_body_in_it(name):
    theirs = of_vibe()
    network = checkpoints.filled(theirs, LAYOUTS[name])
    assert isinstance(network, Generator)
    assert torch.equal(network.encoder.gru.weight_hh_l1, theirs["encoder.gru.weight_hh_l1"])
    assert torch.equal(network.encoder.linear.bias, theirs["encoder.linear.bias"])
    assert torch.equal(network.regressor.pose.weight, theirs["regressor.decpose.weight"])
    assert torch.equal(network.regressor.mean.pose, theirs["regressor.init_pose"])


def test_the_mean_bodys_own_file_is_read():
    network = checkpoints.filled(MEAN, LAYOUTS["smpl_mean_params"])
    assert isinstance(network, Mean)
    assert torch.equal(network(), torch.cat([MEAN["pose"], MEAN["shape"], MEAN["cam"]]))


@pytest.mark.parametrize(
    ("name", "make"), [("spin", lambda: of_spin(True)), ("vibe_w_3dpw", of_vibe)]
)
def test_a_file_without_the_mean_body_is_refused_until_it_is_completed(name, make):
    without = {n: t for n, t in make().items() if "init_" not in n}
    with pytest.raises(CheckpointError, match=r"regressor\.mean\.pose: the checkpoint lacks it"):
        checkpoints.filled(without, LAYOUTS[name])
    network = checkpoints.filled(completed(without, MEAN), LAYOUTS[name])
    assert torch.equal(network.regressor.mean.pose[0], MEAN["pose"])
    assert torch.equal(network.regressor.mean.camera[0], MEAN["cam"])


def test_a_file_without_the_mean_body_is_completed_by_the_one_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    without = {n: t for n, t in of_vibe().items() if "init_" not in n}
    path = tmp_path / "vibe_model_wo_3dpw.pth.tar"
    torch.save({"gen_state_dict": without}, path)
    with monkeypatch.context() as offline:
        offline.setattr(weights, "fetch", lambda name: weights.found(name))
        with pytest.raises(WeightsError, match=r"regressor\.mean\.pose: the checkpoint lacks it"):
            weights.load("vibe_wo_3dpw", tmp_path)
    assert "mean.pose" in weights.examine(path, "vibe_wo_3dpw").misfit
    np.savez(tmp_path / "smpl_mean_params.npz", **{n: t.numpy() for n, t in MEAN.items()})
    network = weights.load("vibe_wo_3dpw", tmp_path)
    assert torch.equal(network.regressor.mean.pose[0], MEAN["pose"])
    assert weights.examine(path, "vibe_wo_3dpw").misfit == ""


def test_only_a_network_that_has_a_head_lacks_the_mean_body():
    assert not lacking(of_vibe())
    assert not lacking(gru())
    for part in SIZES:
        assert lacking({n: t for n, t in of_vibe().items() if not n.endswith(f"init_{part}")})


def test_a_mean_body_that_a_file_has_is_kept():
    theirs = of_vibe()
    done = completed(theirs, MEAN)
    assert set(done) == set(theirs)
    assert all(done[name] is theirs[name] for name in theirs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("encoder.linear.bias"), "encoder.linear.bias: the checkpoint lacks it"),
        (lambda t: t.update(other=torch.rand(1)), "other: the model has no such tensor"),
        (
            lambda t: t.update({"regressor.fc1.bias": torch.rand(7)}),
            r"regressor.first.bias: checkpoint \(7,\), model \(1024,\)",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_tensor(change, said):
    tensors = of_vibe()
    change(tensors)
    with pytest.raises(CheckpointError, match=said):
        checkpoints.filled(tensors, LAYOUTS["vibe_wo_3dpw"])


def test_a_regressor_of_any_size_has_the_mean_body_of_the_files():
    shapes = {n: tuple(t.shape) for n, t in Regressor(Config(hidden=8)).mean.named_buffers()}
    assert list(shapes.values()) == list(SIZES.values())
