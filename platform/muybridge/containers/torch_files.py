"""Read the two kinds of file that torch.save has written: zip archives, and the older stream.

A file is read as data (``pickles``): what it holds, and which storages its tensors look at. Only
the storages of tensors that are wanted are read then, so what an optimiser remembers costs nothing.
"""

from __future__ import annotations

import io
import math
import mmap
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from muybridge.containers import arrays, pickles
from muybridge.containers.held import bounded, by_name, told
from muybridge.errors import CheckpointError

KINDS = {
    "Double": torch.float64, "Float": torch.float32, "Half": torch.float16,
    "BFloat16": torch.bfloat16, "Long": torch.int64, "Int": torch.int32, "Short": torch.int16,
    "Char": torch.int8, "Byte": torch.uint8,
}  # fmt: skip
COUNT = struct.Struct("<q")  # of a storage's numbers, before them in the older kind


@dataclass(frozen=True)
class Storage:
    """Stand for the bytes that tensors look at, by the key they are kept under."""

    key: str
    numbers: int
    kind: torch.dtype

    @property
    def size(self) -> int:
        """Count the bytes that the storage claims."""
        return self.numbers * self.kind.itemsize


@dataclass(frozen=True)
class View(pickles.Record):
    """Stand for a tensor: which numbers of a storage it is made of."""

    storage: Storage
    start: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def size(self) -> int:
        """Count the bytes that the tensor claims."""
        return math.prod(self.shape) * self.storage.kind.itemsize

    def tensor(self, data: bytes) -> torch.Tensor:
        """Make the tensor of its storage's bytes."""
        if not self.size:
            return torch.empty(self.shape, dtype=self.storage.kind)
        numbers = torch.frombuffer(bytearray(data), dtype=self.storage.kind)
        return numbers.as_strided(self.shape, self.steps, self.start).clone()


Bytes = Callable[[str], bytes]  # a storage's, by its key


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a file, free of gradients."""
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"  # as torch itself tells them apart
    return _zip(path) if is_archive else _stream(path)


def _zip(path: Path) -> dict[str, torch.Tensor]:
    """Read an archive: one member is the pickle, and each storage is one."""
    with told(), zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        inner = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(inner) != 1:
            raise CheckpointError("it is a zip archive, but not one that torch.save wrote")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise CheckpointError("refused: parts of it are compressed, and torch.save never does")
        folder = inner[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order) != b"little":
            raise CheckpointError("its numbers have their highest byte first; save it elsewhere")
        held, storages = _inspected(io.BytesIO(archive.read(inner[0])))
        for storage in storages.values():
            there = members.get(f"{folder}data/{storage.key}")
            bounded([storage.size], there.file_size if there else 0)
        return _tensors(held, storages, path, lambda key: archive.read(f"{folder}data/{key}"))


def _stream(path: Path) -> dict[str, torch.Tensor]:
    """Read the older kind: magic number, version and machine, what it holds, then its storages."""
    with (
        told(),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for _ in range(3):
            pickles.load(data, {})
        held, storages = _inspected(data)
        bounded((storage.size for storage in storages.values()), len(data))
        places = _places(data, storages)
        return _tensors(held, storages, path, lambda key: data[places[key]])


def _places(data: mmap.mmap, storages: Mapping[str, Storage]) -> dict[str, slice]:
    """Find where the bytes of each storage lie: their keys are listed, and each has its length."""
    places = dict[str, slice]()
    for key in pickles.load(data, {}):
        storage = storages[str(key)]
        (numbers,) = COUNT.unpack(data.read(COUNT.size))
        at = data.tell()
        if numbers != storage.numbers or at + storage.size > len(data):
            raise ValueError("a storage is not as long as it claims")
        places[str(key)] = slice(at, at + storage.size)
        data.seek(at + storage.size)
    return places


def _tensors(
    held: Any, storages: Mapping[str, Storage], path: Path, data: Bytes
) -> dict[str, torch.Tensor]:
    """Make the tensors of what a file holds, reading each of their storages once."""
    views = by_name(held, View)
    size = path.stat().st_size
    bounded((storage.size for storage in storages.values()), size)
    bounded((view.size for view in views.values()), size)
    wanted = {view.storage.key for view in views.values() if view.size}
    read = {key: data(key)[: storages[key].size] for key in wanted}
    return {name: view.tensor(read.get(view.storage.key, b"")) for name, view in views.items()}


def _inspected(stream: Any) -> tuple[Any, dict[str, Storage]]:
    storages = dict[str, Storage]()

    def storage(reference: Any) -> Storage:
        _, kind, key, _, numbers, *_ = reference
        dtype = KINDS[kind.text.removeprefix("torch.").removesuffix("Storage")]
        if type(numbers) is not int or numbers < 0:
            raise ValueError("a storage without a size")
        found = Storage(str(key), numbers, dtype)
        if storages.setdefault(found.key, found) != found:
            raise ValueError("a storage that is two")
        return found

    return pickles.load(stream, NAMES, storage), storages


def _view(storage: Any, start: Any, shape: Any, steps: Any, *others: Any) -> View:
    numbers = (start, *shape, *steps)
    if len(shape) > arrays.MOST_AXES or len(shape) != len(steps):
        raise CheckpointError("refused: it holds a tensor of an impossible shape")
    if not all(type(n) is int and 0 <= n < 1 << 40 for n in numbers):
        raise CheckpointError("refused: it holds a tensor of an impossible shape")
    last = start + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if math.prod(shape) and last >= storage.numbers:
        raise CheckpointError("refused: it holds a tensor that reaches beyond its storage")
    return View(storage, start, tuple(shape), tuple(steps))


def _parameter(view: Any, *others: Any) -> Any:
    return view


def _never(*arguments: Any) -> Any:
    raise ValueError("a storage is called")


NAMES: dict[str, Any] = {
    **arrays.NAMES,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": tuple,
    **{f"torch.{kind}Storage": _never for kind in KINDS},
}
