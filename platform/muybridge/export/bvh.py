"""Write a rig as BVH (Biovision Hierarchy), which animation programs read.

Units are metres, as Blender takes them; axes are y up, and somebody who faces the camera looks
along +z (``bones``). The root's three positions say where it is, its offset is none; every joint
has three rotations in degrees. The root turns about y first, the others about z: so the angle in
the middle, at whose 90 degrees the outer two become one, is how far the person bends forward, or
how far a limb turns about itself or swings ahead. Every frame's angles are those of all that mean
the same which lie nearest to the frame before, so that what is between frames is between them too.
Frames in which the person was not seen are filled in: the format has no way to leave them out.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from muybridge.export.bones import Rig

Array = NDArray[np.float64]
ROOT_ORDER, ORDER = "YXZ", "ZYX"
TURN = 2 * np.pi


def text(rig: Rig, rate: float) -> str:
    """Write a rig that moves at ``rate`` frames a second."""
    numbers = np.concatenate([rig.root, angles(rig)[:, _walk(rig)].reshape(len(rig.root), -1)], 1)
    motion = io.StringIO()
    np.savetxt(motion, np.round(numbers, 6) + 0.0, fmt="%.6f")
    head = ["HIERARCHY", *_joint(rig, 0, 0), "MOTION", f"Frames: {len(numbers)}"]
    return "\n".join([*head, f"Frame Time: {1 / rate:.8f}", motion.getvalue()])


def angles(rig: Rig) -> Array:
    """Give the rotations (N, J, 3) in degrees, in the order in which they are applied."""
    root, others = _euler(rig.turns[:, :1], ROOT_ORDER), _euler(rig.turns[:, 1:], ORDER)
    return np.degrees(np.concatenate([root, others], axis=1))


def _euler(turns: Array, order: str) -> Array:
    """Turn matrices (N, J, 3, 3) into angles (N, J, 3) in radians that never jump."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # one of the angles is then 0, rightly
        found = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_euler(order)
    found = found.reshape(turns.shape[:3])
    for before, now in pairwise(found):
        now[:] = _near(now, before)
    return found


def _near(angles: Array, before: Array) -> Array:
    """Choose of all angles (J, 3) that mean the same those nearest to the ones before (J, 3)."""
    other = np.pi + angles * (1, -1, 1)
    both = np.stack([angles, other])
    both -= TURN * np.round((both - before) / TURN)
    farther = ((both - before) ** 2).sum(-1)
    nearest: Array = np.where((farther[0] <= farther[1])[:, None], both[0], both[1])
    return nearest


def _walk(rig: Rig, joint: int = 0) -> list[int]:
    """Number the joints in the order of the file: each with all that hangs on it."""
    after = [child for child, parent in enumerate(rig.parents) if parent == joint]
    return [joint, *(each for child in after for each in _walk(rig, child))]


def _joint(rig: Rig, joint: int, depth: int) -> Iterator[str]:
    """Yield the lines of a joint and of all that hangs on it."""
    outer, inner = "\t" * depth, "\t" * (depth + 1)
    order = ROOT_ORDER if depth == 0 else ORDER
    places = "6 Xposition Yposition Zposition" if depth == 0 else "3"
    yield f"{outer}{'JOINT' if depth else 'ROOT'} {rig.names[joint]}"
    yield f"{outer}{{"
    yield f"{inner}OFFSET {_three(rig.offsets[joint])}"
    yield f"{inner}CHANNELS {places} {' '.join(f'{axis}rotation' for axis in order)}"
    for child, parent in enumerate(rig.parents):
        if parent == joint:
            yield from _joint(rig, child, depth + 1)
    if joint in rig.tips:
        yield from (f"{inner}End Site", f"{inner}{{")
        yield from (f"{inner}\tOFFSET {_three(rig.tips[joint])}", f"{inner}}}")
    yield f"{outer}}}"


def _three(values: Array) -> str:
    return " ".join(f"{value:.6f}" for value in np.round(values, 6) + 0.0)
