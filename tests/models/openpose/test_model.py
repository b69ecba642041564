"""OpenPose's networks give their authors' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from muybridge.convolutions import Tiled
from muybridge.models.openpose.model import OpenPoseBody25, OpenPoseCoco
from muybridge.models.openpose.predict import ready

MAPS, FEATURES = 5e-5, 1e-4  # the packs' tolerances


def outputs(network: nn.Module, names: list[str], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Run a network and take the outputs of some of its layers, and of itself as ''."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> None:
        def hook(_: nn.Module, __: object, value: Tensor) -> None:
            seen[name] = value.clone()

        hooks.append(network.get_submodule(name).register_forward_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for name in ["", *names]:
        keep(name)
    with torch.inference_mode():
        network(torch.from_numpy(pictures))
    for hook in hooks:
        hook.remove()
    return {name: value.numpy() for name, value in seen.items()}


def near(got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= tolerance


@pytest.mark.golden
def test_the_coco_network_gives_its_authors_maps_seam_by_seam(pack, network):
    want = pack("openpose_coco")
    branches = {
        "stage1_paf": "conv5_5_CPM_L1",
        "stage1_heatmap": "conv5_5_CPM_L2",
        "stage2_paf": "Mconv7_stage2_L1",
        "stage2_heatmap": "Mconv7_stage2_L2",
    }
    model = network("openpose_coco")
    got = outputs(model, ["conv4_4_CPM", *branches.values()], want.inputs["net_input"])
    near(np.maximum(got["conv4_4_CPM"], 0), want.outputs["features"], FEATURES)
    for name, layer in branches.items():
        near(got[layer], want.outputs[name], MAPS)
    heat, fields = got[""][:, : model.body.heat], got[""][:, model.body.heat :]
    near(heat, want.outputs["heatmap_without_last_relu"], MAPS)
    near(np.maximum(heat, 0), want.outputs["heatmap"], MAPS)  # the port has one layer more
    near(fields, want.outputs["paf"], MAPS)


@pytest.mark.golden
def test_the_body25_network_gives_its_authors_maps_seam_by_seam(pack, network):
    want = pack("openpose_body25")
    layers = {
        "stage0_paf": "Mconv7_stage0_L2",
        "stage1_paf": "Mconv7_stage1_L2",
        "stage0_heatmap": "Mconv7_stage0_L1",
    }
    model = network("openpose_body25")
    got = outputs(model, ["prelu4_4_CPM", *layers.values()], want.inputs["net_input"])
    near(got["prelu4_4_CPM"], want.outputs["features"], FEATURES)
    for name, layer in layers.items():
        near(got[layer], want.outputs[name], MAPS)
    near(got[""], want.outputs["net_output"], MAPS)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "kind"), [("openpose_coco", OpenPoseCoco), ("openpose_body25", OpenPoseBody25)]
)
def test_a_network_has_as_many_parameters_as_its_authors(pack, name, kind):
    manifest = pack(name).manifest
    with torch.device("meta"):
        model = kind()
    assert sum(p.numel() for p in model.parameters()) == manifest["parameter_count"]
    shapes = {row["name"]: row["shape"] for row in manifest["tensors"]}
    assert {n: list(p.shape) for n, p in model.state_dict().items()} == shapes


@pytest.mark.parametrize("kind", [OpenPoseCoco, OpenPoseBody25])
@pytest.mark.parametrize("size", [(16, 16), (32, 48)])
def test_maps_are_an_eighth_of_the_picture_whatever_its_size(kind, size):
    model = kind().eval()
    with torch.inference_mode():
        maps = model(torch.zeros(2, 3, *size))
    assert maps.shape == (2, model.body.channels, size[0] // 8, size[1] // 8)


@pytest.mark.golden
@pytest.mark.parametrize("name", ["openpose_coco", "openpose_body25"])
def test_a_network_with_fewer_multiplications_gives_its_authors_maps_too(pack, network, name):
    want = pack(name)
    model = ready(network(name), "float32")
    assert any(isinstance(layer, Tiled) for layer in model.modules())
    device = next(iter(model.state_dict().values())).device
    with torch.inference_mode():
        got = model(torch.from_numpy(want.inputs["net_input"]).to(device)).cpu().numpy()
    if "net_output" in want.outputs:
        near(got, want.outputs["net_output"], MAPS)
    else:
        parts = want.outputs["heatmap_without_last_relu"], want.outputs["paf"]
        near(got, np.concatenate(parts, 1), MAPS)
