"""Read people's joints, and what they do, with the multi-task network (SPNet).

Each picture of a person is looked at once. What the network judges actions by is kept of those
pictures that are in windows: moments that lie as far apart as in the clips it was taught on,
whatever the video's frame rate; of a track that is shorter the last picture is repeated.

The authors cut all frames of a window out by one square, which spans them. Here each frame has a
square of its own, so that a picture need not be looked at again for every window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge import weights
from muybridge.columns import Clip
from muybridge.device import device
from muybridge.geometry.skeletons import PA16, PA17, Skeleton
from muybridge.graph import Run, Stage
from muybridge.models.multitask.model import Glance
from muybridge.models.multitask.postprocess import around_root, crop_to_picture, depths
from muybridge.models.multitask.predict import Precision, Predictor, Seen, joined
from muybridge.models.multitask.preprocess import MARGIN, SIDE, crop, squares
from muybridge.stages.looking import READS, found, in_pictures
from muybridge.tracking.segments import covered, timed

Floats = NDArray[np.floating[Any]]
FOUND = ("person_frame", "person_track", "person_box")


@dataclass(frozen=True)
class Kind:
    """Describe a published network: its joints, its column of scores, seconds between moments."""

    skeleton: Skeleton
    scores: str
    apart: float
    deep: bool = False

    @property
    def writes(self) -> tuple[str, ...]:
        """Name the columns that it fills."""
        name = f"{self.skeleton.name}_joints"
        return (name, *([f"{name}3d"] if self.deep else []), self.scores)


KINDS = {  # taught on every eighth frame, and on every sixth, of 30 a second
    "spnet_ntu": Kind(PA17, "ntu_scores", 8 / 30, deep=True),
    "spnet_penn": Kind(PA16, "penn_scores", 6 / 30),
}


@dataclass(frozen=True)
class Options:
    """Say how to look: ``window`` moments are judged together, ``stride`` from one to the next.

    ``batch`` crops go through the network at a time. Where no ``joints`` are wanted, only people at
    those moments are looked at.
    """

    window: int = 8
    stride: int = 2
    precision: Precision = "float32"
    batch: int = 32
    joints: bool = True


def multitask(
    model: str = "spnet_ntu", given: Path | None = None, options: Options = Options()
) -> Stage:
    """Make the stage that reads people whom another stage found.

    ``given`` is a file or folder with the weights; without it they are looked up where they are
    kept.
    """
    kind = KINDS[model]
    return Stage(
        name="multitask",
        load=lambda: running(load(model, given, options), kind, options),
        reads=(*READS, *FOUND),
        writes=kind.writes if options.joints else (kind.scores,),
        missing=lambda: weights.missing(model, given),
        identity={**weights.identity(model, given), **asdict(options)},
    )


def load(model: str, given: Path | None, options: Options) -> Predictor:
    """Load the network."""
    network: Any = weights.load(model, given)
    return Predictor(network, options.precision, device())


def running(predictor: Predictor, kind: Kind, options: Options) -> Run:
    """Return what reads clips."""
    return lambda clips: [read(predictor, kind, clip, options) for clip in clips]


def read(predictor: Predictor, kind: Kind, clip: Clip, options: Options) -> dict[str, Any]:
    """Read everybody in a clip, and write the stage's columns."""
    tracks = list(windowed(clip, kind, options))
    wanted = np.unique(np.concatenate([np.empty(0, np.int64), *(t.clips.ravel() for t in tracks)]))
    boxes = squares(clip["person_box"].astype(float), MARGIN)
    some = np.arange(len(boxes)) if options.joints else wanted
    seen = looked(predictor, clip, boxes, some, wanted, options.batch)
    scores = np.zeros((len(boxes), predictor.network.config.actions[0]), np.float32)
    for track in tracks:
        judged = predictor.judge(seen, np.searchsorted(wanted, track.clips))[0]
        scores[track.rows] = covered(track.spans, judged, len(track.rows))
    made = joints(seen.poses, boxes, kind) if options.joints else {}
    return {**made, kind.scores: scores}


@dataclass(frozen=True)
class Track:
    """Hold one person's ``rows`` (R,) among all of a clip's people, and windows over them.

    ``clips`` (M, T) are rows as well, ``spans`` (M, 2) which of the person's rows each covers.
    """

    rows: NDArray[np.int64]
    clips: NDArray[np.int64]
    spans: NDArray[np.int64]


def windowed(clip: Clip, kind: Kind, options: Options) -> Iterator[Track]:
    """Cut windows out of every track."""
    for number in np.unique(clip["person_track"]):
        rows = np.flatnonzero(clip["person_track"] == number)  # frames rise
        times = clip["times"][clip["person_frame"][rows]]
        clips, spans = timed(times, options.window, options.stride, kind.apart)
        yield Track(rows, rows[clips], spans)


def looked(
    predictor: Predictor,
    clip: Clip,
    boxes: Floats,
    some: NDArray[np.int64],
    wanted: NDArray[np.int64],
    batch: int,
) -> Seen:
    """Look at ``some`` people, and keep of those ``wanted`` what actions are judged by.

    Both are in rising order; ``boxes`` (P, 4) are square.
    """
    poses, glances = list[NDArray[np.float32]](), list[list[Glance]]()
    part = {**clip, "person_frame": clip["person_frame"][some]}
    cut = ((some[at], crop(picture, boxes[some[at]])) for at, picture in in_pictures(part, batch))
    done = 0
    while batched := list(islice(cut, batch)):
        seen = predictor.look(np.stack([each for _, each in batched]))
        judged = np.flatnonzero(np.isin([person for person, _ in batched], wanted))
        poses.append(seen.poses)
        glances.append([Glance(g.joints[judged], g.appearance[judged]) for g in seen.glances])
        done += len(batched)
    found(part, done)
    nobody = predictor.look(np.empty((0, SIDE, SIDE, 3), np.uint8))
    blocks = zip(nobody.glances, *glances, strict=True)
    return Seen(np.concatenate([nobody.poses, *poses]), [joined(block) for block in blocks])


def joints(poses: Floats, boxes: Floats, kind: Kind) -> dict[str, Any]:
    """Write where joints are in the picture, and about the hips' middle if the network knows."""
    name = f"{kind.skeleton.name}_joints"
    sure = np.clip(poses[..., -1:], 0, 1)
    places = crop_to_picture(poses, boxes)
    made = {name: np.concatenate([places, sure], -1).astype(np.float32)}
    if kind.deep:
        space = around_root(places, depths(poses))
        made[f"{name}3d"] = np.concatenate([space, sure], -1).astype(np.float32)
    return made
