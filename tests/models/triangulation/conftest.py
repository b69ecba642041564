"""The golden packs of learnable triangulation, and its networks with the packs' numbers."""

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
from muybridge.models.triangulation.checkpoint import LAYOUTS

Arrays = Mapping[str, Any]
TO_METRES = torch.tensor([1000, 1000, 1000, 1.0], dtype=torch.float64)


@dataclass(frozen=True)
class Pack:
    """Hold a pack: its manifest, its arrays by key, and the tensors that it says."""

    manifest: Arrays
    inputs: Arrays
    outputs: Arrays
    tensors: dict[str, torch.Tensor]

    def given(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.inputs[key])

    def projections(self, key: str) -> torch.Tensor:
        """Give matrices (..., 3, 4) that take points in mm as those that take metres."""
        return self.given(key).double() * TO_METRES

    def off(self, key: str, ours: Any) -> float:
        """Say how far numbers are from the authors'."""
        ours, theirs = np.asarray(ours), self.outputs[key]
        assert ours.shape == theirs.shape, key
        return float(np.abs(ours.astype(np.float64) - theirs).max())


def _pack(folder: Path, synthetic: Callable[[Path], Arrays]) -> Pack:
    path = folder / "manifest.json"
    tensors = {name: torch.from_numpy(t) for name, t in synthetic(path).items()}
    inputs, outputs = (dict(np.load(folder / f"{name}.npz")) for name in ("inputs", "outputs"))
    return Pack(json.loads(path.read_text()), inputs, outputs, tensors)


@pytest.fixture(scope="session")
def algebraic_pack(golden: Path, synthetic: Callable[[Path], Arrays]) -> Pack:
    return _pack(golden / "triangulation_algebraic", synthetic)


@pytest.fixture(scope="session")
def algebraic(algebraic_pack: Pack) -> Any:
    """The algebraic network with the pack's numbers."""
    return checkpoints.filled(algebraic_pack.tensors, LAYOUTS["human36m_alg_10-04-2019"])
