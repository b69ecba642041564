"""Published files fill the networks, with or without what several GPUs put before the names."""

from __future__ import annotations

import pytest
import torch

from muybridge import checkpoints, weights
from muybridge.errors import CheckpointError
from muybridge.models.triangulation.checkpoint import LAYOUTS
from muybridge.models.triangulation.model import Algebraic, Backbone
from muybridge.models.triangulation.volumetric import Volumetric

NAME = "human36m_alg_10-04-2019"


@pytest.mark.golden
@pytest.mark.parametrize("start", ["", "module."])
def test_the_algebraic_networks_file_fills_it(algebraic_pack, tmp_path, start):
    path = tmp_path / "weights.pth"
    torch.save({start + n: t for n, t in algebraic_pack.tensors.items()}, path)
    network = checkpoints.filled(checkpoints.read(path), LAYOUTS[NAME])
    assert isinstance(network, Algebraic)
    theirs = algebraic_pack.tensors
    for ours, name in (
        (network.backbone.stem[0].weight, "backbone.conv1.weight"),
        (network.backbone.stages[2][35].bn3.running_var, "backbone.layer3.35.bn3.running_var"),
        (network.backbone.heatmaps.bias, "backbone.final_layer.bias"),
        (network.confidences.head[4].bias, "backbone.alg_confidences.head.4.bias"),
    ):
        assert torch.equal(ours, theirs[name])


@pytest.mark.golden
def test_the_volumetric_networks_file_fills_it(volumetric_pack):
    theirs = {"module." + n: t for n, t in volumetric_pack.tensors.items()}
    network = checkpoints.filled(theirs, LAYOUTS["human36m_vol_softmax_10-08-2019"])
    assert isinstance(network, Volumetric)
    inside = "module.volume_net.encoder_decoder"
    for ours, name in (
        (network.narrow.bias, "module.process_features.0.bias"),
        (network.network.middle.skips[1].branch[3].bias, f"{inside}.skip_res2.res_branch.3.bias"),
        (
            network.network.middle.encoders[4].branch[0].bias,
            f"{inside}.encoder_res5.res_branch.0.bias",
        ),
        (
            network.network.middle.upsampling[0][0].weight,
            f"{inside}.decoder_upsample1.block.0.weight",
        ),
        (network.network.last.bias, "module.volume_net.output_layer.bias"),
    ):
        assert torch.equal(ours, theirs[name])


@pytest.mark.golden
@pytest.mark.parametrize("wrapped", [True, False])
def test_the_backbones_file_fills_it_with_the_first_of_its_joints(
    algebraic_pack, tmp_path, wrapped
):
    theirs = {
        "module." + n.removeprefix("backbone."): t
        for n, t in algebraic_pack.tensors.items()
        if n.startswith("backbone.") and "confidences" not in n
    }
    theirs["module.final_layer.weight"] = torch.rand(19, 256, 1, 1)
    theirs["module.final_layer.bias"] = torch.rand(19)
    path = tmp_path / "pose_resnet_4.5_pixels_human36m.pth"
    torch.save({"state_dict": theirs} if wrapped else theirs, path)
    network = checkpoints.filled(checkpoints.read(path), LAYOUTS["pose_resnet_4.5_pixels_human36m"])
    assert isinstance(network, Backbone)
    assert torch.equal(network.heatmaps.bias, theirs["module.final_layer.bias"][:17])
    assert torch.equal(network.stages[3][2].conv1.weight, theirs["module.layer4.2.conv1.weight"])


@pytest.mark.golden
def test_a_faulty_file_has_every_fault_listed(algebraic_pack):
    theirs = {"module." + n: t for n, t in algebraic_pack.tensors.items()}
    del theirs["module.backbone.conv1.weight"]
    theirs["module.backbone.final_layer.bias"] = torch.rand(16)
    theirs["module.other"] = torch.rand(1)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.filled(theirs, LAYOUTS[NAME])
    for said in (
        "Algebraic: 3 of ",
        r"backbone.stem.0.weight: the checkpoint lacks it",
        r"backbone.heatmaps.bias: checkpoint (16,), model (17,)",
        "other: the model has no such tensor",
    ):
        assert said in str(caught.value)


@pytest.mark.golden
def test_a_file_called_as_the_authors_call_it_is_known_by_the_name_given(
    algebraic_pack, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "weights.pth"
    torch.save(algebraic_pack.tensors, path)
    network = weights.load(NAME, path)
    assert torch.equal(network.confidences.head[0].bias, algebraic_pack.tensors[HEAD])
    assert weights.examine(path, NAME).misfit == ""


HEAD = "backbone.alg_confidences.head.0.bias"
