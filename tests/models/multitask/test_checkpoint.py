"""Keras files of the published form become the network, or every fault in them is listed."""

from __future__ import annotations

import h5py
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

PUBLISHED = {"spnet_ntu": ("", NTU), "spnet_penn": ("_2d", PENN)}
BACK = {2: (1, 0), 4: (2, 3, 1, 0)}


def keras(pack):
    """Name a pack's tensors as Keras does, in its order of axes, with the fixed kernels."""
    made = {}
    for row in pack.manifest["tensors"]:
        values = pack.tensors[row["name"]].numpy()
        axes = (
            (2, 3, 0, 1) if row["keras"].endswith("depthwise_kernel:0") else BACK.get(values.ndim)
        )
        made[row["keras"]] = values if axes is None else values.transpose(axes)
        assert list(made[row["keras"]].shape) == row["keras_shape"]
    for layer in ("dp1_pb1_xy_x", "dp1_pb1_xy_y", "act1_xy2_x", "act1_xy2_y"):
        made[f"{layer}/depthwise_kernel:0"] = np.ones((16, 16, 17, 1), np.float32)
        made[f"{layer}/pointwise_kernel:0"] = np.ones((1, 1, 17, 17), np.float32)
    return made


def save(path, arrays):
    """Write arrays as Keras's save_weights does, with a layer that has none."""
    layers = {"input_1": [], **{name.partition("/")[0]: [] for name in arrays}}
    for name in arrays:
        layers[name.partition("/")[0]].append(name)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.4"
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = arrays[name]
    return path


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
    arrays = keras(pack(""))
    del arrays["res0_bn2/beta:0"]
    del arrays["up2_pb0_depthmaps_conv1/kernel:0"]
    arrays["dp1_pb2_heatmaps_conv1/kernel:0"] = np.zeros((1, 1, 480, 16), np.float32)
    arrays["act9_action_v_conv0/kernel:0"] = np.zeros((1, 1, 2, 2), np.float32)
    arrays["dense_1/kernel:0"] = np.zeros((2, 3), np.float32)
    arrays["res1_bn1/alpha:0"] = np.zeros(3, np.float32)
    path = save(tmp_path / "weights.hdf5", arrays)
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
