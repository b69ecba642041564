"""BlazePose's weights: ``full`` comes along (MODEL_CARD.md), ``heavy`` is a file of the user's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from muybridge.errors import WeightsError
from muybridge.litert import trim
from muybridge.models.blazepose.model import BlazePose

FILES = {
    "blazepose": "pose_landmark_full.tflite",
    "blazepose_heavy": "pose_landmark_heavy.tflite",
}
OUTPUTS = (0, 3, 4)  # points, heat maps, world; the silhouette is a third of the work


def path(name: str, given: Path | None) -> Path:
    """Find the file of a variant: the user's, or the one that comes along."""
    if given is None:
        return Path(__file__).with_name(FILES[name])
    return given / FILES[name] if given.is_dir() else given


def missing(name: str, given: Path | None) -> list[str]:
    """Say what must be brought first, in a sentence."""
    if path(name, given).is_file():
        return []
    return [
        f"{name}: there is no {FILES[name]}; it comes with the npm package @mediapipe/pose "
        "0.5.1675469404 (npm pack); name the file with --weights"
    ]


def load(name: str, given: Path | None = None) -> BlazePose:
    """Read the network; WeightsError if its file is not here."""
    if lacking := missing(name, given):
        raise WeightsError(lacking[0])
    return BlazePose(trim(path(name, given).read_bytes(), OUTPUTS))


def identity(name: str, given: Path | None = None) -> dict[str, str]:
    """Name the sha256 of the network's file; empty if it is not here."""
    file = path(name, given)
    return {name: hashlib.sha256(file.read_bytes()).hexdigest()} if file.is_file() else {}
