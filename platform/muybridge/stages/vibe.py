"""Read people's bodies with VIBE: shape, rotations of all joints, and where they are.

Each picture of a person is read once, whatever windows it is in; the encoder then goes over a track
in order of time. A clip is looked at from a little before its core on, so that the encoder knows
what came before: it was taught on ``CONTEXT`` and one frames, and needs no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge import weights
from muybridge.columns import Clip, empty
from muybridge.device import device
from muybridge.geometry.rotations import axis_angle_from_matrix
from muybridge.geometry.skeletons import SKELETONS, Skeleton
from muybridge.geometry.smpl import Joints
from muybridge.graph import Run, Stage
from muybridge.models.smpl.refine import refined
from muybridge.models.vibe import postprocess
from muybridge.models.vibe.model import Config, Vibe
from muybridge.models.vibe.predict import Precision, Predictor
from muybridge.models.vibe.preprocess import crops, squares
from muybridge.models.vibe.smoothing import smoothed
from muybridge.stages.lift import SOURCES
from muybridge.stages.looking import READS, found, in_pictures

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]
Key = tuple[str, int, bytes]  # video, number of the frame, square box
Features = dict[Key, Tensor]  # each (2048,)

CONTEXT = 15  # frames before the core from which the encoder is led up to it
FEATURES = Config().features
GRID = 8  # to a pixel; boxes are put on it, so that the same person's are the same in two clips
CELL = 8  # pixels of a crop's side that are one number where crops are compared
FOUND = ("width", "height", "person_frame", "person_track", "person_box")
WRITES = (
    "smpl_model", "smpl_body", "smpl_betas", "smpl_rotations", "smpl_camera", "smpl_translation",
    "smpl_focal", "smpl_joints3d",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Say how to read bodies.

    ``focal`` is the camera's focal length in pixels; None assumes the picture's diagonal. With
    ``smooth`` rotations are smoothed over time, and with ``refine`` bodies are fitted to the joints
    in the picture. With ``still`` a person whose picture changes by
    less than so many grey levels, in every part of it, is not read again. ``batch`` crops go
    through the network at a time.
    """

    precision: Precision = "float32"
    focal: float | None = None
    smooth: bool = False
    refine: bool = False
    still: float = 0.0
    batch: int = 32


@dataclass(frozen=True)
class Models:
    """Hold what the stage runs: network and body, and what both are called."""

    predictor: Predictor
    joints: Joints
    model: str
    body: str


def files(model: str, body: str) -> tuple[str, ...]:
    """Name the weights that are needed."""
    return (model, "spin", body, "smpl_regressor_extra")


def vibe(
    model: str = "vibe_wo_3dpw",
    body: str = "smpl_neutral",
    given: Path | None = None,
    options: Options = Options(),
    joints: str = "",
) -> Stage:
    """Make the stage that reads bodies of people whom another stage found.

    ``given`` is a folder with the files; without it they are looked up where they are kept.
    ``joints`` is the column of joints in the picture that bodies are refined by.
    """
    names = files(model, body)
    source = joints if options.refine else ""
    return Stage(
        name="vibe",
        load=lambda: running(load(model, body, given, options.precision), options, source),
        reads=(*READS, *FOUND, *([source] if source else [])),
        writes=WRITES,
        missing=lambda: [text for name in names for text in weights.missing(name, given)],
        identity={
            **{name: weights.identity(name, given).get("sha256", "") for name in names},
            **asdict(options),
        },
    )


def load(model: str, body: str, given: Path | None, precision: Precision) -> Models:
    """Load network and body."""
    backbone: Any = weights.load("spin", given)
    generator: Any = weights.load(model, given)
    predictor = Predictor(Vibe(backbone.backbone, generator), precision, device())
    surface: Any = weights.load(body, given)
    extra: Any = weights.load("smpl_regressor_extra", given)
    joints = Joints(surface, extra.weight).to(device())
    return Models(predictor, joints, model, body)


def running(models: Models, options: Options, source: str = "") -> Run:
    """Return what reads bodies in clips.

    What is read of a clip is kept until the next one, which may begin with the same frames.
    """
    known: Features = {}

    def run(clips: Sequence[Clip]) -> list[Clip]:
        nonlocal known
        made = list[Clip]()
        for clip in clips:
            reader = Reader(models.predictor, options.batch, known)
            made.append(read(models, clip, options, reader, source))
            known = reader.read
        return made

    return run


def read(
    models: Models, clip: Clip, options: Options, reader: Reader, source: str = ""
) -> dict[str, Any]:
    """Read the bodies of everybody in a clip, and write the stage's columns.

    They are refined by the joints in the column ``source``, if there is one.
    """
    nobody = empty(WRITES[2:])
    count = len(clip["person_frame"])
    made = {n: np.zeros((count, *nobody[n].shape[1:]), np.float32) for n in nobody}
    boxes, features = looked_at(reader, clip, options.still)
    size = int(clip["width"]), int(clip["height"])
    focal = options.focal or float(np.hypot(*size))
    for number in np.unique(clip["person_track"]):
        rows = np.flatnonzero(clip["person_track"] == number)  # frames rise
        times = clip["times"][clip["person_frame"][rows]]
        joints, skeleton = seen(clip[source][rows], source) if source else (None, None)
        track = Track(features[rows], boxes[rows], times, size, focal, joints, skeleton)
        for name, part in bodies(models, track, options).items():
            made[name][rows] = part
    return {"smpl_model": models.model, "smpl_body": models.body, **made}


