"""Find by how much the clocks of cameras differ, from somebody who moves in front of them.

At the right offset the rays on which two cameras show a joint pass each other at one distance all
the time: 0, or what detectors are wrong by. At a wrong one the distance changes as soon as a joint
moves across the plane of the two cameras. So one view's joints are shifted in time, and the shift
is taken at which distances change least. It tells nothing where nobody moves, nor where joints move
along that plane; therefore each offset comes with how sure it is. An offset beyond ``most`` is told
as unknown only if no smaller one seems to do: motion that repeats itself can deceive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.cameras import Camera

Array = NDArray[np.floating[Any]]

MOST = 1.0  # seconds by which clocks may differ
NEAR = 0.15  # metres; rays that pass further from each other count as if so far
SURE = 0.3  # score from which a joint counts
PARTS = 8  # of the time, each left out once, to see how much the offset depends on it
TOO_SURE = 2.0  # by how much the jackknife is, here (tests/benchmarks/views.py)
LEAST = 50  # pairs of rays that must be compared at an offset
UNKNOWN = 1e3  # seconds of spread that stand for not knowing


@dataclass(frozen=True)
class Offsets:
    """Hold, for each of V views, seconds (V,) to add to its times, and their ``spread`` (V,).

    The first view's are 0. The spread is one standard deviation; ``UNKNOWN`` and more mean that
    nothing is known, and the offset is then 0.
    """

    seconds: Array
    spread: Array


def offsets(
    cameras: Sequence[Camera],
    times: Sequence[Array],
    joints: Sequence[Array],
    most: float = MOST,
) -> Offsets:
    """Find the offsets of V views from one person's joints (T, J, 3), pixels and score, in each.

    ``times`` (T,) are each view's own, rising. Every two views are compared, and offsets are found
    that agree best with all, each pair weighed by how sure it is (least squares).
    """
    rays = [_rays(camera, each) for camera, each in zip(cameras, joints, strict=True)]
    count = len(cameras)
    normal, right = np.zeros((count, count)), np.zeros(count)
    for a, b in combinations(range(count), 2):
        apart = cameras[b].place - cameras[a].place
        lag, spread = _lag(apart, times[a], rays[a], times[b], rays[b], most)
        row = np.zeros(count)
        row[[a, b]] = -1, 1
        normal += np.outer(row, row) / spread**2
        right += row * lag / spread**2
    normal[0], normal[:, 0], right[0] = 0, 0, 0
    normal += np.diag([1.0] + [UNKNOWN**-2.0] * (count - 1))
    spreads = np.sqrt(np.diagonal(np.linalg.inv(normal)))
    return Offsets(np.linalg.solve(normal, right), np.concatenate([[0.0], spreads[1:]]))


def _rays(camera: Camera, joints: Array) -> Array:
    """Give directions (T, J, 3), nan for joints that are not seen."""
    rays = camera.rays(joints[..., :2])
    return np.where(joints[..., 2:] >= SURE, rays, np.nan)


def _lag(
    apart: Array, times: Array, rays: Array, other: Array, theirs: Array, most: float
) -> tuple[float, float]:
    """Find what to add to the other view's times (seconds), and its standard deviation.

    The latter by the jackknife (Efron 1982): a part of the time is left out, each in turn.
    """
    if len(times) < 2 or len(other) < 2:
        return 0.0, UNKNOWN
    most = min(most, (times[-1] - times[0]) / 4)
    inside = (times >= other[0] + most) & (times <= other[-1] - most)
    times, rays = times[inside], rays[inside]  # the same at every shift, so that all compare
    step = float(np.median(np.diff(other)))  # whole frames: between two, noise would be averaged
    shifts = step * np.arange(-int(most / step), int(most / step) + 1)
    part = np.arange(len(times)) * PARTS // max(len(times), 1)
    total, number = np.zeros((2, len(shifts), PARTS))
    for row, shift in enumerate(shifts):
        gaps = _gaps(apart, rays, _at(times - shift, other, theirs))
        squared = (gaps - _medians(gaps)) ** 2
        seen = np.isfinite(squared)
        capped = np.where(seen, np.minimum(squared, NEAR**2), 0).sum(1)
        total[row] = np.bincount(part, capped, PARTS)
        number[row] = np.bincount(part, seen.sum(1), PARTS)
    best = _lowest(shifts, total.sum(1), number.sum(1))
    without = total.sum(1)[:, None] - total, number.sum(1)[:, None] - number
    each = np.array([_lowest(shifts, *part) for part in zip(*(w.T for w in without), strict=True)])
    if not np.isfinite([best, *each]).all():
        return 0.0, UNKNOWN
    jackknife = np.sqrt((PARTS - 1) * np.mean((each - each.mean()) ** 2))
    return best, float(np.hypot(TOO_SURE * jackknife, step / 8))


def _at(wanted: Array, times: Array, rays: Array) -> Array:
    """Interpolate rays (T, J, 3) at times (N,): (N, J, 3), nan outside and beside what is nan."""
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    share = (wanted - times[after - 1]) / (times[after] - times[after - 1])
    between = rays[after - 1] + share[:, None, None] * (rays[after] - rays[after - 1])
    return np.where(((share >= 0) & (share <= 1))[:, None, None], between, np.nan)


def _gaps(apart: Array, rays: Array, theirs: Array) -> Array:
    """Measure how far rays (..., 3) pass from another camera's, and on which side.

    The other camera stands ``apart`` (3,) metres from the first.
    """
    normal = np.cross(rays, theirs)
    length = np.linalg.norm(normal, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return normal @ apart / length


def _medians(gaps: Array) -> Array:
    """Take the median over time of gaps (T, J): (J,), nan for joints that are never compared."""
    known = np.isfinite(gaps).any(0)
    medians = np.full(gaps.shape[1], np.nan)
    medians[known] = np.nanmedian(gaps[:, known], axis=0)
    return medians


def _lowest(shifts: Array, total: Array, number: Array) -> float:
    """Find the shift of the least mean, between the steps by a parabola; nan if none tells.

    The first and the last tell nothing: the least may lie beyond.
    """
    mean = np.where(number >= LEAST, total / np.maximum(number, 1), np.inf)
    at = int(mean.argmin())
    if at in (0, len(mean) - 1) or not np.isfinite(mean[at - 1 : at + 2]).all():
        return float("nan")
    before, here, after = mean[at - 1 : at + 2]
    bend = before - 2 * here + after
    return float(shifts[at] + (shifts[1] - shifts[0]) * (before - after) / (2 * bend or np.inf))
