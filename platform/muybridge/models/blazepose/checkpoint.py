"""Where BlazePose's two networks come from: the mediapipe wheel carries them (Apache-2.0).

The wheel is only looked into, never imported: importing it would bring JAX and OpenCV along.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

from muybridge.errors import WeightsError
from muybridge.models.blazepose.model import BlazePose

DETECTOR = "modules/pose_detection/pose_detection.tflite"
LANDMARKS = "modules/pose_landmark/pose_landmark_full.tflite"
ADVICE = (
    "get the embedded model with pip install 'muybridge[embedded]', "
    "or pip install -e '.[embedded]' in a checkout"
)


def path(name: str) -> Path:
    """Find one of the wheel's files by its path in the package; WeightsError if it is not there."""
    for folder in _folders():
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"BlazePose needs mediapipe's {name}, which is not here; {ADVICE}")


def missing() -> list[str]:
    """Say what must be installed before BlazePose can run, one sentence each."""
    parts = [name for name in ("ai_edge_litert",) if find_spec(name) is None]
    files = (DETECTOR, LANDMARKS)
    parts += [n for n in files if not any((folder / n).is_file() for folder in _folders())]
    return [f"BlazePose needs {part}, which is not here; {ADVICE}" for part in parts]


def load() -> BlazePose:
    """Read both networks; WeightsError if they are not here."""
    landmarks = trimmed(path(LANDMARKS), outputs=(0, 1, 3, 4))  # all but the silhouette
    return BlazePose(path(DETECTOR).read_bytes(), landmarks)


def trimmed(file: Path, outputs: tuple[int, ...]) -> bytes:
    """Read a .tflite file and leave out what only serves outputs other than these positions.

    The landmark network's silhouette is a third of its work and nobody asks for it.
    """
    import flatbuffers  # type: ignore[import-untyped]  # comes with ai_edge_litert
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[list(outputs)]
    needed, kept = set(graph.outputs.tolist()), []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs.tolist()):
            needed.update(operator.inputs.tolist())
            kept.append(operator)
    graph.operators = kept[::-1]
    builder = flatbuffers.Builder(file.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def identity() -> dict[str, str]:
    """Name the wheel and the sha256 of both networks; empty if they are not here."""
    if missing():
        return {}
    return {
        "wheel": f"mediapipe {importlib.metadata.version('mediapipe')}",
        "detector": _sha256(path(DETECTOR)),
        "landmarks": _sha256(path(LANDMARKS)),
    }


def _folders() -> list[Path]:
    spec = find_spec("mediapipe")
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
