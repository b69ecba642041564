"""Bones that turn about each other, as animation programs have them.

Axes here are y up and z backward, out of the picture towards the camera: ``UP @ point`` takes a
point there from the camera's axes. Somebody who faces the camera so looks along +z, left at +x.

A body's bones are SMPL's. Those of joints in space are found from where these are: a bone keeps
its length, the median over the track, and a joint with several bones turns them as one, as well as
it can (Wahba's problem, by singular values as Markley has it). About its own axis a bone turns no
more than the one before. Trunk and head each turn by themselves, about ``waist`` and ``nape``,
which lie where the hips' middle and the neck are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.export.motion import Body, Joints, lines

Array = NDArray[np.float64]
Row = tuple[str, str, tuple[float, float, float]]
UP: Array = np.diag([1.0, -1.0, -1.0])
TIP = 0.5  # length of a last bone, as a share of the one before
SLIGHT = 1e-6  # how much the bone before counts, beside what was seen
ROUNDS = 10  # in which several bones of a joint find how they lie to each other

MIDDLES = (  # a joint that a skeleton lacks lies in the middle of two
    ("mid_hip", "left_hip", "right_hip"),
    ("neck", "left_shoulder", "right_shoulder"),
    ("head", "left_ear", "right_ear"),
    ("head", "left_eye", "right_eye"),
)
TURNS_ALONE = ("waist", "nape")
# fmt: off
TRUNK: tuple[Row, ...] = (
    # joint,   the one before, and where it lies from there at rest: to the left, up, to the front
    ("mid_hip", "",        (0, 0, 0)),
    ("waist",   "mid_hip", (0, 0, 0)),
    ("spine",   "waist",   (0, 1, 0)),
    ("neck",    "spine",   (0, 1, 0)),
    ("nape",    "neck",    (0, 0, 0)),
    ("head",    "nape",    (0, 1, 0)),
    ("nose",    "head",    (0, 0, 1)),
)
LEFT: tuple[Row, ...] = (
    ("left_eye",        "head",          (0.3, 0.3, 1)),
    ("left_eye_inner",  "head",          (0.2, 0.3, 1)),
    ("left_eye_outer",  "head",          (0.4, 0.3, 1)),
    ("left_ear",        "head",          (1, 0, 0)),
    ("mouth_left",      "head",          (0.2, -0.4, 1)),
    ("left_shoulder",   "neck",          (1, 0, 0)),
    ("left_elbow",      "left_shoulder", (1, 0, 0)),
    ("left_wrist",      "left_elbow",    (1, 0, 0)),
    ("left_thumb",      "left_wrist",    (1, 0, 1)),
    ("left_index",      "left_wrist",    (3, 0, 1)),
    ("left_pinky",      "left_wrist",    (3, 0, -1)),
    ("left_hip",        "mid_hip",       (1, 0, 0)),
    ("left_knee",       "left_hip",      (0, -1, 0)),
    ("left_ankle",      "left_knee",     (0, -1, 0)),
    ("left_heel",       "left_ankle",    (0, -1, -1)),
    ("left_foot_index", "left_ankle",    (0, -1, 3)),
    ("left_big_toe",    "left_ankle",    (0, -1, 3)),
    ("left_small_toe",  "left_ankle",    (1, -1, 3)),
)
# fmt: on
RIGHT: tuple[Row, ...] = tuple(
    (name.replace("left", "right"), before.replace("left", "right"), (-x, y, z))
    for name, before, (x, y, z) in LEFT
)
BONES = (*TRUNK, *LEFT, *RIGHT)
BEFORE = {name: before for name, before, _ in BONES}


@dataclass(frozen=True)
class Rig:
    """Hold J joints, each after its parent, and how they turn in N frames; joint 0 is the root.

    ``offsets`` (J, 3) are metres from the parent at rest, ``turns`` (N, J, 3, 3) rotations in the
    parent's axes, ``root`` (N, 3) where joint 0 is.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    turns: Array
    root: Array
    tips: Mapping[int, Array] = field(init=False)

    def __post_init__(self) -> None:
        leaves = sorted({*range(len(self.names))} - {*self.parents})
        object.__setattr__(self, "tips", {leaf: TIP * self.offsets[leaf] for leaf in leaves})

    def places(self) -> Array:
        """Say where the joints are: (N, J, 3)."""
        turns, places = [self.turns[:, 0]], [self.root]
        for joint, parent in enumerate(self.parents[1:], 1):
            places.append(places[parent] + turns[parent] @ self.offsets[joint])
            turns.append(turns[parent] @ self.turns[:, joint])
        return np.stack(places, axis=1)


def of_body(body: Body, rest: Array) -> Rig:
    """Make the rig of an SMPL body whose joints at rest are ``rest`` (24, 3)."""
    from muybridge.geometry.smpl import JOINTS, PARENTS

    offsets = np.array(
        [rest[j] - rest[p] if p >= 0 else 0 * rest[j] for j, p in enumerate(PARENTS)]
    )
    turns = body.rotations.copy()
    turns[:, 0] = UP @ turns[:, 0]
    return Rig(JOINTS, PARENTS, offsets, turns, body.pelvis @ UP.T)