def seen(joints: Floats, source: str) -> tuple[Floats, Skeleton]:
    """Take joints (T, J, 3) of a column as far as they are certain; say of which skeleton."""
    skeleton, certain = SOURCES[source]
    return np.where(joints[..., 2:] >= certain, joints, 0), SKELETONS[skeleton]


@dataclass(frozen=True)
class Track:
    """Hold what is known of one person in T frames of a clip.

    ``features`` (T, 2048), square ``boxes`` (T, 4) in pixels, ``times`` (T,) in seconds, ``size``
    (width, height) of the picture, ``focal`` in pixels, and joints (T, J, 3) to refine by, if any.
    """

    features: Tensor
    boxes: Floats
    times: Floats
    size: tuple[int, int]
    focal: float
    joints: Floats | None
    skeleton: Skeleton | None


@torch.inference_mode()
def bodies(models: Models, track: Track, options: Options) -> dict[str, Any]:
    """Read one person's bodies: the stage's columns of T rows."""
    found, _ = models.predictor.bodies(track.features)
    betas, rotations = found.betas, found.rotations
    if options.smooth:
        rotations = smoothed(rotations, torch.from_numpy(track.times))
    box = torch.from_numpy(track.boxes).to(track.features)
    camera = postprocess.picture_camera(found.camera, box, track.size)
    place = postprocess.translation(found.camera, box, track.size, track.focal)
    if track.joints is not None and track.skeleton is not None:
        better = refined(
            models.joints,
            betas,
            rotations,
            place,
            torch.from_numpy(track.joints).to(place),
            track.skeleton,
            torch.from_numpy(track.times),
            track.focal,
            track.size,
        )
        betas, rotations, place = better.betas, better.rotations, better.translation
        camera = postprocess.weak(place, track.focal, track.size)
    values = {
        "smpl_betas": betas,
        "smpl_rotations": axis_angle_from_matrix(rotations),
        "smpl_camera": camera,
        "smpl_translation": place,
        "smpl_focal": torch.full((len(box),), track.focal),
        "smpl_joints3d": models.joints(betas, rotations),
    }
    return {name: value.cpu().numpy() for name, value in values.items()}


@dataclass
class Reader:
    """Read features of crops, many at a time; those of the clip before need not be read again.

    A person's picture is told by video, frame and box.
    """

    predictor: Predictor
    batch: int
    known: Features = field(default_factory=dict)
    read: Features = field(default_factory=dict)
    waiting: dict[Key, Picture] = field(default_factory=dict)

    def add(self, key: Key, crop: Picture) -> None:
        """Take a crop (224, 224, 3)."""
        if key in self.known:
            self.read[key] = self.known[key]
            return
        self.waiting[key] = crop
        if len(self.waiting) == self.batch:
            self.flush()

    def flush(self) -> None:
        """Read what waits."""
        if self.waiting:
            features = self.predictor.features(np.stack(list(self.waiting.values())))
            self.read |= dict(zip(self.waiting, features, strict=True))
            self.waiting = {}

    def finished(self, keys: Sequence[Key]) -> Tensor:
        """Give the features of pictures in order: (N, 2048)."""
        self.flush()
        nothing = torch.empty(0, FEATURES, device=self.predictor.device)
        return torch.stack([self.read[key] for key in keys]) if keys else nothing


@dataclass(frozen=True)
class Look:
    """Remember how a person was last looked at: square box (4,), cells of the crop, its key."""

    box: Floats
    cells: Floats
    key: Key


def looked_at(reader: Reader, clip: Clip, still: float) -> tuple[Floats, Tensor]:
    """Read everybody in a clip: square boxes (P, 4) and features (P, 2048).

    A person who is still shares features, and the box, with the frame before.
    """
    boxes = np.round(squares(clip["person_box"].astype(float)) * GRID) / GRID
    keys, last = dict[int, Key](), dict[int, Look]()
    for person, picture in in_pictures(clip, reader.batch):
        track = int(clip["person_track"][person])
        before = last.get(track)
        if before is not None and unchanged(picture, before, still):
            boxes[person], keys[person] = before.box, before.key
            continue
        frame = int(clip["frame_index"][clip["person_frame"][person]])
        keys[person] = key = (clip["video_id"], frame, boxes[person].tobytes())
        crop = crops([picture], [0], boxes[person : person + 1])[0]
        reader.add(key, crop)
        if still:
            last[track] = Look(boxes[person], cells(crop), key)
    found(clip, len(keys))
    return boxes, reader.finished([keys[person] for person in range(len(boxes))])


def unchanged(picture: Picture, before: Look, level: float) -> bool:
    """Tell whether what a person was last looked at in still looks the same."""
    now = cells(crops([picture], [0], before.box[None])[0])
    return bool(np.abs(now - before.cells).max() < level)


def cells(crop: Picture) -> Floats:
    """Average a crop (224, 224, 3) over cells and colours: (28, 28) grey levels."""
    side = len(crop) // CELL
    return crop.reshape(side, CELL, side, CELL, 3).mean((1, 3, 4))
