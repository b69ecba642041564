"""Teaching the multi-task network joints and actions together."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from muybridge import checkpoints
from muybridge.errors import CheckpointError, InputError
from muybridge.models.multitask.checkpoint import about, authors, layout, load
from muybridge.models.multitask.model import SMALL, Config, Spnet
from muybridge.models.multitask.training import Lessons, example, rows, started

ROOT = Path(__file__).parents[3]
JOB = ROOT / "jobs" / "train.py"
TINY = Config(
    16, 2, (3,), 2, (1, 2), levels=2, entry=8, growth=8, kernel=3, pose_features=16,
    visual_features=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def figures(imported) -> ModuleType:
    """The benchmark's stick people, and how they move."""
    return imported(ROOT / "tests" / "benchmarks" / "multitask.py")


def save(folder, figures, count):
    for number in range(count):
        np.savez(folder / f"{number}.npz", **figures.clip(number))


def learnt(module):
    return all(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_both_losses_reach_every_layer_and_get_smaller(figures):
    torch.manual_seed(0)
    lessons = Lessons(Spnet(TINY))
    clips = [figures.clip(seed) for seed in range(3)]
    optimiser = torch.optim.Adam(lessons.parameters(), 5e-3)
    told = []
    for _ in range(12):
        losses = lessons(clips)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        assert learnt(lessons)
        optimiser.step()
        told.append({name: loss.item() for name, loss in losses.items()})
    assert list(told[0]) == ["pose", "visible", "action"]
    assert told[-1]["pose"] < 0.7 * told[0]["pose"]
    assert told[-1]["action"] < 0.5 * told[0]["action"]


def test_figures_hold_the_joints_in_their_pictures(figures):
    made = [figures.clip(seed) for seed in range(12)]
    assert {int(each["actions"][0]) for each in made} == {0, 1, 2}
    again = figures.clip(3)
    assert all(np.array_equal(again[name], made[3][name]) for name in again)
    for each in made:
        assert each["frames"].shape == (8, 64, 64, 3)
        assert ((each["joints"] >= 0) & (each["joints"] <= 1)).all()
        assert each["joints"][..., :2].std(0).max() > 0.01  # somebody moves


def test_clips_of_a_file_overlap_and_are_read_one_by_one(figures, tmp_path):
    made = figures.clip(0)
    np.savez(tmp_path / "a.npz", **made)
    found = rows(tmp_path, TINY, 4, 2)
    assert [row["frames"].tolist() for row in found] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    read = example(found[1])
    assert np.array_equal(read["frames"], made["frames"][2:6])
    assert np.array_equal(read["joints"], made["joints"][2:6])
    assert read["actions"].tolist() == made["actions"].tolist()


def test_every_file_that_cannot_be_learnt_from_is_told(figures, tmp_path):
    good = figures.clip(0)
    faulty = {
        "b": {"frames": good["frames"].astype(np.float32)},
        "c": {"frames": good["frames"][:, :60, :60]},
        "d": {"joints": good["joints"][:, :15]},
        "e": {"actions": np.array([3])},
        "f": {"frames": good["frames"][:0]},
    }
    for name, change in {"a": {}, **faulty}.items():
        np.savez(tmp_path / f"{name}.npz", **{**good, **change})
    np.savez(tmp_path / "g.npz", frames=good["frames"])
    (tmp_path / "h.npz").write_text("no archive")
    with pytest.raises(InputError) as caught:
        rows(tmp_path, TINY, 8, 8)
    said = str(caught.value)
    assert [name for name in "abcdefgh" if f"{name}.npz: " in said] == list("bcdefgh")
    for words in ("float32", "(60, 60, 3)", "(8, 15, 3)", "actions are [3]", "joints is not"):
        assert words in said
    with pytest.raises(InputError, match="no clips"):
        rows(tmp_path / "nowhere", TINY, 8, 8)


def write(network, path):
    tensors = authors(network.state_dict(), network.config)
    checkpoints.write(tensors, path, about(network.config))


@pytest.mark.parametrize(
    "config", [TINY, SMALL, replace(TINY, dimensions=3, replica=True, levels=3, pyramids=3)]
)
def test_what_was_learnt_is_written_under_the_authors_names_and_read_again(config, tmp_path):
    network = Spnet(config)
    path = tmp_path / "spnet.safetensors"
    write(network, path)
    assert "dp1_pb1_conv1.depthwise.weight" in checkpoints.read(path)
    again = load(path)
    assert again.config == config
    wanted = network.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in again.state_dict().items())
    assert not again.training


def test_a_network_of_other_sizes_is_not_gone_on_from(tmp_path):
    path = tmp_path / "spnet.safetensors"
    write(Spnet(TINY), path)
    lessons = started(TINY, path)
    assert lessons.training
    assert all(parameter.requires_grad for parameter in lessons.parameters())
    with pytest.raises(InputError, match="is wanted"):
        started(SMALL, path)


def test_a_file_that_does_not_tell_its_sizes_is_refused(tmp_path):
    path = tmp_path / "spnet.safetensors"
    tensors = authors(Spnet(TINY).state_dict(), TINY)
    checkpoints.write(tensors, path, {})
    with pytest.raises(CheckpointError, match="does not tell the network's sizes"):
        load(path)
    checkpoints.write(tensors, path, {"config": '{"other": 1}'})
    with pytest.raises(CheckpointError, match="sizes cannot be read"):
        load(path)
    checkpoints.write(tensors, path, about(SMALL))
    with pytest.raises(CheckpointError, match="do not fit"):
        load(path)
    assert len(layout(TINY).table) < 80


@pytest.mark.slow
def test_a_small_network_learns_where_joints_are_and_what_is_done(figures):
    """The aims: over 0.9 of held-out clips told rightly, joints within a tenth of the height."""
    found = figures.trial(figures.Settings(), 0)
    assert found["accuracy"][-1] > 0.9
    assert found["off_in_heights"][-1] < 0.1


@pytest.mark.ray
@pytest.mark.slow
def test_the_job_trains_a_network_that_loads_and_goes_on(figures, tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    save(clips, figures, 4)
    command = [sys.executable, JOB, "multitask", clips, "--out", out, "--batch=2"]
    for epochs in (1, 2):
        done = subprocess.run(
            [*command, f"--epochs={epochs}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"epoch {epochs}" in done.stdout
    assert load(out / "spnet.safetensors").config == SMALL
    done = subprocess.run(
        [*command, "--classes=4", "--start", out / "spnet.safetensors"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "is wanted" in done.stderr.replace("\n", " ")
