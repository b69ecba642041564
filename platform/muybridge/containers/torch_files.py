"""Read the two kinds of file that torch.save has written: zip archives, and the older stream.

A file is read twice: first as data (``pickles``), to see what it asks for and claims, then by torch
itself with ``weights_only``.
"""

from __future__ import annotations

import io
import math
import mmap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from muybridge.containers import pickles
from muybridge.containers.held import bounded, by_name
from muybridge.errors import CheckpointError

BYTES = {  # of one number
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2,
    "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """Stand for the bytes that tensors look at, by the key they are kept under."""

    key: str
    numbers: int
    each: int


@dataclass(frozen=True)
class View(pickles.Record):
    """Stand for a tensor."""

    storage: Storage
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Count the bytes that the tensor claims."""
        return math.prod(self.shape) * self.storage.each


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a file that torch.save wrote, or of its ``state_dict`` or ``model``."""
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"  # as torch itself tells them apart
    views, storages = _zip(path) if is_archive else _stream(path)
    size = path.stat().st_size
    bounded((storage.numbers * storage.each for storage in storages), size)
    bounded((view.size for view in by_name(views, View).values()), size)
    with _told():
        held = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.detach() for name, tensor in by_name(held, torch.Tensor).items()}


def _zip(path: Path) -> tuple[Any, set[Storage]]:
    """Look into an archive: what it holds, and the storages that it claims."""
    with _told(), zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        inner = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(inner) != 1:
            raise CheckpointError("it is a zip archive, but not one that torch.save wrote")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise CheckpointError("refused: parts of it are compressed, and torch.save never does")
        held, storages = _inspected(io.BytesIO(archive.read(inner[0])))
        folder = inner[0].removesuffix("data.pkl")
        for storage in storages:
            there = members.get(f"{folder}data/{storage.key}")
            bounded([storage.numbers * storage.each], there.file_size if there else 0)
        return held, storages


def _stream(path: Path) -> tuple[Any, set[Storage]]:
    """Look into the older kind: magic number, version and machine stand before what it holds."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for _ in range(3):
            pickles.load(data, {})
        return _inspected(data)


def _inspected(stream: Any) -> tuple[Any, set[Storage]]:
    storages = set[Storage]()

    def storage(reference: Any) -> Storage:
        _, kind, key, _, numbers, *_ = reference
        each = BYTES[kind.text.removeprefix("torch.").removesuffix("Storage")]
        if type(numbers) is not int or numbers < 0:
            raise ValueError("a storage without a size")
        storages.add(found := Storage(str(key), numbers, each))
        return found

    return pickles.load(stream, NAMES, storage), storages


def _view(storage: Any, offset: Any, shape: Any, *others: Any) -> View:
    if len(shape) > 8 or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
        raise CheckpointError("refused: it holds a tensor of an impossible shape")
    return View(storage, shape)


def _parameter(view: Any, *others: Any) -> Any:
    return view


def _never(*arguments: Any) -> Any:
    raise ValueError("a storage is called")


@contextmanager
def _told() -> Iterator[None]:
    """Turn what torch and zipfile say of a broken file into one error; torch's advice is unsafe."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # they raise whatever their reading stumbled over
        cause = type(error).__name__
        raise CheckpointError(f"it is broken or cut off ({cause}); fetch it again") from error


NAMES: dict[str, Any] = {
    "collections.OrderedDict": dict,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": tuple,
    **{f"torch.{kind}Storage": _never for kind in BYTES},
}
