"""The weights of MoveNet that come along: a float16 .tflite file a network (MODEL_CARD.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from muybridge.errors import CheckpointError
from muybridge.litert import constants
from muybridge.models.movenet.config import CONFIGS

FOLDER = Path(__file__).parent
PREFIXES = ("StatefulPartitionedCall/", "center_net_mobile_net_v2fpn_feature_extractor/")

BLOCK = "model_1/model/block_{}_"
LEVELS = ("", "_1", "_2", "_3")  # of the pyramid, coarse to fine
# fmt: off
TABLE = {
    # ours                    theirs, before what is last in a tensor's name
    "stem":                   "model_1/model/Conv1_relu/Relu6",
    "block.0.depthwise":      "model_1/model/expanded_conv_depthwise/depthwise",
    "block.0.project":        "model_1/model/expanded_conv_project_BN/FusedBatchNormV3",
    **{f"block.{i}.expand":    f"{BLOCK.format(i)}expand_relu/Relu6" for i in range(1, 17)},
    **{f"block.{i}.depthwise": f"{BLOCK.format(i)}depthwise/depthwise" for i in range(1, 17)},
    **{f"block.{i}.project":   f"{BLOCK.format(i)}project_BN/FusedBatchNormV3"
       for i in range(1, 17)},
    "top":                    "model_1/model/out_relu/Relu6",
    **{f"lateral.{i}":         f"model_1/conv2d{end}/BiasAdd" for i, end in enumerate(LEVELS)},
    **{f"mix.{i}.depthwise":   f"model_1/separable_conv2d{end}/separable_conv2d/depthwise"
       for i, end in enumerate(LEVELS[:3])},
    **{f"mix.{i}.pointwise":   f"model_1/re_lu{end}/Relu" for i, end in enumerate(LEVELS[:3])},
}
HEAD = {"depthwise": "separable_conv2d", "pointwise": "re_lu", "last": "conv2d"}
# fmt: on


@dataclass(frozen=True)
class Layer:
    """Hold a convolution's values: ``weight`` (O, H, W, I), or (1, H, W, C) if ``depthwise``."""

    weight: NDArray[Any]
    bias: NDArray[Any] | None = None
    depthwise: bool = False


def read(name: str) -> bytes:
    """Read the file of a network, by its name in ``CONFIGS``."""
    return (FOLDER / CONFIGS[name].file).read_bytes()


def identity(*names: str) -> dict[str, str]:
    """Name the sha256 of some networks' files."""
    return {name: hashlib.sha256(read(name)).hexdigest() for name in names}


def layers(name: str) -> dict[str, Layer]:
    """Read a network's layers by our names; CheckpointError names what the file lacks."""
    weights, biases = dict[str, NDArray[Any]](), dict[str, NDArray[Any]]()
    for full, values in constants(read(name)).items():
        own = full.split(";")[0]
        for prefix in PREFIXES:
            own = own.replace(prefix, "")
        kind = weights if values.ndim == 4 else biases
        kind[own.removesuffix("/0")] = values
    table = {**TABLE, **_heads(weights, CONFIGS[name].maps)}
    if missing := [theirs for theirs in table.values() if theirs not in weights]:
        raise CheckpointError(f"{CONFIGS[name].file}: has no {', '.join(missing)}; install it anew")
    made = {
        ours: Layer(weights[theirs], biases.get(theirs), theirs.endswith("depthwise"))
        for ours, theirs in table.items()
    }
    return {**made, "scale": Layer(weights["truediv"].reshape(3))}


def _heads(weights: dict[str, NDArray[Any]], maps: tuple[str, ...]) -> dict[str, str]:
    """Find the three layers of each head; their numbers differ from network to network."""
    return {
        f"head.{name}.{ours}": own
        for name in maps
        for ours, theirs in HEAD.items()
        for own in weights
        if own.startswith(f"{name}_0/{theirs}")
    }
