"""Real motion seen by virtual cameras, with the faults that joints found by networks have.

Motion capture gives joints of one skeleton in a hall. To make of it what a lifter will meet, bodies
get other proportions and poses, cameras stand anywhere, joints lie where networks put them, which
is not where the markers' skeleton has them, tremble, jump and go missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from muybridge.errors import InputError
from muybridge.geometry.skeletons import BODY18
from muybridge.models.lifter.preprocess import SEEN, STEP, TAPS, normalised

Floats = NDArray[np.floating[Any]]
Draw = np.random.Generator

NAMES = (
    "pelvis", "l_hip", "l_knee", "l_ankle", "l_toe", "r_hip", "r_knee", "r_ankle", "r_toe",
    "lower_back", "spine", "spine1", "neck1", "head",
    "l_shoulder", "l_elbow", "l_wrist", "r_shoulder", "r_elbow", "r_wrist",
)  # fmt: skip
PARENTS = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 12, 11, 14, 15, 11, 17, 18)
MIRRORED = [0, 5, 6, 7, 8, 1, 2, 3, 4, 9, 10, 11, 12, 13, 17, 18, 19, 14, 15, 16]
LEGS = ([2, 3, 4], [6, 7, 8])  # bones, by their far end: thigh, shank, foot
ARMS = ([15, 16], [18, 19])  # upper arm, forearm
LIMBS = (*LEGS, *ARMS)
STILL = 0.1  # of its motion that a body holding still keeps
FLEXED = 2.4  # radians by which a knee bends at most
FEET, SPINE, LOWER = (4, 8), (9, 10, 12, 13), ("knee", "ankle", "toe")
FRAME = 1 / 60  # seconds between frames: so a step of walking takes 0.55 s, one of running 0.37
EACH, APART = 4, 3  # views of one body, and moments from one to the next
EARS = 0.9  # of neck1 to head, beyond the head's joint: where the ears are


def mix(names: tuple[str, ...]) -> Floats:
    """Make the matrix (len(names), 20) that puts joints of ours where the markers' are."""
    ours = {name: {_marker(name): 1.0} for name in names if _marker(name) in NAMES}
    ours["head"] = {"head": 1 + EARS, "neck1": -EARS}
    ours["mid_hip"] = {"l_hip": 0.5, "r_hip": 0.5}
    mixed = np.zeros((len(names), len(NAMES)), np.float32)
    for row, name in enumerate(names):
        for marker, share in ours[name].items():
            mixed[row, NAMES.index(marker)] = share
    return mixed


def _marker(name: str) -> str:
    if name == "neck":
        return "neck1"
    side, _, joint = name.partition("_")
    return f"{side[0]}_{joint.replace('big_', '')}" if side in ("left", "right") else name


@dataclass(frozen=True)
class Motion:
    """Hold motion: ``joints`` (N, 20, 3) in metres, y up, and each frame's sequence (N,).

    ``kinds`` says of each sequence what is done in it. Frames are ``FRAME`` seconds apart.
    """

    joints: NDArray[np.float32]
    sequence: NDArray[np.int64]
    kinds: tuple[str, ...]

    @cached_property
    def share(self) -> Floats:
        """Say how often each frame (N,) is drawn: rare kinds of motion more often than they are."""
        _, kind, count = np.unique(
            np.array(self.kinds)[self.sequence], return_inverse=True, return_counts=True
        )
        weight = 1 / np.sqrt(count[kind])
        return weight / weight.sum()

    def only(self, kinds: set[str]) -> Motion:
        """Keep sequences of some kinds."""
        wanted = np.array([kind in kinds for kind in self.kinds])[self.sequence]
        return Motion(self.joints[wanted], self.sequence[wanted], self.kinds)


