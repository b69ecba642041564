"""Measure how much joints shake where no labels say where they are, and how late they come.

**Jitter** is the mean length of a joint's acceleration, of a body 1000 pixels long, in pixels per
(1/30 s)²: of a video of 30 frames a second, second differences. It is a physical unit: the same
movement has the same jitter at every frame rate, and what shakes by as much from each frame to the
next has four times the jitter at 60 frames a second. So compare what was made of the same video.

**Lag** is by how many frames joints must be shifted to correlate best with another's.

Letters: F frames of a person, J joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

BODY = 1000.0  # pixels
STEP_S = 1 / 30
UNEVEN = 0.25  # of a step: frames further apart, or nearer, are not consecutive
MAX_LAG = 10  # frames
FEWEST = 10  # pairs of frames that can tell a lag
SHOULDERS, WRISTS = ("left_shoulder", "right_shoulder"), ("left_wrist", "right_wrist")


@dataclass(frozen=True)
class Motion:
    """Hold joints (F, J, 2) of a person in pixels, NaN where unseen, by frames and times (F,).

    ``body`` is how long the person is in pixels, and ``step`` how many seconds two consecutive
    frames of the video are apart.
    """

    frames: NDArray[np.int64]
    times: Numbers
    joints: Numbers
    body: float
    step: float

    def part(self, chosen: NDArray[Any]) -> Motion:
        """Keep the chosen frames (F,)."""
        rows = self.frames[chosen], self.times[chosen], self.joints[chosen]
        return Motion(*rows, self.body, self.step)


def jitter(motion: Motion) -> float:
    """Average the accelerations' lengths over runs of consecutive frames; NaN if there is none."""
    if len(motion.frames) < 3:
        return float("nan")
    x = motion.joints
    lengths = np.linalg.norm(x[:-2] - 2 * x[1:-1] + x[2:], axis=2)  # (F - 2, J)
    steps = np.diff(motion.times)
    even = np.abs(steps - motion.step) <= UNEVEN * motion.step
    lengths = lengths[even[:-1] & even[1:]]
    known = np.isfinite(lengths)
    if not known.any() or not motion.body > 0:
        return float("nan")
    return float(lengths[known].mean()) * BODY / motion.body * (STEP_S / motion.step) ** 2


def shared(one: Motion, other: Motion) -> tuple[Motion, Motion]:
    """Keep the frames in which both are."""
    _, rows, others = np.intersect1d(one.frames, other.frames, return_indices=True)
    return one.part(rows), other.part(others)


def lag(late: Motion, other: Motion) -> int | None:
    """Say by how many frames joints come later than another's; None if they do not tell.

    Of equally good shifts the least is taken.
    """
    shifts = sorted(range(-MAX_LAG, MAX_LAG + 1), key=abs)
    alike = [_correlation(late, other, shift) for shift in shifts]
    if not np.isfinite(alike).any():
        return None
    return shifts[int(np.nanargmax(np.round(alike, 9)))]


def _correlation(late: Motion, other: Motion, shift: int) -> float:
    """Correlate joints with another's ``shift`` frames before; NaN if too little is known."""
    _, rows, others = np.intersect1d(late.frames - shift, other.frames, return_indices=True)
    one, two = (
        joints.reshape(len(rows), 2 * joints.shape[1])
        for joints in (late.joints[rows], other.joints[others])
    )
    known = np.isfinite(one) & np.isfinite(two)
    if known.sum(0).max(initial=0) < FEWEST:
        return float("nan")
    one, two = (_centred(each, known) for each in (one, two))
    power = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / power if power > 0 else float("nan")


def _centred(values: Numbers, known: NDArray[np.bool_]) -> Numbers:
    """Take each column's mean off what is known, the rest is 0."""
    values = np.where(known, values, 0)
    return np.where(known, values - values.sum(0) / np.maximum(known.sum(0), 1), 0)
