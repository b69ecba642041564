"""VIBE's golden pack, and its networks and body with the pack's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import checkpoints
from muybridge.geometry.smpl import PARENTS, VERTICES, Body, Joints
from muybridge.models.vibe.checkpoint import LAYOUTS, completed
from muybridge.models.vibe.model import Generator, Hmr

Arrays = Mapping[str, Any]
Tensors = dict[str, torch.Tensor]

CHECKS = {  # which of the pack's outputs are compared together, and how far off they may be
    "matrices": (1e-4, "crop_matrix"),
    "crops": (0.1, "crop_uint8"),  # levels, the mean of a frame
    "backbone": (
        *(1e-4, "stem_mean", "layer1_mean", "layer2_mean", "layer3_mean", "layer4_mean"),
        "features",
    ),
    "encoder": (1e-4, "gru_out", "encoder_out"),
    "regressor": (1e-4, "regressor_iterations", "rotmat", "theta"),
    "windows of the encoder": (1e-4, "theta_chunks_16_4", "theta_two_sequences"),
    "body": (1e-4, "kp_3d", "verts_frames_0_7_13_19"),
    "evaluated joints": (1e-4, "kp_3d_h36m14", "kp_2d_h36m14"),
    "projection": (1e-4, "kp_2d"),
    "hmr": (1e-4, "spin_theta", "spin_rotmat", "spin_kp_3d", "spin_kp_2d"),
    "camera": (1e-3, "orig_cam"),
    "pixels": (0.05, "joints2d_img_coord"),
    "smoothing": (
        *(1e-4, "smooth_pose", "smooth_pose_cutoff0p04_beta1p5", "smooth_joints3d"),
        "smooth_verts_frames_7_19",
    ),
    "rotations": (1e-5, "rot6d_rotmat", "axis_angle_rotmat", "axis_angle_back"),
    "boxes": (*(1e-3, "bbox_params", "bbox_start_end", "bbox_demo", "bbox_params_smooth_sigma8"),),
    "training windows": (0, "chunks_16_stride16", "chunks_16_stride4"),
    "metrics": (
        *(1e-6, "metric_mpjpe_per_frame", "metric_pa_mpjpe_per_frame", "metric_accel"),
        "metric_accel_err",
    ),
}


@dataclass(frozen=True)
class Pack:
    """Hold the pack: its manifest, its arrays by key, and the tensors that it says."""

    manifest: Arrays
    inputs: Arrays
    outputs: Arrays
    tensors: Tensors

    def part(self, start: str) -> Tensors:
        """Give the tensors whose names start so, without that."""
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}

    @property
    def mean(self) -> Tensors:
        """The mean body, as smpl_mean_params.npz has it."""
        return {n: torch.from_numpy(self.inputs[f"init_{n}"]) for n in ("pose", "shape", "cam")}

    def given(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.inputs[key])

    def wanted(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.outputs[key])

    def matrix(self, name: str, rows: int) -> torch.Tensor:
        """Give a matrix (rows, V) of which the pack has the places and values that are not 0."""
        made = torch.zeros(rows, VERTICES)
        row, column = self.inputs[f"smpl.{name}_index"]
        made[row, column] = self.given(f"smpl.{name}_value")
        return made

    def check(self, check: str, ours: Arrays) -> None:
        """Compare all keys that belong to a check; none may be left out."""
        limit, *keys = CHECKS[check]
        assert set(ours) == set(keys)
        faults = [fault for key in keys if (fault := self._fault(key, ours[key], float(limit)))]
        assert faults == []

    def _fault(self, key: str, ours: Any, limit: float) -> str:
        ours, theirs = np.asarray(ours), self.outputs[key]
        if ours.shape != theirs.shape:
            return f"{key}: shape {ours.shape}, not {theirs.shape}"
        off = np.abs(ours.astype(np.float64) - theirs)
        error = off.mean((1, 2, 3)).max() if theirs.dtype == np.uint8 else off.max()
        return "" if error <= limit else f"{key}: off by {error:.3g}, limit {limit:.3g}"


@pytest.fixture(scope="session")
def vibe_pack(golden: Path, synthetic: Callable[[Path], Arrays]) -> Pack:
    folder = golden / "vibe"
    tensors = {n: torch.from_numpy(t) for n, t in synthetic(folder / "manifest.json").items()}
    manifest = json.loads((folder / "manifest.json").read_text())
    inputs, outputs = (dict(np.load(folder / f"{name}.npz")) for name in ("inputs", "outputs"))
    return Pack(manifest, inputs, outputs, tensors)


@pytest.fixture(scope="session")
def hmr(vibe_pack: Pack) -> Hmr:
    """The network of SPIN's file."""
    tensors = completed(vibe_pack.part("hmr."), vibe_pack.mean)
    return checkpoints.filled(tensors, LAYOUTS["spin"])  # type: ignore[return-value]


@pytest.fixture(scope="session")
def generator(vibe_pack: Pack) -> Generator:
    """The network of VIBE's file."""
    theirs = {
        n: t for n, t in vibe_pack.tensors.items() if n.startswith(("encoder.", "regressor."))
    }
    tensors = completed(theirs, vibe_pack.mean)
    return checkpoints.filled(tensors, LAYOUTS["vibe_wo_3dpw"])  # type: ignore[return-value]


@pytest.fixture(scope="session")
def body(vibe_pack: Pack) -> Body:
    """The pack's body."""
    weights = torch.zeros(VERTICES, len(PARENTS))
    places = vibe_pack.given("smpl.weights_index").long()
    weights.scatter_(1, places, vibe_pack.given("smpl.weights_value"))
    return Body(
        vibe_pack.given("smpl.v_template"),
        vibe_pack.tensors["smpl.shapedirs"],
        vibe_pack.tensors["smpl.posedirs"],
        vibe_pack.matrix("J_regressor", len(PARENTS)),
        weights,
        vibe_pack.given("smpl.faces").long(),
    )


@pytest.fixture(scope="session")
def joints(vibe_pack: Pack, body: Body) -> Joints:
    """The 49 joints of the pack's body."""
    return Joints(body, vibe_pack.matrix("J_regressor_extra", 9))
