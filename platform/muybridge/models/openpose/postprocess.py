"""Put people together from maps: peaks, pairs of them, and who belongs to whom.

This is the assembly of OpenPose's authors for graphics cards, their default: all pairs of all limbs
from the best to the worst, each joining people that have no joint in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from muybridge.models.openpose.bodies import Body
from muybridge.models.openpose.limbs import Pairs, pairs
from muybridge.models.openpose.peaks import peaks

Floats = NDArray[np.floating[Any]]

FEW_BESIDE_FEET = 4


@dataclass(frozen=True)
class Thresholds:
    """Say what counts: ``peak`` is the heat of a joint, ``field`` that of a sample along a limb.

    More than a ``share`` of a limb's samples must count; a person must have ``joints`` and a mean
    ``score`` of joints and limbs. ``feet`` says whether those with few joints but feet are dropped.
    """

    peak: float = 0.05
    field: float = 0.05
    share: float = 0.95
    joints: int = 3
    score: float = 0.4
    feet: bool = True


MAXIMIZED = Thresholds(peak=0.02, field=0.01, share=0.75, joints=2, score=0.05, feet=False)


@dataclass(frozen=True)
class People:
    """Hold P people: ``joints`` (P, J, 3) x, y, height, 0 where not found, and ``scores`` (P,)."""

    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass
class _Group:
    """Be peaks that belong together, by joint, and the sum of their heights and limbs' scores.

    ``born`` is the step at which it came to hold two peaks.
    """

    peaks: dict[int, int]
    total: float
    born: float = np.inf


def assemble(
    maps: Tensor, body: Body, scale: float, thresholds: Thresholds = Thresholds()
) -> People:
    """Find the people in a picture's maps (channels, h, w); nobody gives P = 0.

    ``scale`` is what one pixel of the network's input spans in the picture. Places are in pixels of
    the picture, pixel centres at +0.5.
    """
    heat, fields = maps[: body.joints], maps[body.heat :]
    found = peaks(heat, thresholds.peak, 0.5 / scale)
    limbs = pairs(fields, found, body, thresholds.field, thresholds.share)
    listed = found.cpu().numpy()
    groups = joined(listed, limbs, body)
    left = [group for group in groups if kept(group, body, thresholds, thresholds.feet)]
    if not left and thresholds.feet:
        left = [group for group in groups if kept(group, body, thresholds, feet=False)]
    return placed(left, listed, body, scale)


def joined(peaks: Floats, limbs: Pairs, body: Body) -> list[_Group]:
    """Walk from the best pair to the worst and join what its peaks (N, 4) belong to, if it can be.

    It cannot be where both have the same joint. Gives groups of two and more, in order of birth.
    """
    groups = [_Group({int(peak[0]): at}, float(peak[3])) for at, peak in enumerate(peaks)]
    for step, (first, second, score) in enumerate(_walk(peaks, limbs)):
        one, other = groups[first], groups[second]
        if one is other:
            one.total += score
        elif one.peaks.keys().isdisjoint(other.peaks):
            one.peaks |= other.peaks
            one.total += other.total + score
            one.born = min(one.born, other.born, step)
            for peak in other.peaks.values():
                groups[peak] = one
    unique = {id(group): group for group in groups if len(group.peaks) > 1}
    return sorted(unique.values(), key=lambda group: group.born)


def _walk(peaks: Floats, limbs: Pairs) -> Iterator[tuple[int, int, float]]:
    """Give first peak, second peak and score of pairs, from the best to the worst."""
    limb, first, second, score = (
        values.cpu().numpy() for values in (limbs.limb, limbs.first, limbs.second, limbs.score)
    )
    worth = score + np.float32(0.1) * (peaks[first, 3] + peaks[second, 3])
    order = np.lexsort((second, first, limb, score, worth))[::-1]
    return zip(first[order].tolist(), second[order].tolist(), score[order].tolist(), strict=True)


def kept(group: _Group, body: Body, thresholds: Thresholds, feet: bool) -> bool:
    """Say whether peaks are a person; with ``feet``, those of feet do not count.

    Who has feet must have more than four others.
    """
    steps = len(group.peaks.keys() & set(body.feet)) if feet else 0
    count = len(group.peaks) - steps
    if count < thresholds.joints or (steps and count <= FEW_BESIDE_FEET):
        return False
    return group.total / count >= thresholds.score


def placed(groups: list[_Group], peaks: Floats, body: Body, scale: float) -> People:
    """Put people's joints into the picture."""
    joints = np.zeros((len(groups), body.joints, 3), np.float32)
    for person, group in zip(joints, groups, strict=True):
        person[list(group.peaks)] = peaks[list(group.peaks.values()), 1:]
    joints[..., :2] *= scale
    total = np.array([group.total for group in groups], np.float32)
    return People(joints, total / np.float32(body.joints + len(body.pairs)))
