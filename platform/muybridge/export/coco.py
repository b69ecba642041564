"""Write a person's joints in the picture as COCO keypoints, a picture a frame that they are in.

The joints are COCO's 17, picked by name from what the system sees; a picture's id is its frame's
number. Pixels are those of the picture as shown. A joint's third number is COCO's: 2 if it is sure
enough to be drawn, 1 if it is less sure, 0 (with x and y 0) if it was not found or lies outside.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.export.tracks import Track
from muybridge.geometry.skeletons import COCO17, SKELETONS, mapping
from muybridge.render.draw import CERTAINTY
from muybridge.render.rows import CERTAIN
from muybridge.store.tables import SIDES

CATEGORY = {
    **{"id": 1, "name": "person", "supercategory": "person", "keypoints": COCO17.joints},
    "skeleton": [(one + 1, other + 1) for one, other in COCO17.limbs],  # counted from 1
}


def text(track: Track) -> str:
    """Write rows of ``keypoints``."""
    frames, times = (track.column(name).tolist() for name in ("frame", "time_s"))
    boxes = {row["frame"]: row for row in track.people.to_pylist()}
    joints, (width, height) = _coco(track), (track.video[side] for side in ("width", "height"))
    name, size = PurePosixPath(track.video["uri"]).stem, {"width": width, "height": height}
    made = {
        "info": {"description": f"{track.video['uri']}, track {track.number} by {track.system}"},
        "images": [
            {"id": frame, **size, "file_name": f"{name}_{frame:06d}.jpg", "time_s": time}
            for frame, time in zip(frames, times, strict=True)
        ],
        "annotations": [
            {"id": number, "image_id": frame, "category_id": 1, "track_id": track.number}
            | _box(boxes[frame])
            | _keypoints(found, _sure(found, track.system, width, height))
            for number, (frame, found) in enumerate(zip(frames, joints, strict=True), 1)
        ],
        "categories": [CATEGORY],
    }
    return json.dumps(made)


def _coco(track: Track) -> NDArray[np.float64]:
    """Give x, y, score of COCO's joints (F, 17, 3); one that the system does not see scores 0."""
    picked = mapping(SKELETONS[track.rows["skeleton"][0].as_py()], COCO17)
    joints = np.stack([track.column(name) for name in ("x", "y", "score")], axis=-1)
    return np.where(picked[:, None] >= 0, joints[:, picked], 0.0).astype(np.float64)


def _box(person: dict[str, Any]) -> dict[str, Any]:
    left, top, right, bottom = (round(person[side], 3) for side in SIDES)
    box = [left, top, right - left, bottom - top]
    return {"bbox": box, "area": box[2] * box[3], "iscrowd": 0, "score": person["score"]}


def _sure(joints: NDArray[Any], system: str, width: int, height: int) -> NDArray[np.int64]:
    """Say 0, 1 or 2 of each joint (J, 3)."""
    x, y, score = joints.T
    inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height) & (score > 0)
    return inside * np.where(score > CERTAIN.get(system, CERTAINTY)[0], 2, 1)


def _keypoints(joints: NDArray[Any], sure: NDArray[np.int64]) -> dict[str, Any]:
    flat = [
        value
        for (x, y, _), how in zip(joints.tolist(), sure.tolist(), strict=True)
        for value in ((round(x, 3), round(y, 3), how) if how else (0, 0, 0))
    ]
    scores = [round(score, 4) for score in joints[:, 2].tolist()]
    return {"keypoints": flat, "num_keypoints": int((sure > 0).sum()), "keypoint_scores": scores}
