"""Read model files from strangers, rename their tensors by table, and fill a network exactly.

Reading runs no code from a file (``containers/``). A network takes a file only if every tensor has
its place, its shape and finite numbers; else every fault is listed at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from muybridge.containers import caffe, hdf5, numpy_files, pickled, torch_files
from muybridge.errors import CheckpointError, listed

Tensors = dict[str, torch.Tensor]

LARGEST = 4 << 30  # bytes of a file; the largest of the systems' own has 0.5 GB
LINES = 10  # of faults that are printed
NUMERIC = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip


@dataclass(frozen=True)
class Completion:
    """Say which other weights a file's tensors are completed with, where it lacks theirs.

    ``lacking`` tells whether it does, and ``completed`` puts the tensors of both together.
    """

    name: str
    lacking: Callable[[Tensors], bool]
    completed: Callable[[Tensors, Tensors], Tensors]


@dataclass(frozen=True)
class Layout:
    """Say how the tensors of an official file become a network's.

    Rows of ``table`` are (their module, our module), or two tensors that stand in no module. A
    module's weight, bias and running statistics come along. ``{}`` stands for a piece of a name
    without dots, and the pieces are kept in order. The first row that matches counts. Every tensor
    must match a row or one of ``ignored``, and every row a tensor. No rows mean the same names.

    ``check`` lists what is wrong with the file's tensors that names and shapes do not tell.
    ``completion`` is for files of which some lack what stands in another one. ``prepared`` takes
    from the file's tensors what only some of its kind have; done again, it changes nothing.
    """

    network: Callable[[], nn.Module]
    table: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...] = ()
    check: Callable[[Tensors], list[str]] = lambda tensors: []
    completion: Completion | None = None
    prepared: Callable[[Tensors], Tensors] = lambda tensors: tensors


def read(path: Path) -> Tensors:
    """Read the tensors of a model file of any kind that is known, told by what is in it.

    CheckpointError says what is wrong: it asks for code, claims more than it holds, has numbers
    that are not finite, or is no such file.
    """
    try:
        tensors = _read(path)
        _refuse(f"{len(tensors)} tensors were read", _faults(tensors))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    return tensors


def kind(path: Path) -> str:
    """Tell what kind of model file it is, by how it starts; CheckpointError if it is none."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        raise CheckpointError("the file is empty; fetch it again")
    for other, pattern in OTHERS.items():
        if re.match(pattern, start, re.IGNORECASE):
            raise CheckpointError(f"this is no model but {other}")
    for pattern, name in STARTS.items():
        if re.match(pattern, start, re.DOTALL):
            return "npz" if name == "torch zip" and numpy_files.is_archive(path) else name
    raise CheckpointError(
        f"this is no model file, it starts with {start[:8]!r}; can be read: {', '.join(READERS)}"
    )


