"""The multi-task network gives the authors' numbers, in all three of the packs' forms."""

from __future__ import annotations

import pytest
import torch

from muybridge.models.multitask.model import most_and_least, placed, probabilities
from muybridge.models.multitask.preprocess import normalised

pytestmark = pytest.mark.golden

POSES, ACTIONS, MAPS = 1e-4, 2e-5, 1e-3  # how far off the pack allows to be


@pytest.fixture(scope="module", params=["", "_2d", "_t16"], ids=["ntu", "penn", "t16"])
def seen(pack, request):
    """The pack, its network and what that says, with what its layers gave on the way."""
    given = pack(request.param)
    network, between = given.network(), {}

    def keep(name):
        return lambda module, inputs, output: between.setdefault(name, output)

    network.stem.register_forward_hook(keep("stem"))
    network.units["down1_1"].prediction.register_forward_hook(keep("maps"))
    for number, block in network.actions.items():
        for head, layer in enumerate(block.heads):
            layer.register_forward_hook(keep(f"action_maps_act{number}_action_pred_conv2h{head}"))
    pictures = normalised(torch.from_numpy(given.frames))
    with torch.inference_mode():
        poses, scores = network(pictures[None])
        looked = network.look(pictures)
    return given, network, between, poses, scores, looked


def channels_last(maps):
    return maps.permute(0, 2, 3, 1)


def test_poses_are_the_authors_block_by_block(seen):
    given, _, _, poses, _, _ = seen
    assert len(poses) == sum(key.startswith("pose_") for key in given.outputs)
    for number, pose in enumerate(poses):
        assert given.off(f"pose_{number:02d}", pose) < POSES


def test_actions_are_the_authors_block_by_block_and_head_by_head(seen):
    given, _, _, _, scores, _ = seen
    found = [head.softmax(1) for block in scores for head in block]
    assert len(found) == sum(key.startswith("action_0") for key in given.outputs)
    for number, classes in enumerate(found):
        assert given.off(f"action_{number:02d}", classes) < ACTIONS


def test_the_stem_and_the_first_blocks_maps_are_the_authors(seen):
    given, network, between, _, _, _ = seen
    chosen = given.outputs["stem_frame0_channels"]
    stem = channels_last(between["stem"])[0][..., chosen]
    assert given.off("stem_frame0", stem) < MAPS
    maps = between["maps"][1]
    count = len(given.outputs["dp1_pb1_heatmap_logits"])
    assert given.off("dp1_pb1_heatmap_logits", channels_last(maps.heat)[:count]) < MAPS
    where = probabilities(maps.heat, network.config.sharpness)
    assert given.off("dp1_pb1_probmaps", channels_last(where)[:count]) < MAPS
    if network.config.dimensions == 3:
        depth = channels_last(maps.depth)[:count]
        assert given.off("dp1_pb1_depthmaps", depth) < MAPS
    else:
        assert "dp1_pb1_depthmaps" not in given.outputs


def test_the_first_appearance_is_the_authors(seen):
    given, _, _, _, _, looked = seen
    assert given.off("first_kron", looked.glances[0].appearance[..., ::16]) < MAPS


def test_maps_of_actions_are_the_authors(seen):
    given, _, between, _, scores, _ = seen
    keys = [key for key in given.outputs if key.startswith("action_maps_")]
    assert [key.removeprefix("action_maps_") for key in keys] == given.manifest["action_map_layers"]
    for key in keys:
        assert given.off(key, channels_last(between[key])[0]) < MAPS
    last = most_and_least(between[keys[-1]])
    assert torch.equal(last, scores[-1][-1])


def test_there_are_as_many_numbers_as_the_authors_have(seen):
    given, network, _, _, _, _ = seen
    own = sum(tensor.numel() for tensor in network.state_dict().values())
    assert own == given.manifest["learned_params"] + given.manifest["batchnorm_running_stats"]
    count = given.manifest["keras_count_params"]
    assert own + given.manifest["fixed_softargmax_params"] == count


def test_places_are_found_in_the_first_blocks_maps(seen):
    _, network, between, poses, _, _ = seen
    found, _ = placed(between["maps"][1], network.config.sharpness)
    assert torch.allclose(found, poses[0][0], atol=1e-6)
