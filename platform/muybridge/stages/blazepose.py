"""Read people's joints with BlazePose: in the picture, hands and feet included, and in metres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from muybridge.columns import Clip, empty
from muybridge.graph import Run, Stage
from muybridge.models.blazepose import checkpoint
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import people
from muybridge.models.blazepose.preprocess import crops, regions_of
from muybridge.stages.looking import found, in_pictures

READS = ("frames", "person_frame", "person_box", "movenet_joints")
WRITES = ("blazepose_joints", "blazepose_joints3d")
CHUNK = 16  # frames held at a time, at most


def blazepose(name: str = "blazepose", given: Path | None = None) -> Stage:
    """Make the stage that reads people who were found; ``given`` is a file or folder of weights."""
    return Stage(
        name="blazepose",
        load=lambda: load(name, given),
        reads=READS,
        writes=WRITES,
        missing=lambda: checkpoint.missing(name, given),
        identity=checkpoint.identity(name, given),
    )


def load(name: str, given: Path | None) -> Run:
    """Load the network and return what runs it over clips."""
    network = checkpoint.load(name, given)
    return lambda clips: [read(network, clip) for clip in clips]


def read(network: BlazePose, clip: Clip) -> dict[str, Any]:
    """Read everybody in a clip twice: where their joints were found, then where it sees them."""
    made = {name: [values] for name, values in empty(WRITES).items()}
    seen = 0
    for person, picture in in_pictures(clip, CHUNK):
        region = regions_of(clip["movenet_joints"][person : person + 1])
        for _ in range(2):
            one = people(*network(crops(picture, region)), region)
            region = one.region
        made["blazepose_joints"].append(one.joints)
        made["blazepose_joints3d"].append(one.joints3d)
        seen += 1
    found(clip, seen)
    return {name: np.concatenate(parts) for name, parts in made.items()}
