"""Find people with an R-CNN: where they are, who is who within the clip, joints if it gives any.

With ``every`` = k the network looks at every k-th frame, and at the last; over those between people
are carried by how they move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from muybridge import weights
from muybridge.columns import Clip
from muybridge.device import device
from muybridge.geometry import boxes
from muybridge.graph import Run, Stage
from muybridge.models.densepose import predict as charts
from muybridge.models.densepose.config import VARIANTS, Config
from muybridge.models.detector import predict as torchvisions
from muybridge.stages.looking import PEOPLE, READS, chunks, frame_seen, people, span
from muybridge.tracking.carry import carry

Precision = Literal["float32", "bfloat16"]
Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Look = Callable[[Sequence[Picture]], "list[Found]"]

JOINTS = 17


@dataclass(frozen=True)
class Options:
    """Say how to look for people.

    The network sees a picture with ``size`` pixels on its shorter side, ``batch`` pictures a call,
    of every ``every``-th frame; who scores less than ``min_score`` is left out. ``before`` frames
    ahead of the core are looked at too, for those who want to know what came before.
    """

    min_score: float = 0.8
    size: int = 800
    batch: int = 4
    every: int = 1
    before: int = 0
    precision: Precision = "float32"


@dataclass(frozen=True)
class Found:
    """Hold the people of a picture: boxes (N, 4), scores (N,), joints (N, 17, 3), or 0."""

    boxes: Floats
    scores: Floats
    joints: Floats


def detect(detector: str, given: Path | None = None, options: Options = Options()) -> Stage:
    """Make the stage that finds people with one of ``DETECTORS``.

    ``given`` is a file or folder with its weights; without it they are looked up where they are
    kept, or fetched.
    """
    return Stage(
        name="detect",
        load=lambda: load(detector, given, options),
        reads=READS,
        writes=writes(detector),
        missing=lambda: weights.missing(detector, given),
        identity={**weights.identity(detector, given), **asdict(options)},
    )


def writes(detector: str) -> tuple[str, ...]:
    """Name the columns that a detector fills."""
    return (*PEOPLE, "coco17_joints") if detector.startswith("keypoint") else PEOPLE


def load(detector: str, given: Path | None, options: Options) -> Run:
    """Load the detector and return what runs it over clips."""
    look = DETECTORS[detector](weights.load(detector, given), options)
    names = writes(detector)

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [
            {name: seen[name] for name in names} for seen in (see(look, c, options) for c in clips)
        ]

    return run


def see(look: Look, clip: Clip, options: Options) -> dict[str, Any]:
    """Look at a clip's core and a few frames after it, and write the stage's columns."""
    start, stop = span(clip, before=options.before)
    rows, looks, found = list[int](), list[int](), list[Found]()
    for these, pictures in chunks(clip, options.batch * options.every, before=options.before):
        at = [
            i
            for i, row in enumerate(these)
            if (row - start) % options.every == 0 or row == stop - 1
        ]
        for first in range(0, len(at), options.batch):
            found += look([pictures[i] for i in at[first : first + options.batch]])
        looks += these[at].tolist()
        rows += these.tolist()
    found = [sure(one, options.min_score) for one in found]
    return {"frame_seen": frame_seen(clip, rows), **columns(clip, rows, looks, found)}


def sure(found: Found, min_score: float) -> Found:
    """Keep those who score enough and whose box is not empty."""
    kept = (found.scores >= min_score) & (boxes.area(found.boxes) > 0)
    return Found(found.boxes[kept], found.scores[kept], found.joints[kept])


def columns(clip: Clip, rows: list[int], looks: list[int], found: list[Found]) -> dict[str, Any]:
    """Put those found at looks into columns, and carry them over the other rows."""
    seen = people(looks, clip["times"], [f.boxes for f in found], [f.scores for f in found])
    joints = np.concatenate([np.empty((0, JOINTS, 3), np.float32), *(f.joints for f in found)])
    plan = carry(rows, clip["times"], looks, seen["person_frame"], seen["person_track"])
    _, height, width, _ = clip["frames"].shape
    box = boxes.clip(plan.places(seen["person_box"]), width, height)
    kept = boxes.area(box) > 0  # some have left the picture
    places = plan.places(joints[..., :2]), plan.scores(joints[..., 2:])
    return {
        "person_frame": plan.row[kept].astype(np.int32),
        "person_track": seen["person_track"][plan.before[kept]],
        "person_score": plan.scores(seen["person_score"])[kept].astype(np.float32),
        "person_box": box[kept].astype(np.float32),
        "coco17_joints": np.concatenate(places, axis=2)[kept].astype(np.float32),
    }


def _charts(network: Any, options: Options) -> Look:
    """Look with the detector of a DensePose network."""
    network.config = sized(network.config, options.size)
    predictor = charts.Predictor(network, options.precision, device())
    return lambda pictures: [
        Found(one.boxes, one.scores, np.zeros((len(one.boxes), JOINTS, 3), np.float32))
        for one in charts.detect(predictor, pictures)
    ]


def _torchvision(network: Any, options: Options) -> Look:
    """Look with one of torchvision's networks."""
    predictor = torchvisions.Predictor(network, options.precision, device(), options.size)

    def look(pictures: Sequence[Picture]) -> list[Found]:
        found = torchvisions.detect(predictor, pictures)
        return [Found(one.boxes, one.scores, _all(one.joints)) for one in found]

    return look


def _all(joints: Floats) -> Floats:
    """Give joints that are not there (N, 0, 3) the place of those that are: (N, 17, 3)."""
    return joints if joints.shape[1] else np.zeros((len(joints), JOINTS, 3), np.float32)


def sized(config: Config, size: int) -> Config:
    """Have a DensePose network see ``size`` pixels of a picture's shorter side."""
    return replace(config, min_size=size, max_size=round(size * torchvisions.LONGER))


# by the name of the weights
DETECTORS: dict[str, Callable[[Any, Options], Look]] = {
    **dict.fromkeys(VARIANTS, _charts),
    "fasterrcnn_resnet50_fpn": _torchvision,
    "maskrcnn_resnet50_fpn": _torchvision,
    "keypointrcnn_resnet50_fpn": _torchvision,
}
