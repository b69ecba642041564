"""Keras files of the published form become the network, or every fault in them is listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from muybridge import checkpoints, weights
from muybridge.cli import app
from muybridge.errors import CheckpointError
from muybridge.models.multitask.checkpoint import LAYOUTS
from muybridge.models.multitask.model import NTU, PENN
from muybridge.models.multitask.preprocess import normalised
from muybridge.published import FILES

from ...keras_files import arrays, save

PUBLISHED = {"spnet_ntu": ("", NTU), "spnet_penn": ("_2d", PENN)}


def keras(pack):
    return arrays(pack.manifest, pack.tensors)


@pytest.mark.golden
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_files_give_the_same_answers_as_they_are_and_converted(
    name, pack, tmp_path, monkeypatch
):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    ending, config = PUBLISHED[name]
    given = pack(ending)
    assert given.config == config
    path = save(tmp_path / FILES[name].file, keras(given))
    network = checkpoints.filled(checkpoints.read(path), LAYOUTS[name])
    own = given.network().state_dict()
    assert all(torch.equal(tensor, own[key]) for key, tensor in network.state_dict().items())
    converted = tmp_path / f"{name}.safetensors"
    command = ["weights", "convert", str(path), "--output", str(converted)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    loaded = weights.load(name, converted)
    clip = normalised(torch.from_numpy(given.frames[:2, :128, :128].copy()))[None]
    with torch.inference_mode():
        (poses, scores), (others, judged) = network(clip), loaded(clip)
    assert torch.equal(poses[-1], others[-1])
    assert torch.equal(scores[-1][0], judged[-1][0])


@pytest.mark.golden
def test_a_faulty_file_is_refused_with_every_fault(pack, tmp_path):
    made = keras(pack(""))
    del made["res0_bn2/beta:0"]
    del made["up2_pb0_depthmaps_conv1/kernel:0"]
    made["dp1_pb2_heatmaps_conv1/kernel:0"] = np.zeros((1, 1, 480, 16), np.float32)
    made["act9_action_v_conv0/kernel:0"] = np.zeros((1, 1, 2, 2), np.float32)
    made["dense_1/kernel:0"] = np.zeros((2, 3), np.float32)
    made["res1_bn1/alpha:0"] = np.zeros(3, np.float32)
    path = save(tmp_path / "weights.hdf5", made)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.filled(checkpoints.read(path), LAYOUTS["spnet_ntu"])
    assert str(caught.value).splitlines() == [
        "Spnet: 6 of 473 tensors do not fit",
        "  stem.residuals.0.inner_norm.bias: the checkpoint lacks it",
        "  units.down1_2.prediction.heat.weight: checkpoint (16, 480, 1, 1), model (17, 480, 1, 1)",
        "  units.up2_0.prediction.depth.weight: the checkpoint lacks it",
        "  dense_1.weight: the model has no such tensor",
        "  res1_bn1.alpha: the model has no such tensor",
        "  act9_action_v_conv0.weight: the model has no such tensor",
        "Is it the file of another variant?",
    ]


@pytest.mark.golden
def test_the_other_variants_file_is_refused(pack, tmp_path):
    path = save(tmp_path / "weights.hdf5", keras(pack("_2d")))
    with pytest.raises(CheckpointError, match="Is it the file of another variant"):
        checkpoints.filled(checkpoints.read(path), LAYOUTS["spnet_ntu"])


@pytest.mark.golden
def test_numbers_that_are_not_finite_are_all_named(pack, tmp_path):
    arrays = keras(pack("_t16"))
    for name, value in (("conv1/kernel:0", np.nan), ("act2_action_pred_bn1/gamma:0", np.inf)):
        arrays[name] = np.full_like(arrays[name], value)
    path = save(tmp_path / "weights.hdf5", arrays)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.read(path)
    assert "conv1.weight: not all numbers are finite" in str(caught.value)
    assert "act2_action_pred_bn1.weight: not all numbers are finite" in str(caught.value)


def test_where_a_file_is_to_be_got_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    (said,) = weights.missing("spnet_penn")
    assert said.startswith("spnet_penn (MIT (deephar)) is not here and cannot be fetched. To have")
    assert "weights_mpii+penn_ar_028.hdf5" in said
