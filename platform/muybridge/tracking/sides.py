"""Keep left and right apart over time, and faces off the backs of heads.

A network takes each picture by itself: where somebody is seen from the side or from behind, it may
call the left leg the right one for some frames. A leg does not jump: of all ways to exchange left
and right from frame to frame, the one with the least movement is taken, at a small price for every
moment at which the network is contradicted (Viterbi 1967).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import COCO17

Floats = NDArray[np.floating[Any]]

PARTS = (  # joints that are exchanged together: left ones, right ones
    ("shoulder", "elbow", "wrist"),
    ("hip", "knee", "ankle"),
)
PRICE = 0.04  # of a second of contradiction, in squared body lengths a joint
FAR = 0.15  # body lengths beyond which a movement costs no more
GAP_S = 0.3  # seconds after which nothing is concluded from where a joint was
FACE = COCO17.index("nose", "left_eye", "right_eye")
HIDDEN = 0.3  # what is left of the score of a face that is turned away


def keep_sides(times: Floats, joints: Floats, length: Floats) -> Floats:
    """Exchange left and right of arms and legs where a track's joints (T, 17, 3) jump otherwise.

    ``times`` (T,) are seconds and rise; ``length`` (T,) is that of the body in pixels.
    """
    kept = joints.copy()
    for part in PARTS:
        sides = [COCO17.index(*(f"{side}_{joint}" for joint in part)) for side in ("left", "right")]
        both = joints[:, sides]  # (T, 2, 3, 3)
        swapped = _least_movement(times, both, length)
        kept[:, sides] = np.where(swapped[:, None, None, None], both[:, ::-1], both)
    return kept


def _least_movement(times: Floats, both: Floats, length: Floats) -> NDArray[np.bool_]:
    """Choose at which frames two sides (T, 2, J, 3) are exchanged: (T,)."""
    if len(times) < 2:
        return np.zeros(len(times), bool)
    steps = np.diff(times)
    price = PRICE * np.minimum(np.append(steps, steps[-1:]), GAP_S) * both[..., 2].mean((1, 2))
    stay, cross = (_movement(both[:-1], other, length[1:]) for other in (both[1:], both[1:, ::-1]))
    stay, cross = (np.where(steps > GAP_S, 0, cost) for cost in (stay, cross))
    total, came = np.array([0.0, price[0]]), list[NDArray[np.intp]]()
    for at in range(len(steps)):
        ways = total[:, None] + np.array([[stay[at], cross[at]], [cross[at], stay[at]]])
        came.append(ways.argmin(0))
        total = ways.min(0) + np.array([0.0, price[at + 1]])
    states = [int(total.argmin())]
    for before in reversed(came):
        states.append(int(before[states[-1]]))
    return np.array(states[::-1], bool)


def _movement(first: Floats, second: Floats, length: Floats) -> Floats:
    """Measure how far both sides (T, 2, J, 3) move: squared body lengths a joint, by score (T,)."""
    away = np.linalg.norm(first[..., :2] - second[..., :2], axis=3) / length[:, None, None]
    weight = np.sqrt(first[..., 2] * second[..., 2])
    return (weight * np.minimum(away, FAR) ** 2).mean((1, 2))


def hide_faces(joints: Floats) -> Floats:
    """Lower the scores of faces that are turned away, of joints (T, 17, 3).

    From behind, the left shoulder and the left hip lie on the left; then a nose between the ears is
    the back of a head, and one beyond them is a face seen from the side.
    """
    left, right = (COCO17.index(f"{side}_shoulder", f"{side}_hip") for side in ("left", "right"))
    width = joints[:, left, 0] - joints[:, right, 0]  # (T, 2), more than 0 from the front
    torso = np.linalg.norm(
        joints[:, [left[0], right[0]], :2].mean(1) - joints[:, [left[1], right[1]], :2].mean(1),
        axis=1,
    )
    behind = width.mean(1) < -0.15 * np.maximum(torso, 1)
    ears = np.sort(joints[:, COCO17.index("left_ear", "right_ear"), 0], axis=1)
    margin = 0.25 * (ears[:, 1] - ears[:, 0])
    nose = joints[:, FACE[0], 0]
    away = behind & (nose > ears[:, 0] - margin) & (nose < ears[:, 1] + margin)
    made = joints.copy()
    made[:, FACE, 2] *= np.where(away, HIDDEN, 1)[:, None]
    return made
