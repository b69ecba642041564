"""Read the body surface of people with DensePose: part, U and V of every pixel, as PNG.

With its own detector one pass over a picture finds people and reads their surface. Else the stage
reads the people that another one found, and looks only at pictures with somebody in them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from muybridge import weights
from muybridge.columns import Clip
from muybridge.device import device
from muybridge.errors import ClipError
from muybridge.graph import Run, Stage
from muybridge.models.densepose.postprocess import Surface
from muybridge.models.densepose.predict import Predictor, see
from muybridge.stages.detect import Options, sized
from muybridge.stages.looking import PEOPLE, READS, chunks, frame_seen, people, populated

Look = Callable[[Predictor, Clip, Options], dict[str, Any]]
Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

SURFACE = ("densepose_model", "densepose_box", "densepose_parts", "densepose_uv")
FOUND = ("person_frame", "person_box")  # what is read of people whom another stage found


def densepose(
    model: str, given: Path | None = None, options: Options = Options(), own: bool = True
) -> Stage:
    """Make the stage that reads surfaces with one of DensePose's networks.

    ``own`` says that it finds people itself and writes their columns, too. ``given`` is a file or
    folder with its weights; without it they are looked up where they are kept, or fetched.
    """
    options = options if own else replace(options, min_score=0.0)  # nobody is left out
    look = alone if own else among
    return Stage(
        name="densepose",
        load=lambda: load(model, given, options, look),
        reads=READS if own else (*READS, *FOUND),
        writes=(*PEOPLE, *SURFACE) if own else SURFACE,
        missing=lambda: weights.missing(model, given),
        identity={**weights.identity(model, given), **asdict(options)},
    )


def load(model: str, given: Path | None, options: Options, look: Look) -> Run:
    """Load the network and return what runs it over clips."""
    network: Any = weights.load(model, given)
    network.config = sized(network.config, options.size)
    predictor = Predictor(network, options.precision, device())

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [{"densepose_model": model, **look(predictor, clip, options)} for clip in clips]

    return run


def alone(predictor: Predictor, clip: Clip, options: Options) -> dict[str, Any]:
    """Find the people in a clip's core and a few frames after it, and read their surface."""
    rows, boxes, scores = list[int](), list[Floats](), list[Floats]()
    read = Surfaces()
    for these, pictures in chunks(clip, options.batch):
        rows += these.tolist()
        for seen in see(predictor, list(pictures), min_score=options.min_score):
            boxes.append(seen.boxes)
            scores.append(seen.scores)
            read.add(seen.surfaces)
    found = people(rows, clip["times"], boxes, scores)
    return {"frame_seen": frame_seen(clip, rows), **found, **read.columns()}


def among(predictor: Predictor, clip: Clip, options: Options) -> dict[str, Any]:
    """Read the surface of people that are known, in the pictures in which they are."""
    read = Surfaces()
    for rows, pictures in populated(clip, options.batch):
        boxes = [clip["person_box"][clip["person_frame"] == row] for row in rows]
        for seen in see(predictor, list(pictures), boxes):
            read.add(seen.surfaces)
    if len(read.boxes) != len(clip["person_frame"]):
        raise ClipError(
            f"{len(clip['person_frame'])} people were found, but only {len(read.boxes)} are in "
            "frames that could be decoded again; is the video being changed?"
        )
    return read.columns()


class Surfaces:
    """Gather surfaces as they are kept: integer boxes, and pictures as PNG."""

    def __init__(self) -> None:
        self.boxes: list[NDArray[np.int32]] = []
        self._parts: list[bytes] = []
        self._uv: list[bytes] = []

    def add(self, surfaces: Sequence[Surface]) -> None:
        """Take the surfaces of the next people."""
        self.boxes += [surface.box for surface in surfaces]
        self._parts += [png(surface.parts) for surface in surfaces]
        self._uv += [png(surface.uv) for surface in surfaces]

    def columns(self) -> dict[str, Any]:
        """Put all of them into columns."""
        return {
            "densepose_box": np.array(self.boxes, np.int32).reshape(-1, 4),
            "densepose_parts": _objects(self._parts),
            "densepose_uv": _objects(self._uv),
        }


def png(picture: NDArray[np.uint8]) -> bytes:
    """Write a picture (h, w) or one of two channels (h, w, 2) as PNG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def _objects(values: list[bytes]) -> NDArray[np.object_]:
    made = np.empty(len(values), object)
    made[:] = values
    return made
