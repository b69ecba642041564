"""The golden pack of DensePose, and networks filled as it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import checkpoints
from muybridge.models.densepose.checkpoint import LAYOUTS
from muybridge.models.densepose.config import Config
from muybridge.models.densepose.model import DensePose

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Pack:
    """Hold the pack's arrays by key, and how far ours may be from them."""

    folder: Path
    inputs: Arrays
    outputs: Arrays
    tolerance: Arrays

    def group(self, start: str) -> list[str]:
        return [key for key in self.outputs if key.startswith(start)]

    def limit(self, key: str) -> float:
        """Return the largest difference that the pack's notes suggest."""
        row = self.tolerance.get(key, {})
        values = self.outputs[key]
        rms = row.get("rms", float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))))
        return max(10 * row.get("float64", 0.0), 1e-5 * rms, 1e-7)

    def fault(self, key: str, ours: Any) -> str:
        """Say how ours differs from the pack's; "" if it does not by more than it may."""
        theirs = self.outputs[key]
        if isinstance(ours, torch.Tensor):
            ours = ours.cpu().numpy()
        ours = np.asarray(ours)
        if ours.shape != theirs.shape:
            return f"{key}: shape {ours.shape}, not {theirs.shape}"
        error = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0))
        whole = theirs.dtype.kind in "iu"
        limit = 1 if key.endswith("quantized") else 0 if whole else self.limit(key)
        return "" if error <= limit else f"{key}: off by {error:.3g}, limit {limit:.3g}"

    def check(self, start: str, ours: Arrays) -> None:
        """Compare all the pack's keys that start so; none may be left out."""
        assert set(ours) == set(self.group(start))
        assert [fault for key in ours if (fault := self.fault(key, ours[key]))] == []


@pytest.fixture(scope="session")
def pack(golden: Path) -> Pack:
    folder = golden / "densepose_r50_fpn"
    files = ("outputs.npz", "outputs_variants.npz", "outputs_units.npz")
    outputs = {key: value for file in files for key, value in np.load(folder / file).items()}
    tolerance = json.loads((folder / "tolerance.json").read_text())
    return Pack(folder, dict(np.load(folder / "inputs.npz")), outputs, tolerance)


@pytest.fixture(scope="session")
def filled(pack: Pack, synthetic: Callable[[Path], Arrays]) -> Callable[[str, str], DensePose]:
    """Make the network of a manifest and a variant's name, run as the manifest says."""

    def make(manifest: str, name: str) -> DensePose:
        tensors = {n: torch.from_numpy(t) for n, t in synthetic(pack.folder / manifest).items()}
        network = checkpoints.filled(tensors, LAYOUTS[name])
        assert isinstance(network, DensePose)
        settings = json.loads((pack.folder / manifest).read_text())["settings"]
        network.config = _with(network.config, settings)
        return network

    return make


def _with(config: Config, settings: Mapping[str, int]) -> Config:
    return replace(
        config,
        min_size=settings["INPUT.MIN_SIZE_TEST"],
        max_size=settings["INPUT.MAX_SIZE_TEST"],
        detections=settings["TEST.DETECTIONS_PER_IMAGE"],
    )
