"""npz with the names of AMASS, posed again by SMPL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from muybridge.export.write import export
from muybridge.models.vibe.examples import motion

from .conftest import clip

pytestmark = pytest.mark.golden
NAMES = {"poses", "trans", "betas", "gender", "mocap_framerate"}
HANDS = (22, 37)  # of SMPL-H's 52 joints, the first finger of each hand


def npz(out: str, tmp_path: Path) -> dict[str, np.ndarray]:
    (_,) = export(out, "npz", output=tmp_path / "one.npz")
    with np.load(tmp_path / "one.npz", allow_pickle=False) as file:
        return dict(file)


def test_the_body_stands_where_the_camera_saw_it_with_z_up(moved, output, body, tmp_path):
    person = moved(12, betas=np.linspace(2, -2, 10))
    made = npz(output(clip(range(12), **person.columns)), tmp_path)
    assert set(made) >= NAMES
    assert (made["poses"].shape, made["trans"].shape) == ((12, 156), (12, 3))
    assert made["betas"][:10] == pytest.approx(np.linspace(2, -2, 10), abs=1e-6)
    assert made["betas"][10:].tolist() == [0] * 6
    assert (str(made["gender"]), float(made["mocap_framerate"])) == ("neutral", 30)
    joints = made["poses"].reshape(12, 52, 3)
    assert not np.delete(joints, [*range(22), *HANDS], axis=1).any()  # straight fingers
    turns = Rotation.from_rotvec(joints[:, [*range(22), *HANDS]].reshape(-1, 3)).as_matrix()
    turns = turns.reshape(12, 24, 3, 3)
    betas = torch.tensor(np.tile(made["betas"][:10], (12, 1)), dtype=torch.float32)
    posed = body(betas, torch.tensor(turns, dtype=torch.float32))
    found = posed.joints.numpy() + made["trans"][:, None]
    x, y, z = np.moveaxis(person.joints, 2, 0)
    wanted = np.stack([x, z, -y], axis=2)  # away from the camera is y, up is z
    assert np.linalg.norm(found - wanted, axis=2).max() < 1e-3


def test_what_is_exported_can_be_learnt_from_as_motion_capture(moved, output, tmp_path):
    person = moved(16)
    npz(output(clip(range(16), **person.columns)), tmp_path)
    learnt = motion(tmp_path / "one.npz", fps=30)
    assert learnt == pytest.approx(
        person.columns["smpl_rotations"][:, 1:].reshape(16, 69), abs=1e-5
    )


def test_frames_without_the_person_are_filled_in_and_told(moved, output, tmp_path):
    person = moved(3, wild=0)
    person.columns["smpl_rotations"][:, 5, 0] = (0.1, 0.2, 0.8)
    made = npz(output(clip([10, 11, 13], **person.columns)), tmp_path)
    assert made["seen"].tolist() == [True, True, False, True]
    assert made["times"] == pytest.approx(np.arange(10, 14) / 30)
    assert made["poses"][:, 15] == pytest.approx([0.1, 0.2, 0.5, 0.8], abs=1e-6)
    assert made["trans"][2] == pytest.approx(made["trans"][[1, 3]].mean(0))
