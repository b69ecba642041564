"""Packs of OpenPose's outputs, as one value each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge.checkpoints import filled
from muybridge.models.openpose.checkpoint import LAYOUTS
from muybridge.models.openpose.model import OpenPose


@dataclass
class Pack:
    """A golden pack: its manifest and its arrays."""

    manifest: dict[str, Any]
    inputs: Any
    outputs: Any


@pytest.fixture(scope="session")
def pack(golden: Path) -> Callable[[str], Pack]:
    def read(name: str) -> Pack:
        folder = golden / name
        manifest = json.loads((folder / "manifest.json").read_text())
        return Pack(manifest, np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz"))

    return read


@pytest.fixture(scope="session")
def network(golden: Path, synthetic: Any) -> Callable[[str], OpenPose]:
    """Fill the network called so with its pack's weights."""

    def make(name: str) -> OpenPose:
        arrays = synthetic(golden / name / "manifest.json")
        tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
        return filled(tensors, LAYOUTS[name])  # type: ignore[return-value]

    return make
