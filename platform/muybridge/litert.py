"""Run a network of a .tflite file with LiteRT, at any size of picture, on one thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
RESIZE_BILINEAR = 23  # number of the operator in the format's list


class Network:
    """Hold one network of a .tflite file, with memory for one picture at a time.

    A larger batch gains nothing: its cost is that of the pictures one by one.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with _silence_stderr():
            self.interpreter = Interpreter(model_content=content, num_threads=1)
            self.interpreter.allocate_tensors()
        details = self.interpreter.get_input_details()[0]
        self.input: int = details["index"]
        self.size: tuple[int, int] = tuple(details["shape"][1:3])
        self.outputs: list[dict[str, Any]] = self.interpreter.get_output_details()

    def __call__(self, picture: NDArray[Any]) -> list[Array]:
        """Run a picture (H, W, 3) and return all outputs without their batch axis."""
        self.interpreter.set_tensor(self.input, picture[None])
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(output["index"])[0] for output in self.outputs]


def resize(content: bytes, height: int, width: int) -> bytes:
    """Have a network of convolutions and upsamplings take pictures of another size.

    A .tflite file says the size of its input and to what each upsampling enlarges; both are
    changed in place, and the interpreter works out all others.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(content)
    model = schema.Model.GetRootAs(changed, 0)
    graph = model.Subgraphs(0)
    shape = graph.Tensors(graph.Inputs(0)).ShapeAsNumpy()
    scale = np.array([height, width]) / shape[1:3]
    for at in range(graph.OperatorsLength()):
        operator = graph.Operators(at)
        code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        if code == RESIZE_BILINEAR:
            size = model.Buffers(graph.Tensors(operator.Inputs(1)).Buffer()).DataAsNumpy()
            size.view("<i4")[:] = np.round(size.view("<i4") * scale)
    shape[1:3] = height, width
    return bytes(changed)


def trim(content: bytes, outputs: tuple[int, ...]) -> bytes:
    """Leave out of a .tflite file what only serves outputs other than these positions."""
    import flatbuffers  # type: ignore[import-untyped]  # comes with ai_edge_litert
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[list(outputs)]
    needed, kept = set(graph.outputs.tolist()), []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs.tolist()):
            needed.update(operator.inputs.tolist())
            kept.append(operator)
    graph.operators = kept[::-1]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def constants(content: bytes) -> dict[str, NDArray[Any]]:
    """Read the constants of a .tflite file by name: those of float16 and float32 alone."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(bytearray(content), 0)
    graph = model.Subgraphs(0)
    types = {schema.TensorType.FLOAT16: "<f2", schema.TensorType.FLOAT32: "<f4"}
    found = {}
    for at in range(graph.TensorsLength()):
        tensor = graph.Tensors(at)
        values = model.Buffers(tensor.Buffer())
        if tensor.Type() in types and values.DataLength():
            array = values.DataAsNumpy().view(types[tensor.Type()])
            found[tensor.Name().decode()] = array.reshape(tensor.ShapeAsNumpy())
    return found


@contextlib.contextmanager
def _silence_stderr() -> Iterator[None]:
    """Keep the runtime from announcing itself on the error stream: it offers no switch for that."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
