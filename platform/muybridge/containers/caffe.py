"""Read Caffe's models (.caffemodel): a NetParameter in protobuf's wire format.

Only the few fields that hold weights are looked at. Their numbers are those of Caffe's published
message definitions, for both ways in which it has written layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from muybridge.errors import CheckpointError

INTEGER, EIGHT_BYTES, PIECE, FOUR_BYTES = 0, 1, 2, 5  # protobuf's wire types
FIXED = {EIGHT_BYTES: 8, FOUR_BYTES: 4}  # bytes
LAYERS = {100: (1, 7), 2: (4, 6)}  # field of a net -> a layer's fields with its name, its blobs
LEAVES = ("weight", "bias")
OLD_SHAPE, DATA, SHAPE = (1, 2, 3, 4), 5, 7  # fields of a blob
MOST_AXES = 8

Field = tuple[int, Any]  # number, and an integer or a piece of the file


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read each layer's first and second blob as ``<layer>.weight`` and ``<layer>.bias``."""
    tensors = dict[str, torch.Tensor]()
    for number, piece in fields(memoryview(path.read_bytes())):
        if number in LAYERS:
            _add(tensors, *LAYERS[number], list(fields(piece)))
    if not tensors:
        raise CheckpointError("it is a Caffe model without weights; the .caffemodel is wanted")
    return tensors


def fields(data: Any) -> Iterator[Field]:
    """Split a message into its fields; CheckpointError where it is broken off."""
    if not isinstance(data, memoryview):
        raise CheckpointError("it is no Caffe model, or a broken one: a message is a number in it")
    at = 0
    while at < len(data):
        key, at = _integer(data, at)
        number, kind = key >> 3, key & 7
        if kind == INTEGER:
            value, at = _integer(data, at)
            yield number, value
            continue
        if kind == PIECE:
            size, at = _integer(data, at)
        elif kind in FIXED:
            size = FIXED[kind]
        else:
            raise CheckpointError("it is no Caffe model, or a broken one; fetch it again")
        if size > len(data) - at:
            raise CheckpointError(
                f"it is cut off: a field claims {size:,} bytes and {len(data) - at:,} are left; "
                "fetch it again"
            )
        yield number, data[at : at + size]
        at += size


def _integer(data: memoryview, at: int) -> tuple[int, int]:
    """Read an integer of one to ten bytes, and say where the next field stands."""
    value = 0
    for shift, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise CheckpointError("it is no Caffe model, or it is cut off within a number; fetch it again")


def _add(tensors: dict[str, torch.Tensor], name: int, blobs: int, layer: list[Field]) -> None:
    """Add what a layer holds, by the numbers of its fields."""
    called = next((bytes(value).decode(errors="replace") for n, value in layer if n == name), "")
    held = [value for n, value in layer if n == blobs]
    if len(held) > len(LEAVES):
        raise CheckpointError(f"layer {called!r} has {len(held)} blobs, and two are understood")
    for leaf, blob in zip(LEAVES, held):  # noqa: B905 - a layer may have no bias
        if f"{called}.{leaf}" in tensors:
            raise CheckpointError(f"two layers in it are called {called!r}")
        tensors[f"{called}.{leaf}"] = torch.from_numpy(_numbers(called, leaf, list(fields(blob))))


def _numbers(layer: str, leaf: str, blob: list[Field]) -> NDArray[np.float32]:
    """Read a blob's numbers in its shape; before shapes had a field, all blobs had four axes."""
    pieces = [(number, value) for number, value in blob if isinstance(value, memoryview)]
    data = b"".join(value for number, value in pieces if number == DATA)
    shape = next((_shape(value) for number, value in pieces if number == SHAPE), None)
    if shape is None:
        sizes = {number: value for number, value in blob if isinstance(value, int)}
        shape = [sizes.get(number, 0) for number in OLD_SHAPE]
        shape = shape[3:] if leaf == "bias" else shape
    if len(shape) > MOST_AXES or math.prod(shape) * 4 != len(data):
        raise CheckpointError(
            f"layer {layer!r} claims a {leaf} of shape {tuple(shape[:MOST_AXES])} and has "
            f"{len(data):,} bytes of float32; use the official file"
        )
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


def _shape(message: Any) -> list[int]:
    """Read a shape, whose sizes are packed into one field or stand in a field each."""
    sizes = list[int]()
    for _, value in fields(message):
        if isinstance(value, int):
            sizes.append(value)
            continue
        at = 0
        while at < len(value):
            size, at = _integer(value, at)
            sizes.append(size)
    return sizes
