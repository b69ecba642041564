"""Read the two kinds of file that torch.save has written: zip archives, and the older stream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from muybridge.errors import CheckpointError

WRAPPERS = ("state_dict", "model")


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a file that torch.save wrote, or of its ``state_dict`` or ``model``."""
    held = torch.load(path, map_location="cpu", weights_only=True)
    return unwrapped(held)


def unwrapped(held: Any) -> dict[str, torch.Tensor]:
    """Take the tensors by name out of what a file holds."""
    for name in WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping):
        raise CheckpointError(f"it holds a {type(held).__name__}, and tensors by name are wanted")
    others = [name for name, tensor in held.items() if not isinstance(tensor, torch.Tensor)]
    if others:
        raise CheckpointError(f"{others[0]!r} is no tensor but a {type(held[others[0]]).__name__}")
    return {str(name): tensor.detach() for name, tensor in held.items()}
