"""Say what people in a clip do, from their joints in space, track by track."""

from __future__ import annotations

from typing import Any

import numpy as np

from muybridge.columns import Clip
from muybridge.graph import Run, Stage
from muybridge.models.action import predict
from muybridge.models.action.predict import Folded
from muybridge.tracking.segments import covered

JOINTS = "lifter_joints3d"
WRITES = ("motion_scores",)


def act() -> Stage:
    """Make the stage that classifies lifted joints with the network that ships."""
    return Stage(
        name="act",
        load=load,
        reads=("times", "person_frame", "person_track", JOINTS),
        writes=WRITES,
        identity=predict.identity(),
    )


def load() -> Run:
    """Load the network and return what runs it over clips."""
    network = predict.load()
    return lambda clips: [{WRITES[0]: scored(network, clip)} for clip in clips]


def scored(network: Folded, clip: Clip) -> Any:
    """Give everybody in a clip, frame by frame, a score for each label: (P, A)."""
    made = np.zeros((len(clip["person_frame"]), len(network.labels)), np.float32)
    for track in np.unique(clip["person_track"]):
        rows = np.flatnonzero(clip["person_track"] == track)  # frames rise
        times = clip["times"][clip["person_frame"][rows]]
        scores, spans = predict.classified(network, times, clip[JOINTS][rows])
        made[rows] = covered(spans, scores, len(rows))
    return made
