"""From the joints of a 2-D system to what our lifter sees: fifteen joints over a second of time.

The lifter sees a window of ``TAPS`` moments around each frame, ``STEP`` seconds apart whatever the
video's frame rate, so it needs neither a rate of its own nor gapless tracks. In each moment joints
are taken relative to the body, and all of a window by one scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import Skeleton

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

SEEN = (
    "right_hip", "right_knee", "right_ankle", "right_big_toe",
    "left_hip", "left_knee", "left_ankle", "left_big_toe",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_shoulder", "right_elbow", "right_wrist", "head",
)  # fmt: skip
OTHERS = {  # what else a joint is called, in order; several joints stand for their middle
    "right_big_toe": (("right_foot_index",),),
    "left_big_toe": (("left_foot_index",),),
    "head": (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("nose",)),
}
HIPS = [SEEN.index("right_hip"), SEEN.index("left_hip")]
SHOULDERS = [SEEN.index("right_shoulder"), SEEN.index("left_shoulder")]

TAPS = 27
STEP = 1 / 30  # seconds
OFFSETS = (np.arange(TAPS) - TAPS // 2) * STEP
REACH = 0.1  # seconds over which a joint that was not seen is filled in


@dataclass(frozen=True)
class Track:
    """Hold one person's joints in time: ``times`` (T,) in seconds, rising, joints (T, 15, 3).

    Joints are x, y in pixels and a score, 0 for one that was not seen.
    """

    times: Floats
    joints: Floats


def gathered(joints: Floats, skeleton: Skeleton, certain: float) -> Floats:
    """Take the joints that the lifter sees, (P, 15, 3), out of a skeleton's (P, J, 3).

    Who scores less than ``certain`` counts as not seen: 0, 0, 0.
    """
    joints = np.where(joints[..., 2:] >= certain, joints, 0)
    made = np.zeros((len(joints), len(SEEN), 3), joints.dtype)
    for number, name in enumerate(SEEN):
        for names in ((name,), *OTHERS.get(name, ())):
            if not set(names) <= set(skeleton.joints):
                continue
            parts = joints[:, skeleton.index(*names)]
            found = (parts[..., 2] > 0).all(1) & (made[:, number, 2] == 0)
            made[found, number] = parts[found].mean(1)
    return made


def windows(track: Track) -> tuple[Floats, Floats]:
    """Give each frame of a track its window: places (T, TAPS, 15, 2) and scores (T, TAPS, 15).

    Between frames in which a joint was seen it is interpolated; farther than ``REACH`` from them,
    or than half the usual step between frames, it is not seen.
    """
    at = track.times[:, None] + OFFSETS  # (T, TAPS)
    joints = track.joints.astype(np.float32)
    found = np.zeros((*at.shape, len(SEEN), 3), np.float32)
    seen = joints[..., 2] > 0  # (T, 15)
    for pattern in np.unique(seen, axis=1).T:  # joints that are seen in the same frames
        if pattern.any():
            alike = np.flatnonzero((seen == pattern[:, None]).all(0))
            known = joints[np.ix_(np.flatnonzero(pattern), alike)]
            found[:, :, alike] = _at(at, track.times[pattern], known)
    return found[..., :2], found[..., 2]


def _at(at: Floats, times: Floats, joints: Floats) -> Floats:
    """Give joints (N, K, 3), known at times (N,), at other times (T, TAPS): (T, TAPS, K, 3)."""
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1)) % len(times)
    before = np.maximum(after - 1, 0)
    span = times[after] - times[before]
    share = np.clip((at - times[before]) / np.where(span > 0, span, 1), 0, 1)
    share = share.astype(joints.dtype)[..., None, None]
    made = joints[before] * (1 - share) + joints[after] * share
    far = np.minimum(np.abs(times[after] - at), np.abs(at - times[before]))
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    made[far > max(REACH, 0.51 * usual)] = 0
    return made


def normalised(places: Floats, seen: Flags) -> Floats:
    """Make what the network sees, (N, TAPS * 15 * 3), of places (N, TAPS, 15, 2) and who is seen.

    In each moment the middle of the hips is the origin, or of the shoulders, or of all that is
    seen; the unit is the spread of all joints of the window. Those not seen are 0, 0, 0, the others
    x, y, 1.
    """
    made = np.empty((*seen.shape, 3), np.float32)
    weight = made[..., 2] = seen.astype(np.float32)
    count = weight.sum(2)
    sides = []  # x and y, from the middle of all that is seen
    for axis in range(2):
        side = places[..., axis]
        middle = np.einsum("ntj,ntj->nt", side, weight) / np.maximum(count, 1)
        sides.append(((side - middle[..., None]) * weight).astype(np.float32))
    spread = sum(np.einsum("ntj,ntj->n", side, side) for side in sides)
    unit = np.sqrt(spread / np.maximum(count.sum(1), 1)).astype(np.float32)
    for axis, side in enumerate(sides):
        origin = np.zeros(side.shape[:2], np.float32)
        for one, other in (SHOULDERS, HIPS):
            both = seen[..., one] & seen[..., other]
            origin = np.where(both, (side[..., one] + side[..., other]) / 2, origin)
        scaled = weight / np.maximum(unit, 1e-9)[:, None, None]
        made[..., axis] = (side - origin[..., None]) * scaled
    return made.reshape(len(made), -1)
