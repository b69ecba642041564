"""The golden pack of the lifter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from muybridge import checkpoints
from muybridge.models.lifter.h36m import LAYOUT
from muybridge.models.lifter.model import Lifter


@pytest.fixture(scope="session")
def pack(golden: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The pack's inputs and outputs."""
    folder = golden / "lifter_martinez"
    return dict(np.load(folder / "inputs.npz")), dict(np.load(folder / "outputs.npz"))


@pytest.fixture(scope="session")
def tensors(golden: Path, synthetic: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    """The pack's weights, under their authors' names."""
    arrays = synthetic(golden / "lifter_martinez" / "manifest.json")
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture
def lifter(tensors: dict[str, Any]) -> Lifter:
    """The network of the pack, filled anew for each test."""
    network = checkpoints.filled(tensors, LAYOUT)
    assert isinstance(network, Lifter)
    return network
