"""Lift the joints seen in a clip's pictures to three dimensions, track by track."""

from __future__ import annotations

from typing import Any

import numpy as np

from muybridge.columns import Clip
from muybridge.geometry.skeletons import BODY18, SKELETONS
from muybridge.graph import Run, Stage
from muybridge.models.lifter import predict
from muybridge.models.lifter.predict import Folded
from muybridge.models.lifter.preprocess import Track, gathered

COLUMN = "lifter_joints3d"
# column of joints in the picture: their skeleton, and the score from which a joint counts as seen
SOURCES = {
    "blazepose_joints": ("blazepose33", 0.3),
    "movenet_joints": ("coco17", 0.3),
    "coco17_joints": ("coco17", 0.3),
    "coco18_joints": ("coco18", 0.1),
    "body25_joints": ("body25", 0.1),
}


def lift(source: str) -> Stage:
    """Make the stage that lifts joints of a column in ``SOURCES`` with the network that ships."""
    return Stage(
        name="lift",
        load=lambda: load(source),
        reads=("times", "person_frame", "person_track", source),
        writes=(COLUMN,),
        identity=predict.identity(),
    )


def load(source: str) -> Run:
    """Load the network and return what runs it over clips."""
    network = predict.load()
    return lambda clips: [{COLUMN: lifted(network, clip, source)} for clip in clips]


def lifted(network: Folded, clip: Clip, source: str) -> Any:
    """Lift everybody in a clip: (P, 18, 4)."""
    skeleton, certain = SOURCES[source]
    joints = gathered(clip[source], SKELETONS[skeleton], certain)
    made = np.zeros((len(joints), len(BODY18.joints), 4), np.float32)
    for track in np.unique(clip["person_track"]):
        rows = np.flatnonzero(clip["person_track"] == track)  # frames rise
        times = clip["times"][clip["person_frame"][rows]]
        made[rows] = predict.lift(network, Track(times, joints[rows]))
    return made
