"""Refine a track of bodies by the joints that were seen in the picture: SMPLify over time.

Bogo et al. (2016) bend one body until its joints lie where a detector saw them; Kocabas et al.
(2020) do so over a track, from VIBE's bodies on. Here all frames of a track are bent at once, with
one shape, so that the sum of these falls (each is a square over the square of what is common):

* how far joints lie from where they were seen, in metres at the body's depth, so that the balance
  is the same for every size of picture; weighted by score, and by Geman and McClure's robust
  function, so that a joint that was seen quite elsewhere hardly counts;
* how much joints, and points beside them that tell how bones are twisted, are accelerated, by the
  clock: frames may be missing, and what was not seen goes on as it moved;
* how far bodies are from the start: no prior learned from motion capture may be shipped with this
  (SMPLify's mixture of Gaussians has a licence of its own), and a network's bodies are likely ones;
* knees and elbows that are bent the wrong way, and shapes that are rare.

What is sought are increments, so that it begins at the start exactly: rotations in the parent's
axes, and shifts along and across the line of sight. They are written as waves in time, each in
units of how stiff the sum is against it: quasi-Newton steps (L-BFGS) then get there in some tens.
A long track has its shape from frames all over it, and is then done in windows, which need fewer
steps than the whole: the frames before a window stay as they are, and it looks some ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from muybridge.geometry.rotations import matrix_from_axis_angle
from muybridge.geometry.skeletons import Skeleton
from muybridge.geometry.smpl import JOINTS, JOINTS49, PARENTS, SHAPES, Joints

WINDOW, AHEAD, BEFORE = 90, 15, 2  # frames: kept of a window, seen after it, and held before it
SEEN = 0.03  # metres: how far a detector's joints commonly are from the body's
FAR = 0.25  # metres: no joint counts for more in the error that is told
BESIDE = 0.1  # metres from a joint to the points that tell its twist
TURN = 0.2  # radians that the start's rotations are commonly off
ACROSS, ALONG = 0.1, 0.1  # metres across the line of sight, and share of the depth, likewise
SHAPE = 0.5  # standard deviations of the shape, likewise
BACKWARDS = 0.05  # sine of a common angle by which knees and elbows give way
NEAREST = 0.1  # metres: what is nearer to the camera, or behind it, is taken to be there
SHORTEST = 1e-3  # seconds that lie between two moments at least

OTHERWISE = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
HINGES = {  # row and column of the rotation, and sign: how far the bone beyond is bent wrongly
    "left_knee": (2, 1, -1.0),
    "right_knee": (2, 1, -1.0),
    "left_elbow": (2, 0, -1.0),
    "right_elbow": (2, 0, 1.0),
}


@dataclass(frozen=True)
class Stage:
    """Say what a stage allows: from ``far`` metres on a joint counts less; ``swift`` is m/s².

    Were ``swift`` no more than what people commonly reach, those who dance would be slowed down:
    at 20 m/s², movements of 30 m/s² in the mean came out further off than they had started.
    """

    far: float
    swift: float
    steps: int


STAGES = (Stage(1.0, 200.0, 30), Stage(0.3, 100.0, 40), Stage(0.1, 100.0, 60))


@dataclass(frozen=True)
class Refined:
    """Hold bodies of a track: betas (T, 10), all the same, rotations (T, 24, 3, 3), translation.

    Errors are mean distances in pixels from joints of the body to where they were seen, weighted by
    score; one that is far off counts as ``FAR``. They are 0 where nothing was seen.
    """

    betas: Tensor
    rotations: Tensor
    translation: Tensor
    error_before: float
    error_after: float


@dataclass(frozen=True)
class Bodies:
    """Hold bodies: betas (T, 10), rotations (T, 24, 3, 3), translation (T, 3) in metres."""

    betas: Tensor
    rotations: Tensor
    translation: Tensor

    def part(self, rows: Any) -> Bodies:
        """Take some of them."""
        return Bodies(self.betas[rows], self.rotations[rows], self.translation[rows])


@dataclass(frozen=True)
class Seen:
    """Hold what was seen of a track: K joints of the 49, by number, and where they were.

    places (T, K, 2) in focal lengths from the picture's middle, scores (T, K), depth (T,) of the
    body's start in metres, times (T,) in seconds from the first frame.
    """

    numbers: list[int]
    places: Tensor
    scores: Tensor
    depth: Tensor
    times: Tensor

    def part(self, rows: Any) -> Seen:
        """Take some frames."""
        frames = {n: getattr(self, n)[rows] for n in ("places", "scores", "depth", "times")}
        return replace(self, **frames)


class Sought(NamedTuple):
    """Hold increments: turns (W, 24, 3), shifts (W, 3) by waves in time, and shape (10)."""

    turns: Tensor
    shifts: Tensor
    shape: Tensor


def refined(
    joints: Joints,
    betas: Tensor,
    rotations: Tensor,
    translation: Tensor,
    keypoints: Tensor,
    skeleton: Skeleton,
    times: Tensor,
    focal: float,
    size: tuple[int, int],
    window: int = WINDOW,
) -> Refined:
    """Refine one person's bodies (T) by joints in the picture, or return them if they fit as well.

    ``betas`` (T, 10), ``rotations`` (T, 24, 3, 3) and ``translation`` (T, 3) are the start, in a
    camera of ``focal`` pixels that looks through the middle of a picture of ``size`` (width,
    height). ``keypoints`` (T, K, 3) are x and y in pixels and a score from 0 (not seen) to 1, of
    the joints of ``skeleton``; ``times`` (T,) are seconds, rising.
    """
    with torch.inference_mode(False), torch.enable_grad():
        start = Bodies(betas.clone(), rotations.clone(), translation.clone())
        seen = sighted(start, keypoints, skeleton, times, focal, size)
        before = focal * error(joints, start, seen, window)
        if before == 0:
            return Refined(betas, rotations, translation, before, before)
        found = fitted(joints, start, seen, window)
        after = focal * error(joints, found, seen, window)
    if not after < before:
        return Refined(betas, rotations, translation, before, before)
    return Refined(found.betas, found.rotations, found.translation, before, after)


def matched(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Find the joints of a skeleton that a body has: their numbers there, and among the 49."""
    ours = [f"openpose_{OTHERWISE.get(name, name)}" for name in skeleton.joints]
    both = [(row, JOINTS49.index(name)) for row, name in enumerate(ours) if name in JOINTS49]
    return [row for row, _ in both], [number for _, number in both]


