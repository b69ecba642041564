"""The lifter and its data handling against the outputs of its authors' code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.errors import CheckpointError
from muybridge.geometry.alignment import similarity
from muybridge.models.lifter import h36m
from muybridge.models.lifter.h36m import Camera

pytestmark = pytest.mark.golden

NETWORK = 1e-4  # normalised; the pack's notes
RELATIVE = 1e-6  # data handling in float64


def near(ours, theirs, limit=0.0):
    assert np.shape(ours) == np.shape(theirs)
    wanted = np.asarray(theirs, float)
    assert np.abs(ours - wanted).max(initial=0) <= limit + RELATIVE * np.abs(wanted).max(initial=0)


def cameras(inputs) -> list[Camera]:
    return [
        Camera(*(inputs[f"cam_{part}"][i] for part in ("R", "T", "f", "c", "k", "p")))
        for i in range(len(inputs["cam_R"]))
    ]


def views(inputs) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The pack's world seen by each camera: rows (60, 96) in its axes, and (60, 64) in pixels."""
    points = inputs["world"].reshape(-1, 3)
    seen = [h36m.world_to_camera(points, camera) for camera in cameras(inputs)]
    pixels = [
        h36m.camera_to_picture(p, camera) for p, camera in zip(seen, cameras(inputs), strict=True)
    ]
    return [p.reshape(-1, 96) for p in seen], [p.reshape(-1, 64) for p in pixels]


def test_cameras_see_what_their_authors_cameras_see(pack):
    inputs, outputs = pack
    seen, pixels = views(inputs)
    near(np.stack(seen), outputs["cam3d"])
    near(np.stack(pixels), outputs["proj2d"])
    back = [
        h36m.camera_to_world(rows.reshape(-1, 3), camera).reshape(-1, 96)
        for rows, camera in zip(seen, cameras(inputs), strict=True)
    ]
    near(np.stack(back), outputs["back_to_world"], 1e-3)  # theirs is in single precision


def test_joints_are_centred_and_standardised_as_their_authors_did(pack):
    inputs, outputs = pack
    seen, pixels = views(inputs)
    parts = [h36m.centred(rows) for rows in seen]
    near(np.stack([rows for rows, _ in parts]), outputs["centred3d"])
    near(np.stack([hip for _, hip in parts]), outputs["root"])
    spaces = {"2d": (np.concatenate(pixels), 2, h36m.NOSE)}
    spaces["3d"] = (np.concatenate([rows for rows, _ in parts]), 3, h36m.HIP)
    for space, (rows, axes, without) in spaces.items():
        used = h36m.used(axes, without)
        assert np.array_equal(used, outputs[f"use_{space}"])
        others = np.setdiff1d(np.arange(rows.shape[1]), used)
        assert np.array_equal(others, outputs[f"ignore_{space}"])
        found = h36m.statistics(rows, used)
        near(found.mean, outputs[f"mean_{space}"])
        near(found.deviation, outputs[f"std_{space}"])
        near(found.normalised(rows), outputs[f"norm_{space}"])
    fewer = tuple(j for i, j in enumerate(h36m.MOVING) if i not in h36m.LEFT_OUT_OF_14)
    assert np.array_equal(h36m.used(3, h36m.HIP, fewer), outputs["use_3d_14"])


def test_the_network_gives_its_authors_joints_seam_by_seam(pack, lifter):
    _, outputs = pack
    seen = torch.from_numpy(outputs["norm_2d"]).float()
    with torch.inference_mode():
        x = lifter.first(seen)
        near(x[:16].numpy(), outputs["after_input_block"], NETWORK)
        for block, name in zip(lifter.blocks, ("after_stage0", "after_stage1"), strict=True):
            x = block(x)
            near(x[:16].numpy(), outputs[name], NETWORK)
        near(lifter(seen).numpy(), outputs["lifter_out"], NETWORK)


