"""Read pickles of numpy arrays by name: detectron2's, with ``model`` round them, and SMPL's."""

from __future__ import annotations

import mmap
from pathlib import Path

import torch

from muybridge.containers import arrays, bodies, pickles
from muybridge.containers.arrays import Array, native
from muybridge.containers.held import bounded, by_name

NAMES = {**arrays.NAMES, **bodies.NAMES}


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a pickle of arrays; any protocol, from Python 2 as well."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        held = pickles.load(data, NAMES)
    size = path.stat().st_size
    if bodies.is_body(held):
        found = bodies.told(held, size)
    else:
        found = {name: array.values for name, array in by_name(held, Array).items()}
        bounded((array.nbytes for array in found.values()), size)
    return {name: torch.from_numpy(native(array)) for name, array in found.items()}