def sighted(
    start: Bodies,
    keypoints: Tensor,
    skeleton: Skeleton,
    times: Tensor,
    focal: float,
    size: tuple[int, int],
) -> Seen:
    """Bring what was seen into focal lengths and seconds.

    What is no number was not seen, and nothing was of a body that starts behind the camera.
    """
    theirs, ours = matched(skeleton)
    places, scores = keypoints[:, theirs, :2].to(start.betas), keypoints[:, theirs, 2]
    whole = places.isfinite().all(-1) & (start.translation[:, 2:] > NEAREST)
    middle = places.new_tensor(size) / 2
    scores = scores.to(places).nan_to_num().clamp(0, 1) * whole
    return Seen(
        numbers=ours,
        places=((places - middle) / focal).where(whole[..., None], 0),
        scores=scores,
        depth=start.translation[:, 2].clamp(min=NEAREST),
        times=(times - times[:1]).to(start.betas),
    )


def fitted(joints: Joints, start: Bodies, seen: Seen, window: int) -> Bodies:
    """Fit a track: the shape, if it is long by frames from all over it; then window by window."""
    count = len(seen.times)
    one = replace(start, betas=start.betas.mean(0).expand(count, -1))
    if count <= window + AHEAD:
        return fit(joints, one, seen, shape=True)
    some = sample(seen, window)
    shape = fit(joints, one.part(some), seen.part(some), shape=True).betas[0]
    done = replace(one, betas=shape.expand(count, -1))
    for rows, held in windows(count, window):
        found = fit(joints, done.part(rows), seen.part(rows), held)
        kept = slice(rows.start + held, min(rows.start + held + window, count))
        done.rotations[kept] = found.rotations[held : held + window]
        done.translation[kept] = found.translation[held : held + window]
    return done


