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
from muybridge.models.triangulation.volumetric import Space

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


@pytest.fixture(scope="session")
def volumetric_pack(golden: Path, synthetic: Callable[[Path], Arrays]) -> Pack:
    return _pack(golden / "triangulation_volumetric", synthetic)


@pytest.fixture(scope="session")
def volumetric(volumetric_pack: Pack) -> Any:
    """The volumetric network with the pack's numbers and its 32 cells along an edge."""
    network: Any = checkpoints.filled(
        volumetric_pack.tensors, LAYOUTS["human36m_vol_softmax_10-08-2019"]
    )
    network.space = Space(cells=volumetric_pack.manifest["config"]["volume_size"])
    return network