def of_joints(joints: Joints) -> Rig:
    """Make the rig of joints in space, as far as ``BONES`` knows them; InputError without hips."""
    there = _there(joints)
    rows = _rows(there)
    names = tuple(name for name, *_ in rows)
    parents = tuple(names.index(before) if before else -1 for _, before, _ in rows)
    places, turns = list[Array](), list[Array]()
    for name, parent in zip(names, parents, strict=True):
        places.append(there[name] if name in there else places[parent])
    offsets = np.zeros((len(rows), 3))
    for joint, parent in enumerate(parents):
        after = [child for child, its in enumerate(parents) if its == joint]
        bones = [child for child in after if names[child] not in TURNS_ALONE]
        turns.append(turns[parent] if joint else _upright(there, len(places[0])))
        if bones:
            seen = np.stack([places[child] - places[joint] for child in bones], axis=1)
            rest = np.array([rows[child][2] for child in bones], float)
            offsets[bones], turns[joint] = _fitted(rest, seen, turns[joint])
    own = [
        _back(turns[p]) @ turn if p >= 0 else turn for turn, p in zip(turns, parents, strict=True)
    ]
    return Rig(names, parents, offsets, np.stack(own, axis=1), places[0])


def misfit(rig: Rig, joints: Joints) -> Array:
    """Say how far, in metres, the rig's joints lie from those that were found: (M,)."""
    made = rig.places()
    both = [name for name in joints.names if name in rig.names]
    here = [rig.names.index(name) for name in both]
    wanted = joints.places[:, [joints.names.index(name) for name in both]] @ UP.T
    distances = np.linalg.norm(made[:, here] - wanted, axis=-1)
    return distances[np.isfinite(distances)]


def _there(joints: Joints) -> dict[str, Array]:
    """Give the joints that are ever found, without gaps (N, 3), and middles that are missing."""
    filled = lines(joints.places) @ UP.T
    there = {
        name: filled[:, joint]
        for joint, name in enumerate(joints.names)
        if np.isfinite(filled[:, joint]).all()
    }
    for name, one, other in MIDDLES:
        if name not in there and one in there and other in there:
            there[name] = (there[one] + there[other]) / 2
    if "mid_hip" not in there:
        raise InputError(
            "bones begin at the hips, and neither mid_hip nor both hips were found; "
            "TRC and CSV hold any joints"
        )
    return there


def _rows(there: Mapping[str, Array]) -> list[Row]:
    """Choose the rows of ``BONES`` for the joints there are, the one before always first."""
    kept = [row for row in BONES if row[0] in there or row[0] in TURNS_ALONE]
    known = {name for name, *_ in kept}
    kept = [(name, _nearest(before, known), rest) for name, before, rest in kept]
    ends = {name for name in TURNS_ALONE if name not in {before for _, before, _ in kept}}
    return [row for row in kept if row[0] not in ends]


def _nearest(before: str, known: set[str]) -> str:
    """Find the next joint towards the root that is there."""
    while before and before not in known:
        before = BEFORE[before]
    return before


def _upright(there: Mapping[str, Array], count: int) -> Array:
    """Turn by as little as brings the trunk to where it points (N, 3, 3)."""
    still = np.broadcast_to(np.eye(3), (count, 3, 3))
    top = next((there[name] for name in ("spine", "neck", "head", "nose") if name in there), None)
    if top is None:
        return still
    return _turn(np.array([[0.0, 1.0, 0.0]]), (top - there["mid_hip"])[:, None], still)


def _fitted(rest: Array, seen: Array, start: Array) -> tuple[Array, Array]:
    """Find how bones (C, 3) lie at rest and how they turn (N, 3, 3), from how they are seen.

    ``rest`` has their directions, ``seen`` is (N, C, 3), and ``start`` (N, 3, 3) how the bone
    before turns.
    """
    lengths = np.median(np.linalg.norm(seen, axis=-1), axis=0)
    rest = rest / np.linalg.norm(rest, axis=1, keepdims=True) * lengths[:, None]
    turns = _turn(rest, seen, start)
    for _ in range(ROUNDS if len(rest) > 1 else 0):
        rest = np.median(seen @ turns, axis=0)
        turns = _turn(rest, seen, start)
    return rest, turns


def _turn(rest: Array, seen: Array, start: Array) -> Array:
    """Find the rotations (N, 3, 3) that bring vectors (C, 3) nearest to those seen (N, C, 3)."""
    weight = SLIGHT * max(float((rest**2).sum()), SLIGHT)
    u, _, v = np.linalg.svd(_back(seen) @ rest + weight * start)
    u[..., 2] *= np.linalg.det(u @ v)[:, None]
    return u @ v


def _back(matrices: Array) -> Array:
    """Transpose matrices: of rotations, turn back."""
    return np.swapaxes(matrices, -1, -2)