def test_errors_are_those_that_their_authors_measure(pack):
    _, outputs = pack
    restored = h36m.Statistics(outputs["mean_3d"], outputs["std_3d"], outputs["use_3d"])
    found = restored.restored(outputs["lifter_out"])
    near(found, outputs["unnormalised"], 0.05)
    true = restored.restored(outputs["norm_3d"])
    kept = np.concatenate([[0, 1, 2], outputs["use_3d"]])
    found, true = (rows[:, kept] for rows in (found, true))
    near(found, outputs["pred17"], 0.05)
    near(true, outputs["gt17"], 1e-3)
    found, true = (rows.reshape(-1, 17, 3) for rows in (found, true))
    error = np.linalg.norm(found - true, axis=2)
    near(error, outputs["error_mm"], 0.05)
    near(error.mean(), outputs["mpjpe"], 0.01)
    laid = similarity(found, true)
    fitted, scale = laid(found), laid.scale
    near(fitted.reshape(-1, 51), outputs["pred17_procrustes"], 0.05)
    near(scale, outputs["procrustes_scale"], 1e-5)
    error = np.linalg.norm(fitted - true, axis=2)
    near(error, outputs["error_pa_mm"], 0.05)
    near(error.mean(), outputs["pa_mpjpe"], 0.01)


def test_three_steps_of_training_are_their_authors(pack, lifter):
    _, outputs = pack
    seen, true = (torch.from_numpy(outputs[f"norm_{s}"][:64]).float() for s in ("2d", "3d"))
    for part in lifter.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    optimiser = torch.optim.Adam(lifter.train().requires_grad_().parameters(), 1e-3)
    losses, lengths = [], []
    for _ in range(3):
        loss = torch.nn.functional.mse_loss(lifter(seen), true)
        optimiser.zero_grad()
        loss.backward()
        lengths.append(torch.nn.utils.clip_grad_norm_(lifter.parameters(), 1.0).item())
        optimiser.step()
        losses.append(loss.item())
    near(np.array(losses), outputs["train_losses"], 1e-4)
    near(np.array(lengths), outputs["train_grad_norms"], 1e-3)
    with torch.inference_mode():
        near(lifter.eval()(seen[:8]).numpy(), outputs["train_after_3_steps"], 0.02)


def test_the_published_files_load(pack, tensors, tmp_path):
    _, outputs = pack
    checkpoint, statistics = tmp_path / "ckpt_best.pth.tar", tmp_path / "statistics.npz"
    torch.save({"epoch": 200, "state_dict": tensors, "err": 45.5}, checkpoint)
    names = ("mean_2d", "std_2d", "mean_3d", "std_3d")
    np.savez(statistics, **{name: outputs[name] for name in names})
    published = h36m.load(checkpoint, statistics)
    pixels = outputs["proj2d"].reshape(-1, 32, 2)[:, h36m.MOVING]
    near(published(pixels).reshape(-1, 51) * 1000, outputs["pred17"], 0.05)
    assert published(pixels[:0]).shape == (0, 17, 3)


def test_statistics_that_do_not_fit_are_told_all_at_once(tensors, tmp_path):
    checkpoint, statistics = tmp_path / "ckpt_best.pth.tar", tmp_path / "statistics.npz"
    torch.save({"state_dict": tensors}, checkpoint)
    np.savez(statistics, mean_2d=np.zeros(32), std_2d=np.ones(64), mean_3d=np.zeros(96))
    with pytest.raises(CheckpointError) as refused:
        h36m.load(checkpoint, statistics)
    assert "mean_2d: (32,), (64,) is wanted" in str(refused.value)
    assert "std_3d: missing, (96,) is wanted" in str(refused.value)


def test_every_array_of_the_pack_is_looked_at(pack):
    names = set(re.findall(r"[a-z0-9_]+", Path(__file__).read_text()))
    spaces = {
        f"{part}_{space}"
        for part in ("use", "ignore", "mean", "std", "norm")
        for space in ("2d", "3d")
    }
    assert set(pack[1]) - names - spaces == set()
