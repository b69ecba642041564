"""Skeletons: which joints a system gives, in its order, and the limbs between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """Name the joints of a skeleton in order, and its limbs as pairs of joint numbers."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]

    def index(self, *joints: str) -> list[int]:
        """Find the numbers of joints by name."""
        return [self.joints.index(joint) for joint in joints]


def _skeleton(name: str, joints: str, chains: str) -> Skeleton:
    """Make a skeleton from joint names and from chains of limbs such as 'a-b-c d-e'."""
    names = tuple(joints.split())
    paths = [chain.split("-") for chain in chains.split()]
    limbs = [pair for path in paths for pair in pairwise(path)]
    return Skeleton(name, names, tuple((names.index(a), names.index(b)) for a, b in limbs))


BLAZEPOSE33 = _skeleton(
    "blazepose33",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel "
    "left_foot_index right_foot_index",
    "left_ear-left_eye_outer-left_eye-left_eye_inner-nose mouth_left-mouth_right "
    "right_ear-right_eye_outer-right_eye-right_eye_inner-nose left_shoulder-right_shoulder "
    "left_shoulder-left_elbow-left_wrist-left_pinky-left_index-left_wrist-left_thumb "
    "right_shoulder-right_elbow-right_wrist-right_pinky-right_index-right_wrist-right_thumb "
    "left_shoulder-left_hip-right_hip-right_shoulder "
    "left_hip-left_knee-left_ankle-left_heel-left_foot_index-left_ankle "
    "right_hip-right_knee-right_ankle-right_heel-right_foot_index-right_ankle",
)

COCO17 = _skeleton(
    "coco17",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle",
    "left_ear-left_eye-nose-right_eye-right_ear left_shoulder-right_shoulder "
    "left_shoulder-left_elbow-left_wrist right_shoulder-right_elbow-right_wrist "
    "left_shoulder-left_hip-right_hip-right_shoulder "
    "left_hip-left_knee-left_ankle right_hip-right_knee-right_ankle",
)

COCO18 = _skeleton(
    "coco18",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye "
    "right_ear left_ear",
    "neck-right_shoulder-right_elbow-right_wrist neck-left_shoulder-left_elbow-left_wrist "
    "neck-right_hip-right_knee-right_ankle neck-left_hip-left_knee-left_ankle "
    "neck-nose-right_eye-right_ear nose-left_eye-left_ear",
)

BODY25 = _skeleton(
    "body25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
    "left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel",
    "neck-right_shoulder-right_elbow-right_wrist neck-left_shoulder-left_elbow-left_wrist "
    "neck-mid_hip mid_hip-right_hip-right_knee-right_ankle mid_hip-left_hip-left_knee-left_ankle "
    "neck-nose-right_eye-right_ear nose-left_eye-left_ear left_ankle-left_big_toe-left_small_toe "
    "left_ankle-left_heel right_ankle-right_big_toe-right_small_toe right_ankle-right_heel",
)

BODY18 = _skeleton(
    "body18",
    "mid_hip right_hip right_knee right_ankle right_big_toe left_hip left_knee left_ankle "
    "left_big_toe spine neck head left_shoulder left_elbow left_wrist right_shoulder right_elbow "
    "right_wrist",
    "mid_hip-spine-neck-head mid_hip-right_hip-right_knee-right_ankle-right_big_toe "
    "mid_hip-left_hip-left_knee-left_ankle-left_big_toe neck-left_shoulder-left_elbow-left_wrist "
    "neck-right_shoulder-right_elbow-right_wrist",
)

H36M17 = _skeleton(
    "h36m17",
    "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose "
    "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
    "mid_hip-spine-thorax-nose-head_top mid_hip-right_hip-right_knee-right_ankle "
    "mid_hip-left_hip-left_knee-left_ankle thorax-left_shoulder-left_elbow-left_wrist "
    "thorax-right_shoulder-right_elbow-right_wrist",
)

PA_JOINTS = (
    "mid_hip thorax neck head_top right_shoulder left_shoulder right_elbow left_elbow right_wrist "
    "left_wrist right_hip left_hip right_knee left_knee right_ankle left_ankle"
)
PA_LIMBS = (
    "thorax-right_shoulder-right_elbow-right_wrist thorax-left_shoulder-left_elbow-left_wrist "
    "mid_hip-right_hip-right_knee-right_ankle mid_hip-left_hip-left_knee-left_ankle"
)
PA16 = _skeleton("pa16", PA_JOINTS, f"mid_hip-thorax-neck-head_top {PA_LIMBS}")
PA17 = _skeleton("pa17", f"{PA_JOINTS} spine", f"mid_hip-spine-thorax-neck-head_top {PA_LIMBS}")

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (BLAZEPOSE33, COCO17, COCO18, BODY25, BODY18, H36M17, PA16, PA17)
}


def mapping(source: Skeleton, target: Skeleton) -> NDArray[np.int64]:
    """Find for each joint of ``target`` (J,) the number of the same joint in ``source``, or -1."""
    found = [source.joints.index(j) if j in source.joints else -1 for j in target.joints]
    return np.array(found, np.int64)
