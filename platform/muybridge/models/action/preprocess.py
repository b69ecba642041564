"""From a person's joints in space to what the classifier sees: two seconds, turned to the front.

A window has ``MOMENTS`` moments, ``STEP`` seconds apart whatever the video's frame rate. Its joints
are turned about the vertical until the hips, over the whole window, face the camera: what is done
does not depend on where one stands to see it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import BODY18

Floats = NDArray[np.floating[Any]]
Spans = NDArray[np.int64]

MOMENTS = 31
STEP = 1 / 15  # seconds
STRIDE = 0.25  # seconds from one window to the next
ENOUGH = 0.6  # of a window's moments that must be seen
CERTAIN = 0.3  # score from which a joint was found, not guessed
MISSING, MISSING_OF_LEGS = 2, 1  # joints at most, toes aside; and knees or ankles among them
REACH = 0.1  # seconds from a moment within which a frame must be
LEGS = BODY18.index("left_knee", "right_knee", "left_ankle", "right_ankle")
WITHOUT_TOES = [i for i, name in enumerate(BODY18.joints) if not name.endswith("toe")]
HIPS = BODY18.index("left_hip", "right_hip")
CHANNELS = len(BODY18.joints) * 6  # where joints are, and where to they move


def windows(times: Floats, joints: Floats) -> tuple[Floats, Spans]:
    """Cut a track into windows: joints (N, MOMENTS, 18, 3), and which frames (N, 2) each covers.

    ``times`` (T,) are seconds, rising; ``joints`` (T, 18, 4) as the lifter gives them, 0 where
    nobody was seen. Windows of which too little was seen are left out, and so is who is seen in
    part only, cut off at the knees for instance: joints that were guessed tell nothing of what is
    done. Toes are not asked for, since some systems know none.
    """
    missing = joints[..., 3] < CERTAIN
    there = missing[:, WITHOUT_TOES].sum(1) <= MISSING
    there &= missing[:, LEGS].sum(1) <= MISSING_OF_LEGS
    seen, known = times[there], joints[there, :, :3]
    if len(seen) < 2:
        return np.zeros((0, MOMENTS, len(BODY18.joints), 3), np.float32), np.zeros((0, 2), np.int64)
    half = MOMENTS // 2 * STEP
    middles = np.arange(seen[0] + half, max(seen[-1] - half, seen[0] + half) + 1e-6, STRIDE)
    at = middles[:, None] + (np.arange(MOMENTS) - MOMENTS // 2) * STEP
    after = np.clip(np.searchsorted(seen, at), 1, len(seen) - 1)
    span = seen[after] - seen[after - 1]
    share = np.clip((at - seen[after - 1]) / span, 0, 1)[..., None, None]
    made = known[after - 1] * (1 - share) + known[after] * share
    usual = float(np.median(np.diff(seen)))
    far = np.minimum(np.abs(seen[after] - at), np.abs(at - seen[after - 1]))
    enough = (far <= max(REACH, 0.51 * usual)).mean(1) >= ENOUGH
    first, last = np.searchsorted(times, at[:, 0] - 1e-6), np.searchsorted(times, at[:, -1] + 1e-6)
    return made[enough].astype(np.float32), np.stack([first, last], 1)[enough].astype(np.int64)


def features(joints: Floats) -> NDArray[np.float32]:
    """Make what the network sees, (N, MOMENTS, CHANNELS), of windows (N, MOMENTS, 18, 3)."""
    across = (joints[:, :, HIPS[0]] - joints[:, :, HIPS[1]]).mean(1)  # (N, 3)
    angle = np.arctan2(across[:, 2], across[:, 0])
    turned = np.zeros((len(joints), 3, 3), np.float32)
    turned[:, 0, 0] = turned[:, 2, 2] = np.cos(angle)
    turned[:, 0, 2], turned[:, 2, 0] = -np.sin(angle), np.sin(angle)
    turned[:, 1, 1] = 1
    places = joints @ turned[:, None]
    moves = np.gradient(places, STEP, axis=1)
    made = np.concatenate([places, moves], axis=3)
    return made.reshape(len(joints), MOMENTS, CHANNELS).astype(np.float32)
