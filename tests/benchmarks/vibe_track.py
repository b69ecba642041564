"""Measure what VIBE's stage loses by looking less often and seeing less of what was, as JSON.

python tests/benchmarks/vibe_track.py PACK VIDEO ... [--frames 240]

PACK is the folder of VIBE's golden pack: its weights and body are used. People are found with the
default graph. ``still`` says, for some grey levels, which share of person-frames was not looked at
again, and how far the 49 joints and the body's place in the picture are then from those when all
are. ``before`` says how far the joints of the first second are, when the encoder is led up to it by
so many frames only, from when it saw all ten seconds before; ``between frames`` is how far they
move from one frame to the next, to compare. The weights are synthetic: a trained network answers
otherwise, so these numbers say how much the stage passes on, not how good the bodies are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from vibe import filled

from muybridge import graph, graphs
from muybridge.columns import GIVEN
from muybridge.geometry.smpl import Joints
from muybridge.models.vibe.predict import Predictor
from muybridge.stages.vibe import Models, Options, Reader, read
from muybridge.video.clips import clips
from muybridge.video.probe import probe

LEVELS = (2, 4, 8, 16)
BEFORE = (0, 5, 15, 30)  # frames
FIRST = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--frames", type=int, default=240)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, body, extra = filled(options.pack)
    models = Models(Predictor(network), Joints(body, extra), "vibe", "smpl")
    report = {Path(v).name: measured(models, seen(v, options.frames)) for v in options.videos}
    print(json.dumps(report, indent=1))


def seen(video: str, frames: int) -> dict[str, Any]:
    """Find the people in the first frames of a video."""
    clip = clips(probe(video), Path(video).name, video)[0]
    cut = {name: clip[name][:frames] for name in ("frame_index", "pts", "times")}
    core = np.array([cut["frame_index"][0], cut["frame_index"][-1] + 1])
    (made,) = graph.apply(graph.load(graphs.see_people(), GIVEN), [{**clip, **cut, "core": core}])
    return dict(made)


def measured(models: Models, clip: dict[str, Any]) -> dict[str, Any]:
    """Read everybody at every frame, then less; features that were read are not read again."""
    reader = Reader(models.predictor, 32)
    whole = read(models, clip, Options(), reader)
    joints = whole["smpl_joints3d"]
    paths = [joints[clip["person_track"] == track] for track in np.unique(clip["person_track"])]
    moves = [np.linalg.norm(np.diff(path, axis=0), axis=2) for path in paths]
    return {
        "person_frames": len(clip["person_frame"]),
        "between frames, mm": round(float(np.concatenate(moves).mean()) * 1e3, 1),
        "still": {level: stilled(models, clip, whole, reader, level) for level in LEVELS},
        "before": {count: cold(models, clip, whole, reader, count) for count in BEFORE},
    }


def stilled(
    models: Models, clip: dict[str, Any], whole: dict[str, Any], known: Reader, level: float
) -> dict[str, float]:
    """Leave out looks at those who change by less than so many grey levels."""
    reader = Reader(models.predictor, 32, known.read)
    made = read(models, clip, Options(still=level), reader)
    place = np.linalg.norm(made["smpl_translation"] - whole["smpl_translation"], axis=1)
    return {
        "not looked at": round(1 - len(reader.read) / len(clip["person_frame"]), 3),
        "joints, mm": round(apart(made["smpl_joints3d"], whole["smpl_joints3d"]), 1),
        "place, mm": round(float(place.mean()) * 1e3, 1),
    }


def cold(
    models: Models, clip: dict[str, Any], whole: dict[str, Any], known: Reader, count: int
) -> float:
    """Say how far the joints of a later second are if the encoder starts so many frames before."""
    start = len(clip["frame_index"]) - FIRST
    rows = clip["person_frame"] >= start - count
    names = ("person_frame", "person_track", "person_score", "person_box")
    reader = Reader(models.predictor, 32, known.read)
    made = read(models, {**clip, **{name: clip[name][rows] for name in names}}, Options(), reader)
    second = clip["person_frame"] >= start
    late = clip["person_frame"][rows] >= start
    return round(apart(made["smpl_joints3d"][late], whole["smpl_joints3d"][second]), 2)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Give the mean distance of joints (N, J, 3) in millimetres."""
    return float(np.linalg.norm(one - other, axis=-1).mean()) * 1e3


if __name__ == "__main__":
    main()
