"""Put together what the cameras of a session saw: who is who, and where their joints are.

Times are those of the first view. Cameras do not open their shutters at the same moment, so each
view's joints are first put to the times of the first by straight lines between neighbouring frames.
Then people are matched (``views``), their joints triangulated without the views that disagree
(``geometry.triangulation``), and smoothed over time (``smooth``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.cameras import Camera, projections, undistorted
from muybridge.geometry.triangulation import distances, triangulate
from muybridge.tracking.offsets import UNKNOWN, Offsets, offsets
from muybridge.tracking.smooth import smooth
from muybridge.tracking.views import SURE, Matcher

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]

BETWEEN = 1.5  # usual steps between two frames from which joints are put to a time between them
BESIDE = 0.25  # usual steps from one frame, for want of another, at which its joints count as there
SIDE = 1920.0  # pixels of a picture's longer side, to which reprojection errors are scaled
CLEAR = 3.0  # standard deviations from which an offset that was found is no accident
HALF = 0.5  # usual steps below which an offset that was found is not worth correcting
FORGET = 1.0  # seconds from a match beyond which a track is not taken for the same person's


@dataclass(frozen=True)
class Sighted:
    """Hold what one view saw: R rows, person by person, frame by frame.

    ``looked`` (F,) are the times of all frames looked at, rising; ``times`` (R,), ``tracks`` (R,)
    and ``joints`` (R, J, 3), pixels and score, are of the people in them.
    """

    camera: Camera
    looked: Array
    times: Array
    tracks: Ids
    joints: Array

    @property
    def step(self) -> float:
        """Say how many seconds usually lie between two frames."""
        return float(np.median(np.diff(self.looked))) if len(self.looked) > 1 else 0.0

    def later(self, seconds: float) -> Sighted:
        """Give the same, so many seconds later."""
        return replace(self, looked=self.looked + seconds, times=self.times + seconds)


@dataclass(frozen=True)
class Placed:
    """Hold the joints of people in the world: N rows in order of person and time.

    ``person`` (N,) counts from 0, ``at`` (N,) numbers the times; ``joints`` (N, J, 3) are metres,
    nan where unknown, with ``spread`` (N, J) their standard deviation in metres, ``score`` (N, J)
    from 0 to 1, ``error`` (N, J) the mean reprojection error in pixels, and ``used`` (N, J, V) the
    views they were made of.
    """

    person: Ids
    at: Ids
    joints: Array
    spread: Array
    score: Array
    error: Array
    used: NDArray[np.bool_]


@dataclass(frozen=True)
class Matched:
    """Hold who is who: of each view's rows the person (R,), and of its joints put to the times.

    ``at`` (M,) numbers the times, ``row`` (M,) is the row nearest to it, ``person`` (M,) is -1 for
    nobody whom another view knows.
    """

    at: list[Ids]
    row: list[Ids]
    joints: list[Array]
    person: list[Ids]


def lined_up(views: Sequence[Sighted], given: Sequence[float | None]) -> Offsets:
    """Find what is to be added to each view's times (V,), where it is not ``given``.

    In each view the person is followed who is seen longest. Views count as synchronised until the
    joints clearly say otherwise, and where they say nothing; ``spread`` is nan where ``given``.
    """
    known = np.array([np.nan if each is None else each for each in given], float)
    known -= known[0] if np.isfinite(known[0]) else 0.0
    known[0] = 0.0
    if np.isfinite(known).all():
        return Offsets(known, np.full(len(views), np.nan))
    guess = np.nan_to_num(known)
    moved = [view.later(late) for view, late in zip(views, guess, strict=True)]
    chosen = [_longest(view) for view in moved]
    found = offsets(
        [view.camera for view in views], [v.times for v in chosen], [v.joints for v in chosen]
    )
    clear = abs(found.seconds) > np.maximum(CLEAR * found.spread, HALF * views[0].step)
    told = np.where(clear & (found.spread < UNKNOWN), found.seconds, 0.0)
    given_too = np.isfinite(known)
    return Offsets(
        np.where(given_too, guess, guess + told), np.where(given_too, np.nan, found.spread)
    )


def _longest(view: Sighted) -> Sighted:
    """Keep the person who is seen most often."""
    if not len(view.tracks):
        return view
    tracks, counts = np.unique(view.tracks, return_counts=True)
    mine = np.flatnonzero(view.tracks == tracks[counts.argmax()])
    mine = mine[np.argsort(view.times[mine], kind="stable")]
    return replace(view, times=view.times[mine], tracks=view.tracks[mine], joints=view.joints[mine])


def matched(views: Sequence[Sighted], times: Array) -> Matched:
    """Tell who is who at ``times`` (T,), rising, in views whose clocks agree."""
    parts = [_put(view, times) for view in views]
    at, row, joints = [p[0] for p in parts], [p[1] for p in parts], [p[2] for p in parts]
    matcher = Matcher([view.camera for view in views])
    bounds = [np.searchsorted(each, np.arange(len(times) + 1)) for each in at]
    person = [np.full(len(each), -1, np.int64) for each in at]
    for number, time in enumerate(times.tolist()):
        spans = [slice(*bound[number : number + 2].tolist()) for bound in bounds]
        if sum(span.stop > span.start for span in spans):
            seen = [its[span] for its, span in zip(joints, spans, strict=True)]
            for each, span, ids in zip(person, spans, matcher.update(time, seen), strict=True):
                each[span] = ids
    return Matched(at, row, joints, person)


def _put(view: Sighted, times: Array) -> tuple[Ids, Ids, Array]:
    """Put a view's joints to times (T,): which of these (M,), nearest rows (M,), joints (M, J, 3).

    They come in order of times.
    """
    at, row, joints = list[Any](), list[Any](), list[Any]()
    for track in np.unique(view.tracks):
        mine = np.flatnonzero(view.tracks == track)
        mine = mine[np.argsort(view.times[mine], kind="stable")]
        when = view.times[mine]
        after = np.searchsorted(when, times).clip(0, len(when) - 1)
        before = np.maximum(after - 1, 0)
        before = np.where(when[after] <= times, after, before)
        gap = when[after] - when[before]
        share = np.clip((times - when[before]) / np.where(gap > 0, gap, 1), 0, 1)
        near = np.where(share < 0.5, before, after)
        far = abs(times - when[near]) > BESIDE * view.step
        within = (when[before] <= times) & (times <= when[after]) & (gap <= BETWEEN * view.step)
        kept = np.flatnonzero(within | ~far)
        share = np.where(within, share, np.round(share))[kept]
        pairs = view.joints[mine[before[kept]]], view.joints[mine[after[kept]]]
        at.append(kept)
        row.append(mine[near[kept]])
        joints.append(_between(*pairs, share))
    if not at:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), view.joints[:0]
    order = np.argsort(np.concatenate(at), kind="stable")
    return np.concatenate(at)[order], np.concatenate(row)[order], np.concatenate(joints)[order]


def _between(one: Array, other: Array, share: Array) -> Array:
    """Put joints (M, J, 3) between two frames; the less certain of the two tells the score."""
    share = share[:, None, None]
    made = (1 - share) * one + share * other
    score = np.minimum(one[..., 2], other[..., 2])
    alone = np.where(share[..., 0] == 0, one[..., 2], other[..., 2])
    made[..., 2] = np.where((share[..., 0] == 0) | (share[..., 0] == 1), alone, score)
    return made


def placed(cameras: Sequence[Camera], times: Array, found: Matched) -> Placed:
    """Triangulate and smooth everybody who was matched; rows without any joint are left out."""
    scale = [SIDE / max(camera.size) for camera in cameras]
    scaled = [
        replace(camera, matrix=np.diag([s, s, 1]) @ camera.matrix)
        for camera, s in zip(cameras, scale, strict=True)
    ]
    count = max((int(each.max(initial=-1)) for each in found.person), default=-1) + 1
    parts = [_person(number, scaled, np.array(scale), times, found) for number in range(count)]
    joints = found.joints[0].shape[1]
    parts = [_nobody(joints, len(cameras)), *(part for part in parts if len(part.at))]
    return Placed(*(np.concatenate([getattr(p, name) for p in parts]) for name in FIELDS))


FIELDS = ("person", "at", "joints", "spread", "score", "error", "used")


def _nobody(joints: int, views: int) -> Placed:
    none, some = np.zeros(0, np.int64), np.zeros((0, joints))
    return Placed(
        none, none, np.zeros((0, joints, 3)), some, some, some, np.zeros((0, joints, views), bool)
    )


def _person(
    number: int, cameras: Sequence[Camera], scale: Array, times: Array, found: Matched
) -> Placed:
    """Place one person at every time at which somebody saw them."""
    mine = [np.flatnonzero(each == number) for each in found.person]
    at = np.unique(np.concatenate([a[m] for a, m in zip(found.at, mine, strict=True)]))
    joints, views = found.joints[0].shape[1], len(cameras)
    seen = np.zeros((len(at), joints, views, 3))
    for view, rows in enumerate(mine):
        seen[np.searchsorted(at, found.at[view][rows]), :, view] = found.joints[view][rows]
    seen[..., :2] *= scale[:, None]
    score = np.where(seen[..., 2] >= SURE, seen[..., 2], 0).reshape(-1, views)
    pixels = undistorted(cameras, seen[..., :2].reshape(-1, views, 2))
    matrices = projections(cameras)
    made = triangulate(pixels, matrices, score)
    shape = len(at), joints
    points, spread = smooth(
        times[at], made.points.reshape(*shape, 3), made.covariance.reshape(*shape, 3, 3)
    )
    off = distances(points.reshape(-1, 3), pixels, matrices) / scale
    number_used = np.maximum(made.used.sum(1), 1)
    error = np.where(made.used, np.nan_to_num(off), 0).sum(1) / number_used
    sure = np.where(made.used, score, 0).sum(1) / number_used
    there = np.isfinite(points).all(-1)
    rows = np.flatnonzero(there.any(1))
    used = made.used.reshape(*shape, views) & there[..., None]
    return Placed(
        np.full(len(rows), number),
        at[rows],
        points[rows],
        _deviation(spread, made.covariance.reshape(spread.shape))[rows],
        np.where(there, _bridged(times[at], sure.reshape(shape), used.any(-1)), 0)[rows],
        np.where(used.any(-1), error.reshape(shape), np.nan)[rows],
        used[rows],
    )


def _deviation(smoothed: Array, measured: Array) -> Array:
    """Give the standard deviation along an axis (T, J) of points of covariances (T, J, 3, 3).

    What smoothing takes away is trembling. A network that misses a joint in one picture misses it
    in the next as well: of the error of one moment as much stays.
    """
    variance = [np.trace(each, axis1=-2, axis2=-1) / 3 for each in (smoothed, measured)]
    return np.sqrt(variance[0] + np.nan_to_num(variance[1]))


def _bridged(times: Array, score: Array, measured: NDArray[np.bool_]) -> Array:
    """Give joints that were not measured the scores (T, J) of what they lie between."""
    made = score.copy()
    for column, known in zip(made.T, measured.T, strict=True):
        if known.any():
            column[~known] = np.interp(times[~known], times[known], column[known])
    return made


def named(view: Sighted, times: Array, at: Ids, row: Ids, person: Ids) -> Ids:
    """Say of each of a view's rows which person it is: (R,), -1 for nobody.

    A row between matched ones is who its track was nearest to it; where two rows of one time would
    be the same person, the one nearer to a match is.
    """
    who, far = np.full(len(view.tracks), -1, np.int64), np.full(len(view.tracks), np.inf)
    tracks = view.tracks[row]
    for track in np.unique(tracks[person >= 0]):
        known = np.flatnonzero((tracks == track) & (person >= 0))  # in order of times
        mine = np.flatnonzero(view.tracks == track)
        when = times[at[known]]
        after = np.searchsorted(when, view.times[mine]).clip(1, max(len(when) - 1, 1))
        before, after = np.minimum(after - 1, len(when) - 1), np.minimum(after, len(when) - 1)
        gaps = [abs(view.times[mine] - when[each]) for each in (before, after)]
        near = np.where(gaps[0] <= gaps[1], before, after)
        who[mine], far[mine] = person[known[near]], np.minimum(*gaps)
    who[far > FORGET] = -1
    order = np.lexsort((far, who, view.times))
    same = (np.diff(view.times[order]) == 0) & (np.diff(who[order]) == 0)
    who[order[1:][same]] = -1
    return who
