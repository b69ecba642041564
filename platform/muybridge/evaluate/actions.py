"""Motion capture as the default graph would see it, to teach what people do and to ask how well.

Bodies move before virtual cameras, joints are found with faults, lifted, and cut into windows. What
is none of the labels is made of them: limbs that move each by itself, and bodies that hold still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    "basketball": "playing basketball",
    "basketball_signal": "basketball signals",
    "soccer": "playing soccer",
    "directing_traffic": "directing traffic",
}
MOTION = LABELS["motion"]
NONE = MOTION.index(OTHER)
EVERY = round(APART / STEP)  # moments of the lifter from one of the classifier's to the next
NEGATIVE = 0.45  # share that is none of the labels, half of it still
AS_IS = virtual.Bodies(bend=0.15, bent=0.5, mixed=0.0, tempo=0.3)
APIECES = virtual.Bodies(bend=0.6, bent=1.0, mixed=1.0, tempo=0.5)
STILL = 0.15  # of its motion that a body holding still keeps
FOLDS = 4
WINDOWS = 256  # in a lot

Lot = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Drawer:
    """Draw lots of motion: features (N, MOMENTS, CHANNELS) and labels (N,)."""

    motion: virtual.Motion
    network: predict.Folded

    def __call__(self, seed: int, count: int) -> Lot:
        draw = np.random.default_rng(seed)
        apart = round(count * NEGATIVE / 2)
        real, kinds = self._drawn(draw, count - apart, AS_IS)
        unreal, _ = self._drawn(draw, apart, APIECES)
        joints = np.concatenate([real, unreal])[:count]
        labels = np.concatenate([kinds, np.full(len(unreal), NONE)])[:count]
        middle = joints[:apart, MOMENTS // 2, None]
        joints[:apart] = middle + STILL * (joints[:apart] - middle)
        labels[:apart] = NONE
        return features(joints), labels

    def _drawn(self, draw: virtual.Draw, count: int, bodies: virtual.Bodies) -> Any:
        """Draw lifted joints (N, MOMENTS, 18, 3) and their labels."""
        taps = TAPS + (MOMENTS - 1) * EVERY
        views = virtual.views(self.motion, draw, count, taps, virtual.Faults(), bodies)
        at = np.arange(MOMENTS)[:, None] * EVERY + np.arange(TAPS)
        shape = (count * MOMENTS, TAPS)
        places = views.places[:, at].reshape(*shape, *views.places.shape[2:])
        seen = views.seen[:, at].reshape(*shape, -1)
        joints = self.network(normalised(places, seen)).reshape(count, MOMENTS, -1, 3)
        kinds = [MOTION.index(KINDS[kind]) for kind in self.motion.kinds]
        return joints, np.array(kinds)[views.sequence]


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
