"""Motion capture as the default graph would see it, to teach what people do and to ask how well.

Bodies move before virtual cameras, joints are found with faults, lifted, and cut into windows. Who
stands is told by where legs are, not by the kind of motion. What is none of the labels is made of
these bodies: limbs that move each by itself, who sits, and who holds still but does not stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import BODY18
from muybridge.labels import LABELS, OTHER
from muybridge.models.action.preprocess import MOMENTS, features
from muybridge.models.action.preprocess import STEP as APART
from muybridge.models.lifter import predict, virtual
from muybridge.models.lifter.preprocess import STEP, TAPS, normalised

KINDS = {
    "walking": "walking",
    "walking_extra": "walking",
    "running": "running",
    "jumping": "jumping",
    "basketball_signal": OTHER,
    "directing_traffic": OTHER,
}
MOTION = LABELS["motion"]
NONE, STANDING = MOTION.index(OTHER), MOTION.index("standing")
EVERY = round(APART / STEP)  # moments of the lifter from one of the classifier's to the next
NOISE = virtual.Faults(tremble=0.01, smoothed=0.7, toeless=0.8, cut=0.0, exact=0.1)
AS_IS = virtual.Bodies(bend=0.15, bent=0.5, mixed=0.0, tempo=0.3, stoops=0.0, seated=0.0)
STILL = replace(AS_IS, bend=0.3, tempo=0.5, still=1.0)
APIECES = virtual.Bodies(bend=0.6, bent=1.0, mixed=1.0, tempo=0.5)
SEATED = virtual.Bodies(bend=0.3, bent=0.5, mixed=0.3, tempo=0.5, seated=1.0, still=0.5)
SIGNALS = ("basketball_signal", "directing_traffic")
ANY = (*KINDS, "basketball", "soccer")
SHARES = (  # of a lot: how much, from which kinds of motion, and what their bodies do
    (0.14, ("walking", "walking_extra"), AS_IS),
    (0.14, ("running",), AS_IS),
    (0.14, ("jumping",), AS_IS),
    (0.11, SIGNALS, AS_IS),
    (0.15, (*SIGNALS, "walking"), STILL),
    (0.18, ANY, APIECES),
    (0.14, ANY, SEATED),
)
FEET_STAY_M = 0.07  # standard deviation of an ankle's place, seen from the hips
STRAIGHT = 0.9  # of thigh and shank, from hip to ankle: a knee bent by 50 degrees
UPRIGHT = 0.82  # cosine of 35 degrees between legs and trunk
LIFTED_M, APART_M = 0.2, 0.6  # from ankle to ankle, along the legs and in all
FOLDS = 4
WINDOWS = 256  # in a lot

Floats = NDArray[np.floating[Any]]
Lot = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Drawer:
    """Draw lots of motion: features (N, MOMENTS, CHANNELS) and labels (N,)."""

    motion: virtual.Motion
    network: predict.Folded

    def __call__(self, seed: int, count: int) -> Lot:
        draw = np.random.default_rng(seed)
        parts = [
            self._drawn(draw, round(count * share), kinds, bodies)
            for share, kinds, bodies in SHARES
        ]
        joints, labels = (np.concatenate(part)[:count] for part in zip(*parts, strict=True))
        return features(joints), labels

    def _drawn(
        self, draw: virtual.Draw, count: int, kinds: tuple[str, ...], bodies: virtual.Bodies
    ) -> Any:
        """Draw lifted joints (N, MOMENTS, 18, 3) and their labels."""
        motion = self.motion.only(set(kinds))
        taps = TAPS + (MOMENTS - 1) * EVERY
        views = virtual.views(motion, draw, count, taps, NOISE, bodies)
        at = np.arange(MOMENTS)[:, None] * EVERY + np.arange(TAPS)
        shape = (count * MOMENTS, TAPS)
        places = views.places[:, at].reshape(*shape, *views.places.shape[2:])
        seen = views.seen[:, at].reshape(*shape, -1)
        joints = self.network(normalised(places, seen)).reshape(count, MOMENTS, -1, 3)
        labels = np.full(count, NONE)
        if bodies == AS_IS:
            each = [MOTION.index(KINDS.get(kind, OTHER)) for kind in motion.kinds]
            labels = np.array(each)[views.sequence]
        labels = np.where(stands(views.truth[:, at[:, TAPS // 2]]), STANDING, labels)
        told = (labels != NONE) | (bodies not in (AS_IS, STILL))  # nearly standing is neither
        return joints[told], labels[told]


def stands(joints: Floats) -> NDArray[np.bool_]:
    """Judge who stands over a window, (N,), of true joints (N, T, 18, 3) around the hips' middle.

    Both feet stay where they are, beside each other, and legs and trunk are straight.
    """
    hips, knees, ankles = (
        joints[:, :, BODY18.index(f"left_{joint}", f"right_{joint}")]
        for joint in ("hip", "knee", "ankle")
    )
    length = np.linalg.norm(hips - knees, axis=3) + np.linalg.norm(knees - ankles, axis=3)
    straight = np.linalg.norm(hips - ankles, axis=3) / length  # (N, T, 2)
    down = ankles.mean(2) / np.linalg.norm(ankles.mean(2), axis=2, keepdims=True)
    neck = joints[:, :, BODY18.joints.index("neck")]
    upright = -(neck * down).sum(2) / np.linalg.norm(neck, axis=2)
    step = ankles[:, :, 0] - ankles[:, :, 1]
    lifted = np.abs((step * down).sum(2))
    return (
        (np.linalg.norm(ankles.std(1), axis=2) < FEET_STAY_M).all(1)
        & (straight.mean(1) > STRAIGHT).all(1)
        & (upright.mean(1) > UPRIGHT)
        & (lifted.mean(1) < LIFTED_M)
        & (np.linalg.norm(step, axis=2).mean(1) < APART_M)
    )


def held_out(motion: virtual.Motion, fold: int) -> tuple[virtual.Motion, virtual.Motion]:
    """Split motion by sequence: what is learnt from, and every fourth sequence of a kind."""
    seen: dict[str, int] = {}
    held = set()
    for number, kind in enumerate(motion.kinds):
        if seen.setdefault(kind, 0) % FOLDS == fold:
            held.add(number)
        seen[kind] += 1
    which = np.isin(motion.sequence, list(held))
    one, other = (
        replace(motion, joints=motion.joints[rows], sequence=motion.sequence[rows])
        for rows in (~which, which)
    )
    return one, other


def lot(path: Path, fold: int, row: Mapping[str, Any]) -> Lot:
    """Draw the windows of a row, whose ``seed`` it is, from what a fold is learnt from."""
    return _drawer(path, fold)(row["seed"], WINDOWS)


@lru_cache(maxsize=1)
def _drawer(path: Path, fold: int) -> Drawer:
    return Drawer(held_out(virtual.read(path), fold)[0], predict.load())


def report(scores: NDArray[np.float32], labels: NDArray[np.int64], sure: float) -> dict[str, Any]:
    """Say how often scores (N, A) are right of labels (N,): in all, by label, and where sure."""
    right = scores.argmax(1) == labels
    bold = (scores.max(1) > sure) & (scores.argmax(1) != NONE)
    return {
        "accuracy": round(float(right.mean()), 3),
        **{
            label: round(float(right[labels == number].mean()), 3)
            for number, label in enumerate(MOTION)
            if (labels == number).any()
        },
        "sure": round(float(bold.mean()), 3),
        "right where sure": round(float(right[bold].mean()), 3) if bold.any() else None,
    }