def write(tensors: Tensors, path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors and what is known of them as a safetensors file."""
    apart = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    save_file(apart, str(path), dict(metadata))


def metadata(path: Path) -> dict[str, str]:
    """Read what is known of the tensors of a safetensors file, without reading them."""
    try:
        with safe_open(str(path), "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: no safetensors file: {error}") from error


def renamed(tensors: Tensors, layout: Layout) -> Tensors:
    """Give tensors the network's names; CheckpointError lists those without a row, and idle rows.

    The file's own tensors are not copied.
    """
    tensors = layout.prepared(tensors)
    ours, strangers = _matched(tensors, layout)
    faults = [f"{name}: no row of the table is for it" for name in strangers]
    faults += [f"{row!r}: no tensor is for this row" for row in _idle(tensors, layout)]
    if len(set(ours.values())) < len(ours):
        faults += [f"{n}: two tensors get this name" for n in _twice(ours.values())]
    _refuse("the tensors cannot be renamed", faults)
    return {ours[name]: tensor for name, tensor in tensors.items() if name in ours}


def filled(tensors: Tensors, layout: Layout) -> nn.Module:
    """Make the network with these tensors, in eval mode and without gradients.

    CheckpointError lists every fault at once, in the network's own order.
    """
    tensors = layout.prepared(tensors)
    network = layout.network()
    own = network.state_dict()
    ours, strangers = _matched(tensors, layout)
    theirs = {name: tensors[old] for old, name in ours.items()}
    faults = [f"{n}: {fault}" for n in own if (fault := _misfit(theirs.get(n), own[n]))]
    strangers += [old for old, name in ours.items() if name not in own]
    faults += [f"{name}: the model has no such tensor" for name in strangers]
    faults += layout.check(tensors)
    title = f"{len(faults)} of {len(own) + len(strangers)} tensors do not fit"
    advice = "Is it the file of another variant?"
    _refuse(f"{type(network).__name__}: {title}", faults, advice)
    network.load_state_dict(renamed(tensors, layout))
    return network.eval().requires_grad_(False)


def _read(path: Path) -> Tensors:
    if (size := path.stat().st_size) > LARGEST:
        raise CheckpointError(f"it has {size:,} bytes, and at most {LARGEST:,} are read")
    return READERS[kind(path)](path)


def _safetensors(path: Path) -> Tensors:
    try:
        with safe_open(str(path), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"the safetensors file is broken: {error}; fetch it again") from error


STARTS = {  # what a file starts with
    rb"PK\x03\x04": "torch zip",
    rb"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19": "torch legacy",
    rb"\x80[\x02-\x05]|\([dl]p|[}\]]q|c[\w.]+\n\w+\n": "pickle",
    rb"\x93NUMPY": "npy",
    rb"\x89HDF\r\n\x1a\n": "hdf5",
    rb".{6}\x00\x00\{": "safetensors",
    rb"\x0a[^\x00]|\xa2\x06|\x12": "caffemodel",
}
READERS: dict[str, Callable[[Path], Tensors]] = {
    "torch zip": torch_files.read,
    "torch legacy": torch_files.read,
    "pickle": pickled.read,
    "npy": numpy_files.read_one,
    "npz": numpy_files.read_archive,
    "hdf5": hdf5.read,
    "safetensors": _safetensors,
    "caffemodel": caffe.read,
}
OTHERS = {  # what people have instead of a model
    "a web page, so the address did not give the file": rb"\s*<(!doctype|html|\?xml)",
    "a pointer of Git LFS, to be fetched with git lfs pull": rb"version https://git-lfs",
    "packed with gzip: unpack it first": rb"\x1f\x8b",
}


def _matched(tensors: Tensors, layout: Layout) -> tuple[dict[str, str], list[str]]:
    """Return our name of each tensor that has one, and the names that nothing is known of."""
    ours, strangers = dict[str, str](), list[str]()
    for name in tensors:
        if any(_match(row, name) for row in layout.ignored):
            continue
        new = name if not layout.table else _renamed(name, layout)
        if new is None:
            strangers.append(name)
        else:
            ours[name] = new
    return ours, strangers


def _renamed(name: str, layout: Layout) -> str | None:
    for row, ours in layout.table:
        if found := _match(row, name):
            *pieces, leaf = found.groups(default="")
            return ours.format(*pieces) + leaf
    return None


def _match(row: str, name: str) -> re.Match[str] | None:
    """Match a row with a tensor's name: groups are the pieces, and the part after the module."""
    pattern = re.escape(row).replace(r"\{\}", r"([^.]+?)")
    return re.fullmatch(pattern + r"(\.[^.]+)", name) or re.fullmatch(pattern + "()", name)


def _idle(tensors: Tensors, layout: Layout) -> list[str]:
    return [row for row, _ in layout.table if not any(_match(row, name) for name in tensors)]


def _twice(names: Iterable[str]) -> list[str]:
    names = list(names)
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _faults(tensors: Tensors) -> list[str]:
    return [f"{name}: {fault}" for name, t in tensors.items() if (fault := _fault(t))]


def _fault(tensor: torch.Tensor) -> str:
    """Say what is wrong with a tensor in itself; "" if it holds finite numbers."""
    if tensor.dtype not in NUMERIC or tensor.layout != torch.strided:
        return f"{tensor.dtype} is no kind of number that a model is made of"
    if not tensor.sum().isfinite() and not tensor.isfinite().all():  # the sum is five times faster
        return "not all numbers are finite"
    return ""


def _misfit(found: torch.Tensor | None, own: torch.Tensor) -> str:
    if found is None:
        return "the checkpoint lacks it"
    if found.shape != own.shape:
        return f"checkpoint {tuple(found.shape)}, model {tuple(own.shape)}"
    if found.is_floating_point() != own.is_floating_point():
        return f"checkpoint {found.dtype}, model {own.dtype}"
    return _fault(found)


def _refuse(title: str, faults: list[str], advice: str = "") -> None:
    if faults:
        more = [f"… and {len(faults) - LINES} more"] if len(faults) > LINES else []
        text = listed(title, [*faults[:LINES], *more])
        raise CheckpointError(f"{text}\n{advice}".rstrip())
