"""Read Keras's weights (.hdf5, .h5): a group a layer, its arrays named by an attribute.

A file may point elsewhere: into other files, by links or as the place of an array's bytes. Nothing
of that is followed. Arrays get the names and the order of axes that torch gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from muybridge.containers.arrays import MOST_AXES, native, numeric
from muybridge.containers.held import bounded, told
from muybridge.errors import CheckpointError

LEAVES = {  # Keras's name of an array, and torch's
    "kernel": "weight",
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
AXES = {  # torch's order of axes, by Keras's name and how many there are
    ("kernel", 2): (1, 0),
    ("kernel", 4): (3, 2, 0, 1),
    ("depthwise_kernel", 4): (2, 3, 0, 1),
    ("pointwise_kernel", 4): (3, 2, 0, 1),
}


def read(path: Path) -> dict[str, torch.Tensor]:
    """Read each layer's arrays, ``kernel`` as ``<layer>.weight`` and so on."""
    with told(), h5py.File(path, "r", locking=False) as file:
        found = list(_arrays(file))
        bounded((array.nbytes for _, _, array in found), path.stat().st_size)
        tensors = dict[str, torch.Tensor]()
        for layer, kind, array in found:
            name = f"{layer}.{LEAVES.get(kind, kind)}"
            if name in tensors:
                raise CheckpointError(f"two arrays in it are called {name!r}")
            tensors[name] = torch.from_numpy(_numbers(kind, array))
    return tensors


def _arrays(file: Any) -> Iterator[tuple[str, str, Any]]:
    """Go through the arrays: the layer's name, what the array is in it, and itself, not read."""
    layers = _names(file, "layer_names")
    if not layers:
        raise CheckpointError("it is HDF5 without layer_names; Keras's weights are wanted")
    for layer in layers:
        group = _inside(file, layer, h5py.Group)
        for name in _names(group, "weight_names"):
            kind = re.sub(r":\d+$", "", name.rpartition("/")[2])
            yield layer, kind, _array(group, name)


def _names(group: Any, called: str) -> list[str]:
    """Read an attribute of names; a long one is cut into several, which are numbered."""
    parts = [called] if called in group.attrs else _numbered(group, called)
    names = list[str]()
    for part in parts:
        kind = group.attrs.get_id(part).dtype
        if kind.kind == "S" or h5py.check_string_dtype(kind) is not None:
            names += [_text(name) for name in np.atleast_1d(group.attrs[part])]
        elif group.attrs.get_id(part).shape != (0,):  # of a layer without weights
            raise CheckpointError(f"refused: {part} in it is of kind {kind}, no names")
    return names


def _numbered(group: Any, called: str) -> list[str]:
    found = [name for name in group.attrs if re.fullmatch(called + r"\d+", name)]
    return sorted(found, key=lambda name: int(name.removeprefix(called)))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _inside(group: Any, path: str, kind: type[Any]) -> Any:
    """Go down a path, by what stands in the file itself alone."""
    for name in path.split("/"):
        link = group.get(name, getlink=True) if name not in ("", ".") else None
        if link is None:
            raise CheckpointError(f"{path!r} is named in it and is not there; fetch it again")
        if type(link) is not h5py.HardLink:
            raise CheckpointError(f"refused: {path!r} in it is a link to elsewhere")
        group = group[name]
    if not isinstance(group, kind):
        raise CheckpointError(f"{path!r} in it is no {kind.__name__.lower()}")
    return group


def _array(group: Any, path: str) -> Any:
    array = _inside(group, path, h5py.Dataset)
    if array.external or array.is_virtual:
        raise CheckpointError(f"refused: {path!r} lies in another file")
    if not numeric(array.dtype):
        raise CheckpointError(f"refused: {path!r} is of kind {array.dtype}, no numbers")
    if array.shape is None or len(array.shape) > MOST_AXES:
        raise CheckpointError(f"refused: {path!r} has an impossible shape, {array.shape}")
    return array


def _numbers(kind: str, array: Any) -> NDArray[Any]:
    """Read an array in torch's order of axes; one with another number of axes as it is."""
    axes = AXES.get((kind, array.ndim), tuple(range(array.ndim)))
    return native(np.asarray(array[()]).transpose(axes))