def read(path: Path) -> Motion:
    """Read motion from an NPZ file: joints (N, 20, 3), names, sequences "kind/file", lengths."""
    try:
        with np.load(path) as file:
            names, joints = tuple(file["names"].tolist()), file["joints"].astype(np.float32)
            kinds = tuple(str(name).partition("/")[0] for name in file["sequences"])
            lengths = file["lengths"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as motion: {error}; give an NPZ file") from error
    if names != NAMES or len(joints) != lengths.sum():
        raise InputError(
            f"{path}: has the joints {', '.join(names)} in {len(joints)} frames; "
            f"{', '.join(NAMES)} in {lengths.sum()} are wanted"
        )
    return Motion(joints, np.repeat(np.arange(len(lengths)), lengths), kinds)


@dataclass(frozen=True)
class Faults:
    """Say how joints are found; lengths in metres on the body, times in seconds.

    A view draws its own amount between 0 and each of these.
    """

    tremble: float = 0.015  # of each joint, anew in each frame
    drift: float = 0.025  # of each joint, that comes and goes slowly
    bias: float = 0.03  # of a joint from where the markers' skeleton has it
    jumps: float = 0.01  # share of moments in which a joint is somewhere else
    jump: float = 0.15
    smoothed: float = 0.5  # share of views whose joints neither tremble nor jump any more
    absent: float = 0.35  # share of views in which some joints are missing
    cut: float = 0.1  # ... in which the legs are
    toeless: float = 0.6  # ... by systems that know no toes
    ends: float = 0.2  # ... that begin or end within the window
    exact: float = 0.1  # ... in which those joints that are there are where they should be


NONE = Faults(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)


@dataclass(frozen=True)
class Bodies:
    """Say how bodies and poses are varied: bones by a share, joints by an angle in radians."""

    bones: float = 0.06
    bend: float = 0.4
    bent: float = 0.6  # share of windows with bent poses
    mixed: float = 0.5  # share of windows in which a limb moves as in another
    tempo: float = 0.5  # powers of two by which motion is slower or faster
    stoops: float = 0.2  # share of windows in which the trunk leans forward, level at most
    seated: float = 0.1  # share of windows in which thighs are raised, as by who sits
    still: float = 0.0  # share of windows in which trunk and legs hold still


@dataclass(frozen=True)
class Views:
    """Hold N views over T moments: ``places`` of joints (N, T, 15, 2) and which are ``seen``.

    Places are pixels of a camera whose focal length is 1. ``truth`` (N, T, 18, 3) is metres from
    the hips' middle in camera axes; ``sequence`` (N,) says of which sequence of motion each is.
    """

    places: Floats
    seen: NDArray[np.bool_]
    truth: Floats
    sequence: NDArray[np.int64]


def draw(
    motion: Motion,
    draw: Draw,
    count: int,
    taps: int = TAPS,
    faults: Faults = Faults(),
    bodies: Bodies = Bodies(),
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw views: what the lifter sees (count, taps * 15 * 3), and the truth (count, 18, 3).

    The truth is metres from the hips' middle in camera axes, of a body of the markers' own height.
    ``EACH`` views, ``APART`` moments apart, are of one body: most of the work is done once for all.
    """
    starts = np.arange(EACH) * APART
    drawn = views(motion, draw, -(-count // EACH), taps + int(starts[-1]), faults, bodies)
    windows = starts[:, None] + np.arange(taps)  # (EACH, taps)
    seen = drawn.seen[:, windows].reshape(-1, taps, len(SEEN))
    places = drawn.places[:, windows].reshape(-1, taps, len(SEEN), 2)
    truth = drawn.truth[:, starts + taps // 2]
    return normalised(places, seen), truth.reshape(-1, *truth.shape[2:]).astype(np.float32)


def views(
    motion: Motion, draw: Draw, count: int, taps: int, faults: Faults, bodies: Bodies
) -> Views:
    """Draw as many bodies, each seen by a camera over ``taps`` moments."""
    joints, sequence = moments(motion, draw, count, taps, bodies.tempo)
    joints = held(joints, draw, bodies.still)
    joints = varied(mixed(joints, draw, bodies.mixed), draw, bodies)
    camera, distance = cameras(draw, count)
    turned = camera.transpose(0, 2, 1)[:, None]
    moved = (draw.random((count, 1, 1, 1)) >= faults.exact).astype(np.float32)
    truth = mix(BODY18.joints) @ joints
    truth = (truth - truth[:, :, :1]) @ turned @ towards(distance)[:, None]
    seen3d = mix(SEEN) @ joints + biases(draw, joints, faults.bias) * moved
    seen3d = seen3d @ turned + distance[:, None, None]
    places = seen3d[..., :2] / np.maximum(seen3d[..., 2:], 0.2)
    trembled = trembling(draw, places.shape, faults) * moved
    places = places + trembled / distance[:, 2, None, None, None]
    return Views(places, present(draw, places.shape[:3], faults), truth, sequence)


def moments(
    motion: Motion, draw: Draw, count: int, taps: int, tempo: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Draw windows of motion (count, taps, 20, 3), at some tempo, turned over at random.

    Returns the sequence (count,) of each, too.
    """
    middle = draw.choice(len(motion.joints), count, p=motion.share)
    speed = STEP / FRAME * 2.0 ** draw.uniform(-tempo, tempo, (count, 1))
    at = middle[:, None] + (np.arange(taps) - taps // 2) * speed * draw.choice([-1, 1], (count, 1))
    first = np.searchsorted(motion.sequence, motion.sequence[middle])[:, None]
    last = np.searchsorted(motion.sequence, motion.sequence[middle], "right")[:, None] - 1
    there = np.maximum(last - first, 1)
    at = first + np.abs((at - first + there) % (2 * there) - there)  # back and forth at the ends
    low = np.minimum(at.astype(int), last - (last > first))
    share = (at - low)[..., None, None].astype(np.float32)
    high = np.minimum(low + 1, last)
    joints = motion.joints[low] * (1 - share) + motion.joints[high] * share
    flipped = draw.random(count) < 0.5
    joints[flipped] = joints[flipped][:, :, MIRRORED] * np.array([-1, 1, 1], np.float32)
    return joints, motion.sequence[middle]


def mixed(joints: Floats, draw: Draw, share: float) -> Floats:
    """Have limbs of bodies (N, T, 20, 3) move as those of others do, seen from the trunk."""
    joints, axes = joints.copy(), trunk(joints)
    for limb in LIMBS:
        takers = np.flatnonzero(draw.random(len(joints)) < share)
        givers = draw.integers(len(joints), size=len(takers))
        root = PARENTS[limb[0]]
        bones = joints[givers][:, :, limb] - joints[givers][:, :, [root]]
        turned = bones @ axes[givers] @ axes[takers].swapaxes(2, 3)
        joints[takers[:, None], :, np.array(limb)] = (
            turned + joints[takers][:, :, [root]]
        ).swapaxes(1, 2)
    return joints


def held(joints: Floats, draw: Draw, share: float) -> Floats:
    """Have bodies (N, T, 20, 3) hold still, of which half go on to move their arms."""
    joints, holds = joints.copy(), draw.random(len(joints))
    which = np.flatnonzero(holds < share)
    moving, middle = joints[which], joints[which][:, [joints.shape[1] // 2]]
    joints[which] = middle + STILL * (moving - middle)
    waving = holds[which] < share / 2
    which, moving, middle = which[waving], moving[waving], middle[waving]
    for bone in (bone for arm in ARMS for bone in arm):
        vectors = moving[:, :, [bone]] - moving[:, :, [PARENTS[bone]]]
        turned = vectors @ trunk(moving) @ trunk(middle).swapaxes(2, 3)
        joints[which, :, bone] = joints[which, :, PARENTS[bone]] + turned[:, :, 0]
    return joints


def trunk(joints: Floats) -> Floats:
    """Give the trunk's axes (N, T, 3, 3) in columns: to its left, up, and to the front."""
    side = joints[:, :, NAMES.index("l_hip")] - joints[:, :, NAMES.index("r_hip")]
    up = joints[:, :, NAMES.index("neck1")] - joints[:, :, 0]
    side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-6)
    up = up - (up * side).sum(-1, keepdims=True) * side
    up = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-6)
    return np.stack([side, up, np.cross(side, up)], -1)


def _proportions() -> Floats:
    """Say by what bones are longer than the markers', whose joints lie elsewhere.

    Winter, "Biomechanics and Motor Control of Human Movement", figure 4.1, of a thigh of 0.245 of
    the height: a forearm is 0.146 of it, from hip to shoulder is 0.288 less the 0.01 by which the
    joint lies below the acromion, from there to the ears 0.136.
    """
    longer = np.ones(19)
    shares = {
        "wrist": 1.32,
        "shoulder": 0.92,
        "hip": 1.05,
        "back": 1.4,
        "spine": 1.4,
        "neck1": 0.65,
    }
    for name, share in shares.items():
        longer[[i - 1 for i, marker in enumerate(NAMES) if marker.endswith(name)]] = share
    return longer


PROPORTIONS = _proportions()


def varied(joints: Floats, draw: Draw, bodies: Bodies) -> Floats:
    """Give bodies (N, T, 20, 3) other proportions, and bend them."""
    count, taps = joints.shape[:2]
    bones = joints[:, :, 1:] - joints[:, :, PARENTS[1:]]
    same = [MIRRORED[i] - 1 for i in range(1, 20)]
    scale = draw.normal(0, bodies.bones, (count, 19)).clip(-0.4, 0.4)
    scale = PROPORTIONS + (scale + scale[:, same]) / np.sqrt(2)
    bones = bones * scale[:, None, :, None].astype(bones.dtype)
    turned = draw.random(count) < bodies.bent
    drift = np.linspace(-1, 1, taps)[:, None] if taps > 1 else np.zeros((1, 1))

    def turn(spread: float) -> Floats:
        """Draw rotations (N, T, 3, 3) that change a little within the window."""
        axis = draw.normal(0, spread / np.sqrt(3), (count, 1, 3)) * turned[:, None, None]
        change = draw.normal(0, spread / 4, (count, 1, 3)) * turned[:, None, None]
        vectors = (axis + change * drift).reshape(-1, 3)
        turns = Rotation.from_rotvec(vectors).as_matrix().astype(bones.dtype)
        return turns.reshape(count, taps, 3, 3)

    sitting = np.flatnonzero(draw.random(count) < bodies.seated)
    bones[sitting] = seated(bones[sitting], trunk(joints[sitting])[..., 0], draw)
    stooping = np.flatnonzero(draw.random(count) < bodies.stoops)
    bones[stooping] = stooped(bones[stooping], trunk(joints[stooping])[..., 0], draw)
    for limb in LIMBS:
        whole = turn(bodies.bend * 1.3)
        for bone in limb:
            _rotate(bones, bone, whole)
    for arm in ARMS:
        _rotate(bones, arm[-1], turn(bodies.bend))
    for leg in LEGS:
        knee = flexion(bones, leg, draw.normal(0, bodies.bend, (count, 1)) * turned[:, None])
        for bone in leg[1:]:
            _rotate(bones, bone, knee)
    for bone in (*FEET, *SPINE):
        _rotate(bones, bone, turn(bodies.bend / 2))
    return ANCESTRY @ bones


def seated(bones: Floats, side: Floats, draw: Draw) -> Floats:
    """Raise the thighs of bones (N, T, 19, 3) to the front, about level, about axes ``side``."""
    angle = draw.normal(-np.pi / 2, 0.2, (len(bones), 1, 1))
    turns = Rotation.from_rotvec((side * angle).reshape(-1, 3)).as_matrix().astype(bones.dtype)
    bones = bones.copy()
    for thigh, _, _ in LEGS:
        _rotate(bones, thigh, turns.reshape(*side.shape, 3))
    return bones


def stooped(bones: Floats, side: Floats, draw: Draw) -> Floats:
    """Have trunks of bones (N, T, 19, 3) lean forward about axes ``side``, level at most.

    One leg in four goes along, as in who balances on the other.
    """
    angle = draw.uniform(0, np.pi / 2, (len(bones), 1, 1))
    turns = Rotation.from_rotvec((side * angle).reshape(-1, 3)).as_matrix().astype(bones.dtype)
    leaning = bones @ turns.reshape(*side.shape, 3).swapaxes(2, 3)
    along = np.ones((len(bones), 19), bool)
    for leg in LEGS:
        along[:, np.array(leg) - 1] = draw.random((len(bones), 1)) < 0.25
    return np.where(along[:, None, :, None], leaning, bones)


def flexion(bones: Floats, leg: list[int], more: Floats) -> Floats:
    """Make rotations (N, T, 3, 3) that flex the knees of bones (N, T, 19, 3) by so much ``more``.

    Angles are radians, (N, 1) or (N, T). A knee bends about the axis across the foot, and no
    further than it can: not forward, and not beyond FLEXED.
    """
    thigh, shank, foot = (bones[:, :, bone - 1] for bone in leg)
    axis = np.cross(foot, shank)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-6)
    sine = (np.cross(thigh, shank) * axis).sum(-1)
    angle = np.arctan2(sine, (thigh * shank).sum(-1))  # (N, T)
    turned = np.clip(angle + more, np.minimum(angle, 0), FLEXED) - angle
    turns = Rotation.from_rotvec((axis * turned[..., None]).reshape(-1, 3)).as_matrix()
    return turns.astype(bones.dtype).reshape(*angle.shape, 3, 3)


def _rotate(bones: Floats, end: int, turn: Floats) -> None:
    """Turn one bone of bones (N, T, 19, 3), which the caller owns."""
    bones[:, :, end - 1] = (turn @ bones[:, :, end - 1, :, None])[..., 0]


def _ancestry() -> Floats:
    """Say which bones lie between the pelvis and each joint: (20, 19)."""
    above = np.zeros((20, 19), np.float32)
    for joint in range(1, 20):
        above[joint] = above[PARENTS[joint]]
        above[joint, joint - 1] = 1
    return above


ANCESTRY = _ancestry()


def cameras(draw: Draw, count: int) -> tuple[Floats, Floats]:
    """Draw cameras: rotations (N, 3, 3) from y up into camera axes, and where the body is (N, 3).

    They look from all sides, from below to steeply above, held upright give or take ten degrees.
    """
    angles = np.stack(
        [
            draw.uniform(-np.pi, np.pi, count),
            -np.deg2rad(draw.normal(8, 15, count).clip(-30, 60)),  # down from above
            np.deg2rad(draw.normal(0, 5, count)),
        ],
        1,
    )
    upright = np.diag(np.array([1, -1, -1], np.float32))
    around = Rotation.from_euler("YXZ", angles).as_matrix().astype(np.float32)
    far = np.exp(draw.uniform(np.log(1.8), np.log(12), count))
    aside = draw.normal(0, 0.12, (count, 2)) * far[:, None]
    return upright @ around.transpose(0, 2, 1), np.column_stack([aside, far]).astype(np.float32)


def towards(places: Floats) -> Floats:
    """Turn camera axes so that z points at places (N, 3): rotations for rows, (N, 3, 3).

    One view does not tell where the middle of the picture is, so what is lifted is lifted as if the
    camera looked straight at the body.
    """
    forward = places / np.linalg.norm(places, axis=1, keepdims=True)
    right = np.cross(np.array([0.0, 1, 0]), forward)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], 2).astype(places.dtype)


