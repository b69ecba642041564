"""Describe people by the colours of their body parts, so that one who was occluded is known again.

A part's colour is the median, in CIELab, of pixels along its limbs or inside the torso: the median
leaves out what passes over a limb. As light changes more than clothes do, the colour is taken in
proportion to the lightness, and a difference of lightness counts less than one of colour. Parts
that are not seen or lie behind somebody nearer are nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

PARTS = ("head", "torso", "upper arms", "thighs", "shins")
DIMENSIONS = 3 * len(PARTS)
POINTS = 8  # sampled on each limb, and on each line down the torso
MIN_JOINT_SCORE = 0.2
MIN_PARTS = 2  # that both must have, for a distance
LIGHTNESS_WEIGHT = 0.35
DARK = 56.0  # lightness added before the colour is divided by it, so that black has no great colour
MAX_DIFFERENCE = 40.0  # CIELab units: a part that differs by more says no more
SCALE = 12.0  # CIELab units that make a distance of 1
NOT_SAME = 0.9  # distance above which two are rather not the same person: in real videos 95 % of
# the detections of one person, seconds apart, are nearer than that, and 17 % of two people's

# Where a limb begins and ends, by COCO's joints: 3 and 4 are the ears, 5 and 6 the shoulders, 7 and
# 8 the elbows, 11 and 12 the hips, 13 and 14 the knees, 15 and 16 the ankles.
EARS, SHOULDERS = {3: 0.5, 4: 0.5}, {5: 0.5, 6: 0.5}
# fmt: off
LIMBS: tuple[tuple[str, dict[int, float], dict[int, float]], ...] = (
    ("head",       EARS,             {3: 0.7, 4: 0.7, 5: -0.2, 6: -0.2}),  # from the ears upwards
    ("torso",      {5: 0.8, 6: 0.2}, {11: 0.8, 12: 0.2}),
    ("torso",      SHOULDERS,        {11: 0.5, 12: 0.5}),
    ("torso",      {5: 0.2, 6: 0.8}, {11: 0.2, 12: 0.8}),
    ("upper arms", {5: 1},           {7: 1}),
    ("upper arms", {6: 1},           {8: 1}),
    ("thighs",     {11: 1},          {13: 1}),
    ("thighs",     {12: 1},          {14: 1}),
    ("shins",      {13: 1},          {15: 1}),
    ("shins",      {14: 1},          {16: 1}),
)
# fmt: on
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # sRGB, IEC 61966-2-1
TO_XYZ /= TO_XYZ.sum(axis=1, keepdims=True)  # white is 1, 1, 1
_VALUES = np.arange(256) / 255
LINEAR = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4)


def _blends() -> tuple[Floats, Flags, NDArray[np.int64]]:
    """Lay out the table: points' weights (L, S, 17), joints needed (L, 17), the part of each."""
    ends = np.zeros((2, len(LIMBS), 17))
    for at, (_, *limb) in enumerate(LIMBS):
        for end, joints in zip(ends, limb, strict=True):
            end[at, list(joints)] = list(joints.values())
    share = np.linspace(0.15, 0.85, POINTS)[:, None]
    blend = ends[0][:, None] * (1 - share) + ends[1][:, None] * share
    return blend, (ends != 0).any(axis=0), np.array([PARTS.index(name) for name, *_ in LIMBS])


BLENDS, NEEDED, PART = _blends()


def describe(picture: NDArray[np.uint8], joints: Floats, boxes: Floats) -> NDArray[np.float32]:
    """Describe the people of a picture (H, W, 3) by joints (P, 17, 3) and boxes (P, 4): (P, D).

    Joints are x, y in pixels and a score, in COCO's order.
    """
    many = len(joints)
    if not many:
        return np.empty((0, DIMENSIONS), np.float32)
    points = np.einsum("lsj,pjc->plsc", BLENDS, np.nan_to_num(joints[..., :2]), optimize=False)
    seen = (NEEDED[None] <= (joints[:, None, :, 2] >= MIN_JOINT_SCORE)).all(axis=2)[..., None]
    seen = seen & _inside(picture, points) & ~_behind(points, boxes)
    colours = _lab(_sample(picture, points))
    limbs = _medians(colours.reshape(-1, POINTS, 3), seen.reshape(-1, POINTS))
    return _parts(limbs.reshape(many, len(LIMBS), 3)).astype(np.float32)


def distance(first: Floats, second: Floats) -> Floats:
    """Compare appearances (N, D) with (M, D): (N, M), 0 for the same, nan for too few parts."""
    weights = np.array([LIGHTNESS_WEIGHT, 1, 1])
    one, two = (each.reshape(-1, len(PARTS), 3) * weights for each in (first, second))
    apart = np.sqrt(((one[:, None] - two[None]) ** 2).sum(axis=3))
    known = np.isfinite(apart)
    total = np.where(known, np.minimum(apart, MAX_DIFFERENCE), 0).sum(axis=2)
    shared = known.sum(axis=2)
    return np.where(shared >= MIN_PARTS, total / np.maximum(shared, 1) / SCALE, np.nan)


def _inside(picture: NDArray[np.uint8], points: Floats) -> Flags:
    height, width = picture.shape[:2]
    return ((points >= 0) & (points < [width, height])).all(axis=-1)


def _behind(points: Floats, boxes: Floats) -> Flags:
    """Say which points (P, L, S, 2) lie in the box of somebody nearer, who stands lower."""
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    hidden = np.zeros(points.shape[:-1], bool)
    for person, other in np.argwhere(nearer).tolist():
        left, top, right, bottom = boxes[other]
        x, y = points[person, ..., 0], points[person, ..., 1]
        hidden[person] |= (x > left) & (x < right) & (y > top) & (y < bottom)
    return hidden


def _sample(picture: NDArray[np.uint8], points: Floats) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    x = np.clip(points[..., 0], 0, width - 1).astype(np.intp)
    y = np.clip(points[..., 1], 0, height - 1).astype(np.intp)
    return picture[y, x]


def _lab(colours: NDArray[np.uint8]) -> Floats:
    """Turn sRGB into CIELab (CIE 15:2004), the colour in proportion to the lightness."""
    xyz = LINEAR[colours] @ TO_XYZ.T
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    lightness = 116 * y - 16
    relative = (50 + DARK) / (lightness + DARK)  # 1 for a middle grey
    return np.stack([lightness, 500 * (x - y) * relative, 200 * (y - z) * relative], axis=-1)


def _medians(colours: Floats, seen: Flags) -> Floats:
    """Take the median of those of S colours (K, S, 3) that are seen (K, S); nan below half."""
    count = seen.sum(axis=1)
    ordered = np.sort(np.where(seen[..., None], colours, np.inf), axis=1)
    middle = np.take_along_axis(ordered, np.maximum(count // 2, 1)[:, None, None] - 1, axis=1)[:, 0]
    return np.where((2 * count >= seen.shape[1])[:, None], middle, np.nan)


def _parts(limbs: Floats) -> Floats:
    """Average the limbs (P, L, 3) that make a part, those that are seen: (P, D)."""
    belongs = (PART[None] == np.arange(len(PARTS))[:, None]).astype(float)
    known = np.isfinite(limbs)
    total = np.einsum("kl,plc->pkc", belongs, np.where(known, limbs, 0))
    count = np.einsum("kl,plc->pkc", belongs, known.astype(float))
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean.reshape(len(limbs), DIMENSIONS)
