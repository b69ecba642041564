"""Read the real four-camera footage: joints that OpenPose saw in pictures, and those in space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from muybridge import graphs
from muybridge.geometry.skeletons import BODY18, COCO17, Skeleton
from muybridge.run import local
from muybridge.video.clips import clips
from muybridge.video.probe import probe

BODY25B = Skeleton(
    "body25b",
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist"),
        *("right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle"),
        *("right_ankle", "neck", "head", "left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    (),
)
CAMERAS = ("cam01", "cam02", "cam03", "cam04")
FPS = 60
LEAD = 1  # frames by which what was published leads the videos: least pixels apart in all cameras
LIMBS = [  # of the lifter's joints, those whose place both skeletons agree on
    i
    for i, name in enumerate(BODY18.joints)
    if name.rpartition("_")[2] in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    and name != "mid_hip"
]


def seen(folder: Path, camera: str) -> np.ndarray:
    """Give the joints (T, 25, 3) of the man, in pixels and a score; zeros where he was not seen."""
    frames = []
    for path in sorted((folder / "openpose_json_associated" / camera).glob("*.json")):
        people = json.loads(path.read_text())["people"]
        numbers: list[Any] = people[0].get("pose_keypoints_2d", []) if people else []
        frames.append(np.reshape(numbers or np.zeros(75), (25, 3)))
    return np.array(frames)


def found(folder: Path, camera: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the man with the default graph: frames (T,), times (T,), joints (T, 17, 3), COCO's.

    He is the track that is nearest to what was published of him.
    """
    video = str(folder / "videos" / f"{camera}.mp4")
    given = [{**clip, "source": video} for clip in clips(probe(video), video, camera)]
    (clip,) = local.run(graphs.see_people(), given)
    published = seen(folder, camera)[:, BODY25B.index(*COCO17.joints)]
    away = {}
    for track in np.unique(clip["person_track"]):
        rows = np.flatnonzero(clip["person_track"] == track)
        rows = rows[clip["person_frame"][rows] - LEAD < len(published)]
        theirs = published[clip["person_frame"][rows] - LEAD]
        off = clip["movenet_joints"][rows, 5:, :2] - theirs[:, 5:, :2]
        if len(rows) > len(published) / 2:
            away[track] = float(np.median(np.linalg.norm(off, axis=2)))
    mine = clip["person_track"] == min(away, key=lambda track: away[track])
    frames = clip["person_frame"][mine]
    return frames, clip["times"][frames], clip["movenet_joints"][mine]


def triangulated(folder: Path) -> np.ndarray:
    """Give the limbs' joints (T, 12, 3) in metres, triangulated of all cameras, as ``LIMBS``."""
    (path,) = (folder / "triangulated").glob("*_0-100.trc")
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    names = [name for name in rows[3][2:] if name]
    values = np.array(
        [[float(v) for v in row[2 : 2 + 3 * len(names)]] for row in rows[5:] if row[1:]]
    )
    theirs = [names.index(_marker(BODY18.joints[i])) for i in LIMBS]
    return values.reshape(len(values), len(names), 3)[:, theirs]


def _marker(name: str) -> str:
    """Name a joint as the file does: RHip, LWrist."""
    side, _, joint = name.partition("_")
    return side[0].upper() + joint.capitalize()
