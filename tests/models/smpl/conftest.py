"""SMPL's golden pack, and its body read from a file of the published form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge.geometry.smpl import JOINTS, VERTICES

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Pack:
    """Hold the pack: what is given, what must come out, and the body's files' arrays by name."""

    inputs: Arrays
    outputs: Arrays
    body: dict[str, np.ndarray]

    def matrix(self, name: str, rows: int) -> np.ndarray:
        """Give a matrix (rows, V) of which the pack has the places and values that are not 0."""
        made = np.zeros((rows, VERTICES))
        made[tuple(self.inputs[f"smpl.{name}_index"])] = self.inputs[f"smpl.{name}_value"]
        return made

    def given(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.inputs[key]).double()

    def wanted(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.outputs[key]).double()


@pytest.fixture(scope="session")
def smpl_pack(golden: Path, synthetic: Callable[[Path], Arrays]) -> Pack:
    folder = golden / "smpl_lbs"
    inputs, outputs = (dict(np.load(folder / f"{name}.npz")) for name in ("inputs", "outputs"))
    filled = synthetic(folder / "manifest.json")
    weights = np.zeros((VERTICES, len(JOINTS)))
    np.put_along_axis(weights, inputs["smpl.weights_index"], inputs["smpl.weights_value"], 1)
    made = Pack(inputs, outputs, {})
    made.body.update(
        v_template=inputs["smpl.v_template"],
        shapedirs=np.asarray(filled["smpl.shapedirs"]),
        posedirs=np.asarray(filled["smpl.posedirs"]),
        J_regressor=made.matrix("J_regressor", len(JOINTS)),
        weights=weights,
        f=inputs["smpl.faces"],
        kintree_table=inputs["smpl.kintree_table"].astype(np.uint32),
    )
    return made