def biases(draw: Draw, joints: Floats, spread: float) -> Floats:
    """Draw how joints lie elsewhere on the body, (N, T, 15, 3): the same in the body's own axes."""
    count = len(joints)
    own = draw.normal(0, 1, (count, len(SEEN), 3)) * draw.uniform(0, spread, (count, 1, 1))
    own[:, SEEN.index("head")] *= 2
    return (own[:, None] @ trunk(joints).swapaxes(2, 3)).astype(joints.dtype)


def trembling(draw: Draw, shape: tuple[int, ...], faults: Faults) -> Floats:
    """Draw how joints (N, T, 15, 2) move without the body, in metres: tremble, drift and jump."""
    count, taps, joints, _ = shape

    def amount(most: float) -> Floats:
        return draw.uniform(0, most, (count, 1, 1, 1)).astype(np.float32)

    rough = draw.random((count, 1, 1, 1)) >= faults.smoothed
    moved = draw.standard_normal(shape, np.float32) * amount(faults.tremble) * rough
    knots = draw.standard_normal((count, 4, joints, 2), np.float32) * amount(faults.drift)
    at = np.linspace(0, 3, taps) if taps > 1 else np.zeros(1)
    low = np.minimum(at.astype(int), 2)
    share = (at - low)[:, None, None].astype(np.float32)
    moved += knots[:, low] * (1 - share) + knots[:, low + 1] * share
    rare = draw.random(shape[:3], np.float32) < (amount(faults.jumps) * rough)[..., 0]
    moved[rare] += draw.normal(0, faults.jump, (np.count_nonzero(rare), 2))
    return moved


def present(draw: Draw, shape: tuple[int, ...], faults: Faults) -> NDArray[np.bool_]:
    """Draw which joints are seen (N, T, 15); some always are."""
    count, taps, joints = shape
    lacks = draw.random((count, 1, 1)) < faults.absent
    whole = draw.random((count, 1, joints)) < draw.uniform(0, 0.3, (count, 1, 1))
    now = draw.random(shape, np.float32) < draw.uniform(0, 0.15, (count, 1, 1))
    gone = lacks & (whole | now)
    toes = [SEEN.index(f"{side}_big_toe") for side in ("left", "right")]
    gone[:, :, toes] |= draw.random((count, 1, 1)) < faults.toeless
    legs = [i for i, name in enumerate(SEEN) if name.rpartition("_")[2] in LOWER]
    gone[:, :, legs] |= draw.random((count, 1, 1)) < faults.cut
    if taps > 1:
        time = np.arange(taps) - taps // 2
        ends = draw.random((2, count, 1)) < faults.ends
        reach = draw.integers(0, taps // 2 + 1, (2, count, 1))
        outside = (ends[0] & (time < -reach[0])) | (ends[1] & (time > reach[1]))
        gone |= outside[..., None]
    return ~gone
