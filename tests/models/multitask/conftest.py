"""The multi-task network's golden packs, and its networks with the packs' numbers."""

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
from muybridge.models.multitask.checkpoint import layout
from muybridge.models.multitask.model import Config, Spnet

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Pack:
    """Hold a pack: its manifest, its arrays, and the tensors that it says, named as in torch."""

    manifest: Arrays
    frames: np.ndarray
    outputs: Arrays
    tensors: dict[str, torch.Tensor]

    @property
    def config(self) -> Config:
        """The network's sizes, as the manifest has them."""
        given = self.manifest["config"]
        return Config(
            given["num_joints"],
            given["dim"],
            tuple(given["num_actions"]),
            given["num_pyramids"],
            tuple(given["action_pyramids"]),
            given["num_levels"],
            growth=given["growth"],
            kernel=given["kernel_size"][0],
            pose_features=given["num_pose_features"],
            visual_features=given["num_visual_features"],
            replica=given["pose_replica"],
            sharpness=given["sam_alpha"],
        )

    def network(self) -> Spnet:
        return checkpoints.filled(self.tensors, layout(self.config))  # type: ignore[return-value]

    def off(self, key: str, ours: Any) -> float:
        """Say how far numbers are from the authors'."""
        ours, theirs = np.asarray(ours), self.outputs[key]
        assert ours.shape == theirs.shape, key
        return float(np.abs(ours.astype(np.float64) - theirs).max())


@pytest.fixture(scope="session")
def pack(golden: Path, synthetic: Callable[[Path], Arrays]) -> Callable[[str], Pack]:
    """Read a pack by what its files' names end in."""
    held = dict[str, Pack]()

    def read(ending: str) -> Pack:
        if ending not in held:
            folder = golden / "multitask_pose_action"
            path = folder / f"manifest{ending}.json"
            tensors = {name: torch.from_numpy(t) for name, t in synthetic(path).items()}
            frames = np.load(folder / f"inputs{ending}.npz")["frames"]
            outputs = dict(np.load(folder / f"outputs{ending}.npz"))
            held[ending] = Pack(json.loads(path.read_text()), frames, outputs, tensors)
        return held[ending]

    return read
