"""Track boxes with SORT, ByteTrack and OC-SORT of the package `trackers`, for tracking.py.

Reads a JSON list of scenes from standard input: ``rate`` in frames a second, ``boxes`` (N, 4) and
``scores`` (N,) or null of each frame. Writes JSON: for every variant, for every scene the numbers
of all boxes in order, -1 where the tracker gives none. Runs in an environment of its own, which
needs `pip install trackers` and not this product.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import numpy as np
import supervision
import trackers

KINDS = {
    "SORT": trackers.SORTTracker,
    "ByteTrack": trackers.ByteTrackTracker,
    "OC-SORT": trackers.OCSORTTracker,
}
# Each beside the scene's frame rate; the buffer is counted in frames at 30 a second.
PARAMETERS: dict[str, dict[str, Any]] = {
    "default": {},
    "3 s": {"lost_track_buffer": 90},
    "3 s, from the first frame, IoU 0.1": {
        "lost_track_buffer": 90,
        "minimum_consecutive_frames": 1,
        "minimum_iou_threshold": 0.1,
    },
}


def main() -> None:
    scenes = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        found = {
            f"{kind}, {name}": [
                track(KINDS[kind](frame_rate=s["rate"], **given), s) for s in scenes
            ]
            for kind in KINDS
            for name, given in PARAMETERS.items()
        }
    json.dump(found, sys.stdout)


def track(tracker: Any, scene: dict[str, Any]) -> list[int]:
    """Number the boxes of a scene, frame by frame."""
    ids: list[int] = []
    for boxes, scores in zip(scene["boxes"], scene["scores"], strict=True):
        here = np.full(len(boxes), -1)
        done = tracker.update(
            supervision.Detections(
                xyxy=np.array(boxes, float).reshape(-1, 4),
                confidence=None if scores is None else np.array(scores, float),
                class_id=np.zeros(len(boxes), int),
                data={"place": np.arange(len(boxes))},
            )
        )
        if len(done):
            here[done.data["place"]] = done.tracker_id
        ids += here.tolist()
    return ids


if __name__ == "__main__":
    main()
