"""See people with OpenPose: all joints of a picture first, then whose they are.

People come out of each picture by themselves; a tracker tells by their joints who is who.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from muybridge import weights
from muybridge.columns import Clip, empty
from muybridge.device import device
from muybridge.errors import InputError
from muybridge.geometry import boxes
from muybridge.graph import Run, Stage
from muybridge.models.openpose import mobilenet
from muybridge.models.openpose.postprocess import People
from muybridge.models.openpose.predict import Options, ready, see
from muybridge.stages.looking import PEOPLE, READS, chunks, frame_seen, people
from muybridge.tracking.joints import JointTracker

MOBILENET = "openpose_mobilenet"
COLUMNS = {  # weights -> the column of their joints
    "openpose_body25": "body25_joints",
    "openpose_coco": "coco18_joints",
    "openpose_coco_caffe": "coco18_joints",
    MOBILENET: "coco18_joints",
}
CHUNK = 4  # frames seen at a time
MARGIN = 0.1  # of a box's longer side, round its joints: what of a body lies beyond them


def openpose(
    name: str = "openpose_body25", given: Path | None = None, options: Options = Options()
) -> Stage:
    """Make the stage that finds people and their joints with OpenPose, by the name of its weights.

    ``given`` is a file or a folder of the user's to find them in.
    """
    if name not in COLUMNS:
        raise InputError(f"OpenPose has no weights {name!r}; it has {', '.join(COLUMNS)}")
    return Stage(
        name="openpose",
        load=lambda: running(load(name, given), COLUMNS[name], options),
        reads=READS,
        writes=(*PEOPLE, COLUMNS[name]),
        missing=lambda: missing(name, given),
        identity={"model": name, **identity(name, given), **asdict(options)},
    )


def load(name: str, given: Path | None) -> nn.Module:
    """Load the network that belongs to the weights' name."""
    return mobilenet.load(given or Path()) if name == MOBILENET else weights.load(name, given)


def missing(name: str, given: Path | None) -> list[str]:
    """Say what must be fetched or brought first, one sentence each."""
    if name != MOBILENET:
        return weights.missing(name, given)
    if given is not None and all((given / file).is_file() for file in mobilenet.FILES):
        return []
    return [f"{name}: name with --weights the folder of {' and '.join(mobilenet.FILES)}"]


def identity(name: str, given: Path | None) -> dict[str, str]:
    """Name the weights' sha256; empty if they are not here."""
    if name != MOBILENET:
        return weights.identity(name, given)
    if given is None or missing(name, given):
        return {}
    return {
        file: hashlib.sha256((given / file).read_bytes()).hexdigest() for file in mobilenet.FILES
    }


def running(network: nn.Module, column: str, options: Options) -> Run:
    """Return what runs a network over clips and writes its joints to a column."""
    network = ready(network, options.precision, device())

    def run(clips: Sequence[Clip]) -> list[Clip]:
        return [look(network, clip, column, options) for clip in clips]

    return run


def look(network: nn.Module, clip: Clip, column: str, options: Options) -> dict[str, Any]:
    """Look at a clip's core and a few frames after it, and write the stage's columns."""
    rows, found = list[int](), list[People]()
    for some, pictures in chunks(clip, CHUNK):
        rows += some.tolist()
        found += see(network, torch.tensor(pictures), options)
    _, height, width, _ = clip["frames"].shape
    around = [framed(one.joints, width, height) for one in found]
    tracker = JointTracker()
    ids = [
        tracker.update(float(clip["times"][row]), box, one.joints)
        for row, box, one in zip(rows, around, found, strict=True)
    ]
    nobody = empty([column])[column]
    joints = np.concatenate([nobody, *(one.joints for one in found)])
    return {
        "frame_seen": frame_seen(clip, rows),
        **people(rows, clip["times"], around, [np.minimum(p.scores, 1) for p in found], ids),
        column: np.minimum(joints, [np.inf, np.inf, 1]).astype(np.float32),
    }


def framed(joints: NDArray[np.float32], width: int, height: int) -> NDArray[np.floating[Any]]:
    """Draw boxes (P, 4) round the joints (P, J, 3) that were found, within the picture."""
    tight = boxes.around(joints[..., :2], joints[..., 2] > 0)
    margin = MARGIN * (tight[:, 2:] - tight[:, :2]).max(axis=1, initial=0)[:, None]
    return boxes.clip(
        np.concatenate([tight[:, :2] - margin, tight[:, 2:] + margin], 1), width, height
    )
