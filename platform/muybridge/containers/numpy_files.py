"""Read numpy's own files: .npy holds one array, .npz an archive of them by name.

Their headers are read, never a pickle in them: an array of Python objects is refused.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from muybridge.containers import bodies
from muybridge.containers.arrays import MOST_AXES, native, numeric
from muybridge.containers.held import told
from muybridge.errors import CheckpointError

ONE = "array"  # what the array of a .npy is called, as it has no name
LARGEST = 1 << 30  # bytes of all arrays of an archive, unpacked
layout: Any = np.lib.format
HEADERS = {(1, 0): layout.read_array_header_1_0, (2, 0): layout.read_array_header_2_0}


def read_one(path: Path) -> dict[str, torch.Tensor]:
    """Read the array of a .npy, under the name ``array``."""
    return {ONE: torch.from_numpy(native(array(path.read_bytes())))}


def read_archive(path: Path) -> dict[str, torch.Tensor]:
    """Read the arrays of a .npz by name; of a body model's, those that make the body."""
    with told(), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if (claimed := sum(member.file_size for member in members)) > LARGEST:
            raise CheckpointError(
                f"refused: its arrays claim {claimed:,} bytes, and at most {LARGEST:,} are read"
            )
        data = {member.filename.removesuffix(".npy"): archive.read(member) for member in members}
    needed = data if not bodies.is_body(data) else {n: data[n] for n in bodies.KEPT if n in data}
    found = {name: _member(name, part) for name, part in needed.items()}
    if bodies.is_body(found):
        found = bodies.told(found, LARGEST)
    return {name: torch.from_numpy(native(values)) for name, values in found.items()}


def _member(name: str, data: bytes) -> NDArray[Any]:
    try:
        return array(data)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error


def is_archive(path: Path) -> bool:
    """Tell a .npz from other zip archives, such as torch's."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def array(data: bytes) -> NDArray[Any]:
    """Read an array in numpy's format; CheckpointError if it holds no numbers or is cut off."""
    stream = io.BytesIO(data)
    with told():
        shape, columns_first, dtype = HEADERS[layout.read_magic(stream)](stream)
    if not numeric(dtype):
        raise CheckpointError(f"refused: it holds an array of kind {dtype}, no numbers")
    rest = memoryview(data)[stream.tell() :]
    if len(shape) > MOST_AXES or math.prod(shape) * dtype.itemsize != len(rest):
        raise CheckpointError(
            f"refused: an array of shape {shape[:MOST_AXES]} and kind {dtype} has {len(rest):,} "
            "bytes; it is cut off, or not the official file"
        )
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if columns_first else "C")