def windows(count: int, window: int) -> Iterator[tuple[slice, int]]:
    """Cut frames into windows: which they look at, and how many of those are held as they are."""
    for first in range(0, count, window):
        held = min(first, BEFORE)
        yield slice(first - held, min(first + window + AHEAD, count)), held


def sample(seen: Seen, size: int) -> Tensor:
    """Choose at most so many frames (size,) from all over a track, of those where joints are."""
    rows = seen.scores.any(1).nonzero()[:, 0]
    return rows[torch.linspace(0, len(rows) - 1, min(size, len(rows))).round().long()]


def fit(joints: Joints, start: Bodies, seen: Seen, held: int = 0, shape: bool = False) -> Bodies:
    """Fit bodies at once, all but the first ``held``; with ``shape`` also the shape they share."""
    modes, bends = waves(seen.times, held)
    sought = Sought(
        turns=start.betas.new_zeros(len(bends), len(JOINTS), 3),
        shifts=start.betas.new_zeros(len(bends), 3),
        shape=start.betas.new_zeros(SHAPES),
    )
    for stage in STAGES:
        units = Sought(*(part.rsqrt() for part in stiffness(joints, seen, bends, stage)))
        sought = stepped(joints, start, seen, modes, sought, units, stage, shape)
    return moved(start, modes, sought)


def stepped(
    joints: Joints,
    start: Bodies,
    seen: Seen,
    modes: Tensor,
    sought: Sought,
    units: Sought,
    stage: Stage,
    shape: bool,
) -> Sought:
    """Go down by a stage's steps, in units in which the cost is about equally stiff."""
    unknown = Sought(*(part / unit for part, unit in zip(sought, units, strict=True)))
    free = unknown if shape else unknown[:2]
    for part in free:
        part.requires_grad_()
    optimizer = torch.optim.LBFGS(
        free,
        max_iter=stage.steps,
        history_size=stage.steps,
        tolerance_change=1e-3,
        line_search_fn="strong_wolfe",
    )

    def now() -> Sought:
        return Sought(*(part * unit for part, unit in zip(unknown, units, strict=True)))

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cost(joints, moved(start, modes, now()), seen, stage)
        loss = loss + sum(part.square().sum() for part in now())  # as waves are orthonormal
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Sought(*(part.detach() for part in now()))


def moved(start: Bodies, modes: Tensor, sought: Sought) -> Bodies:
    """Move bodies from the start by increments, as waves in common units.

    The third shift goes along the line of sight: the place in the picture stays, the size changes.
    """
    turned = TURN * torch.tensordot(modes, sought.turns, 1)
    shifted = modes @ sought.shifts
    across = functional.pad(ACROSS * shifted[:, :2], (0, 1))
    return Bodies(
        start.betas + SHAPE * sought.shape,
        matrix_from_axis_angle(turned) @ start.rotations,
        (start.translation + across) * (ALONG * shifted[:, 2:]).exp(),
    )


def cost(joints: Joints, bodies: Bodies, seen: Seen, stage: Stage) -> Tensor:
    """Sum what is to fall, but for the distance from the start."""
    points = joints(bodies.betas, bodies.rotations, bodies.translation)
    beside = BESIDE * bodies.rotations.mT.flatten(1, 2)
    swift = accelerations(torch.cat([points, beside], 1), seen.times) / stage.swift
    squared = distances(points, seen, 2)
    robust = squared / (1 + squared / stage.far**2)
    return (
        (seen.scores * robust).sum() / SEEN**2
        + swift.square().sum()
        + backwards(bodies.rotations).square().sum() / BACKWARDS**2
        + bodies.betas[0].square().sum()
    )


