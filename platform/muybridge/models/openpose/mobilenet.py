"""A small OpenPose: MobileNet V2 in front, the 18 joints of COCO, from its list of operations.

The files are those of ildoonet's tf-pose-estimation (Apache-2.0), which the user brings: a folder
with ``graph.json``, the operations of the TensorFlow graph in their order, and ``weights.npz``, its
constants by name. A third of its batch norms use the statistics of the picture at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.errors import CheckpointError
from muybridge.models.openpose.bodies import COCO
from muybridge.models.openpose.sampling import linear, resampled

FILES = ("graph.json", "weights.npz")
Attributes = Mapping[str, Any]


class OpenPoseMobilenet(nn.Module):
    """Run the operations of a graph over pictures (N, 3, H, W): B, G, R, from -1 to 1.

    Sides are multiples of 16; maps (N, 57, H / 8, W / 8) come out.
    """

    body = COCO
    shades = (1 / 127.5, -1.0)

    def __init__(self, operations: list[dict[str, Any]], constants: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.operations = operations
        for name, value in constants.items():
            self.register_buffer(name, value)

    def forward(self, pictures: Tensor) -> Tensor:
        values: dict[str, Any] = {
            "image:0": pictures,
            "image": pictures,
            **dict(self.named_buffers()),
        }
        for row in self.operations:
            if row["op"] != "Placeholder":
                given = [values[name] for name in row["inputs"] if name in values]
                values[row["name"]] = OPERATIONS[row["op"]](row["attrs"], *given)
        return values[self.operations[-1]["name"]]


def load(folder: Path) -> OpenPoseMobilenet:
    """Read the network from the user's folder, in eval mode."""
    try:
        rows = json.loads((folder / FILES[0]).read_text())["ops"]
        with np.load(folder / FILES[1], allow_pickle=False) as file:
            constants = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file}
    except (OSError, ValueError, KeyError) as error:
        wanted = f"give the folder with {' and '.join(FILES)}"
        raise CheckpointError(f"{folder}: no OpenPose with MobileNet: {error}; {wanted}") from error
    if unknown := {row["op"] for row in rows} - OPERATIONS.keys() - {"Placeholder"}:
        raise CheckpointError(f"{folder}: its graph has unknown operations: {sorted(unknown)}")
    return OpenPoseMobilenet(rows, constants).eval()


def _convolved(how: Attributes, x: Tensor, kernels: Tensor) -> Tensor:
    """Pad as TensorFlow's "same", which puts what is uneven to the right and the bottom."""
    step, sides = how["strides"][1], list[int]()
    for size, kernel in zip(reversed(x.shape[2:]), reversed(kernels.shape[2:]), strict=True):
        more = max((-(-size // step) - 1) * step + kernel - size, 0)
        sides += [more // 2, more - more // 2]
    groups = x.shape[1] // kernels.shape[1]
    return functional.conv2d(functional.pad(x, sides), kernels, stride=step, groups=groups)


def _normalised(
    how: Attributes, x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    if how["is_training"]:
        return functional.instance_norm(x, weight=gain, bias=bias, eps=how["epsilon"])
    return functional.batch_norm(x, mean, variance, gain, bias, eps=how["epsilon"])


def _enlarged(how: Attributes, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by TensorFlow's old grid: the first samples' centres, not their corners, meet."""
    places = (torch.arange(n).double() * old / n for n, old in zip(size, x.shape[2:], strict=True))
    return resampled(x, *(linear(at).to(x.device) for at in places)).to(x.dtype)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Conv2D": lambda how, x, w: _convolved(how, x, w.permute(3, 2, 0, 1)),
    "DepthwiseConv2dNative": lambda how, x, w: _convolved(
        how, x, w.permute(2, 3, 0, 1).flatten(0, 1)[:, None]
    ),
    "FusedBatchNorm": _normalised,
    "Relu": lambda how, x: functional.relu(x),
    "Relu6": lambda how, x: functional.relu6(x),
    "Add": lambda how, x, y: x + y,
    "ConcatV2": lambda how, *parts: torch.cat(parts, 1),
    "ResizeBilinear": _enlarged,
    "Shape": lambda how, x: tuple(x.shape[2:]),
    "StridedSlice": lambda how, size: size,
}
