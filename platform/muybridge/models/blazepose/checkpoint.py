"""Where BlazePose's two networks come from: the mediapipe wheel carries them (Apache-2.0).

The wheel is only looked into, never imported: importing it would bring JAX and OpenCV along.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

from muybridge.errors import WeightsError

DETECTOR = "modules/pose_detection/pose_detection.tflite"
LANDMARKS = "modules/pose_landmark/pose_landmark_full.tflite"
ADVICE = "install the embedded model with: pip install 'muybridge[embedded]'"


def path(name: str) -> Path:
    """Find one of the wheel's files, by its path inside the package; WeightsError if it is not there."""
    for folder in _folders():
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"BlazePose needs {name} of mediapipe 0.10.21, which is not here; {ADVICE}")


def missing() -> list[str]:
    """Say what must be installed before BlazePose can run, one sentence each."""
    found = []
    if find_spec("ai_edge_litert") is None:
        found.append(f"BlazePose runs on ai-edge-litert, which is not installed; {ADVICE}")
    for name in (DETECTOR, LANDMARKS):
        try:
            path(name)
        except WeightsError as error:
            found.append(str(error))
    return found


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