def distances(points: Tensor, seen: Seen, power: int = 1) -> Tensor:
    """Say how far joints (T, 49, 3) lie from where they were seen: (T, K) metres at the depth."""
    chosen = points[:, seen.numbers]
    off = chosen[..., :2] / chosen[..., 2:].clamp(min=NEAREST) - seen.places
    squared = off.square().sum(-1) * seen.depth[:, None] ** 2
    return squared if power == 2 else squared.sqrt()


def backwards(rotations: Tensor) -> Tensor:
    """Say how far the bones beyond knees and elbows point backwards: (T, 4) sines, 0 and up."""
    each = [
        sign * rotations[:, JOINTS.index(name), row, column]
        for name, (row, column, sign) in HINGES.items()
    ]
    return torch.stack(each, 1).clamp(min=0)


def accelerations(points: Tensor, times: Tensor) -> Tensor:
    """Give the accelerations of points (T, ..., 3) at all but the first and last of times (T,)."""
    return torch.tensordot(second_differences(times), points, 1)


def second_differences(times: Tensor) -> Tensor:
    """Make the matrix (T - 2, T) that takes values at times (T,) to their second derivatives."""
    step = times.diff().clamp(min=SHORTEST)
    slopes = torch.eye(len(times), dtype=times.dtype, device=times.device).diff(dim=0)
    return (slopes / step[:, None]).diff(dim=0) / ((step[1:] + step[:-1]) / 2)[:, None]


def error(joints: Joints, bodies: Bodies, seen: Seen, window: int) -> float:
    """Give the mean distance from joints to where they were seen, in focal lengths."""
    total = weight = 0.0
    with torch.no_grad():
        for first in range(0, len(seen.times), window):
            rows = slice(first, first + window)
            some, there = bodies.part(rows), seen.part(rows)
            points = joints(some.betas, some.rotations, some.translation)
            far = distances(points, there).clamp(max=FAR) / there.depth[:, None]
            total += float((there.scores * far).sum())
            weight += float(there.scores.sum())
    return total / weight if weight else 0.0


def waves(times: Tensor, held: int) -> tuple[Tensor, Tensor]:
    """Find the waves (T, W) in which accelerations do not mix, and how much each has, squared (W,).

    They are columns of length 1; frames that are held have rows of zeros. They are found on the
    CPU: MPS has neither float64 nor eigenvalues.
    """
    free = second_differences(times.cpu().double())[:, held:]
    bends, modes = torch.linalg.eigh(free.T @ free)
    return functional.pad(modes, (0, 0, held, 0)).to(times), bends.clamp(min=0).to(times)


def stiffness(joints: Joints, seen: Seen, bends: Tensor, stage: Stage) -> Sought:
    """Estimate how stiff the cost is against each wave of each increment, in common units."""
    share = len(seen.numbers) / len(JOINTS49) / SEEN**2 * seen.scores.mean()
    metre = share + bends[:, None] / stage.swift**2  # of a joint
    along = ALONG * seen.depth.mean()
    across = torch.full_like(along, ACROSS)
    return Sought(
        1 + (metre * TURN**2 * reaches(joints.start))[..., None],
        1 + metre * len(JOINTS49) * torch.stack([across, across, along]).square(),
        torch.ones_like(metre[0]),
    )


def reaches(rest: Tensor) -> Tensor:
    """Sum the squared distances from each joint to what it turns: (24,), of joints (24, 3)."""
    below = torch.eye(len(JOINTS), dtype=rest.dtype, device=rest.device)
    for joint in reversed(range(1, len(JOINTS))):
        below[PARENTS[joint]] += below[joint]
    far = (rest[:, None] - rest).square().sum(-1)
    return 2 * (below * far).sum(1) + 3 * BESIDE**2  # two of the 49 to one of the 24
