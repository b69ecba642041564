"""Write a golden pack's tensors as Keras saves a network's weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BACK = {2: (1, 0), 4: (2, 3, 1, 0)}  # to Keras's order of axes


def arrays(manifest: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Name a pack's tensors as Keras does, in its order of axes, with the fixed kernels."""
    made = {}
    for row in manifest["tensors"]:
        values = np.asarray(tensors[row["name"]])
        axes = (
            (2, 3, 0, 1) if row["keras"].endswith("depthwise_kernel:0") else BACK.get(values.ndim)
        )
        made[row["keras"]] = values if axes is None else values.transpose(axes)
        assert list(made[row["keras"]].shape) == row["keras_shape"]
    for layer in ("dp1_pb1_xy_x", "dp1_pb1_xy_y", "act1_xy2_x", "act1_xy2_y"):
        made[f"{layer}/depthwise_kernel:0"] = np.ones((16, 16, 17, 1), np.float32)
        made[f"{layer}/pointwise_kernel:0"] = np.ones((1, 1, 17, 17), np.float32)
    return made


def save(path: Path, arrays: Mapping[str, Any]) -> Path:
    """Write arrays as Keras's save_weights does, with a layer that has none."""
    layers: dict[str, list[str]] = {"input_1": []}
    for name in arrays:
        layers.setdefault(name.partition("/")[0], []).append(name)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.4"
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = arrays[name]
    return path
