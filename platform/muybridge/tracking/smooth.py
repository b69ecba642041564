"""Smooth points over time by how sure each of them is, and bridge short gaps.

A point moves at constant velocity, pushed at random; Kalman's filter goes forward through what was
measured and Rauch, Tung and Striebel's (1965) backward through what the filter thought, so that
nothing lags. What was measured surely stays where it is, what was not gives way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

PUSH = 5.0  # m/s by which a joint's velocity wanders within a second, as a standard deviation
FAST = 5.0  # m/s that a joint may have when it is first seen
GAP = 0.25  # seconds from the nearest measurement beyond which nothing is said
BODY_M = 1.7  # metres that a body's length in the picture stands for
JOINT_M = 0.03  # standard deviation of a joint in the picture that scores 1
LEAST = 0.05  # score below which a joint counts no less
FAR = 3.0  # standard deviations; a measurement further off is taken as so unsure that it is not


def smooth(
    times: Array, points: Array, covariance: Array, push: float = PUSH
) -> tuple[Array, Array]:
    """Smooth points (T, J, D), measured at rising times with a covariance (T, J, D, D).

    Gives points and their covariance; what is nan is filled in if it was measured not long before
    or after, and stays nan otherwise.
    """
    if not len(times):
        return points.copy(), covariance.copy()
    seen = np.isfinite(points).all(-1) & np.isfinite(covariance).all((-2, -1))
    steps = np.diff(times, prepend=times[0])
    guesses, spreads = _forward(steps, points, covariance, seen, push)
    guesses, spreads = _backward(steps, guesses, spreads, push)
    near = _near(times, seen)
    axes = points.shape[2]
    placed = np.where(near[..., None], guesses[..., :axes], np.nan)
    return placed, np.where(near[..., None, None], spreads[..., :axes, :axes], np.nan)


def smooth_joints(times: Array, joints: Array, length: Array) -> Array:
    """Smooth a track's joints in the picture (T, J, 3: x, y, score), and leave their scores.

    ``length`` (T,) is that of the body in pixels, which stands for BODY_M metres; the less a joint
    scores, the more it gives way.
    """
    if len(times) < 2:
        return joints.copy()
    metres = BODY_M / np.median(length)
    deviation = JOINT_M * (length * metres / BODY_M)[:, None] / np.maximum(joints[..., 2], LEAST)
    covariance = (deviation**2)[..., None, None] * np.eye(2)
    middle = joints[..., :2].mean((0, 1))
    placed, _ = smooth(times, (joints[..., :2] - middle) * metres, covariance)
    return np.concatenate([placed / metres + middle, joints[..., 2:]], 2)


def _forward(
    steps: Array, points: Array, covariance: Array, seen: NDArray[np.bool_], push: float
) -> tuple[Array, Array]:
    """Filter: states (T, J, 2D) of position and velocity, and their covariance (T, J, 2D, 2D)."""
    (frames, joints), axes = seen.shape, points.shape[2]
    state, spread = (
        np.zeros((frames, joints, 2 * axes)),
        np.zeros((frames, joints, 2 * axes, 2 * axes)),
    )
    first = seen.argmax(0)
    now: Array = np.concatenate([points[first, np.arange(joints)], np.zeros((joints, axes))], -1)
    now = np.where(seen.any(0)[:, None], now, 0)
    how = np.tile(
        np.diag([1e2] * axes + [FAST**2] * axes), (joints, 1, 1)
    )  # 10 m: nothing is known
    for frame in range(frames):
        move, drift = _motion(steps[frame], push, axes)
        now, how = now @ move.T, move @ how @ move.T + drift
        there = seen[frame]
        off = points[frame, there] - now[there, :axes]
        noise = covariance[frame, there] + how[there][:, :axes, :axes]
        apart = np.sqrt(np.einsum("ni,nij,nj->n", off, np.linalg.inv(noise), off))
        noise *= (np.maximum(apart / FAR, 1) ** 2)[:, None, None]
        gain = how[there][:, :, :axes] @ np.linalg.inv(noise)
        now[there] += (gain @ off[..., None])[..., 0]
        how[there] -= gain @ how[there][:, :axes]
        state[frame], spread[frame] = now, how
    return state, spread


def _backward(steps: Array, state: Array, spread: Array, push: float) -> tuple[Array, Array]:
    """Smooth what was filtered, from the end to the start."""
    state, spread = state.copy(), spread.copy()
    for frame in range(len(steps) - 2, -1, -1):
        move, drift = _motion(steps[frame + 1], push, state.shape[2] // 2)
        ahead = move @ spread[frame] @ move.T + drift
        gain = spread[frame] @ move.T @ np.linalg.inv(ahead)
        missing = state[frame + 1] - state[frame] @ move.T
        state[frame] += (gain @ missing[..., None])[..., 0]
        spread[frame] += gain @ (spread[frame + 1] - ahead) @ np.swapaxes(gain, -1, -2)
    return state, spread


def _motion(step: float, push: float, axes: int) -> tuple[Array, Array]:
    """Give what moves a state on by a step (2D, 2D), and what the push adds to its covariance."""
    move: Array = np.kron(np.array([[1, step], [0, 1]]), np.eye(axes))
    drift = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
    return move, push**2 * np.kron(drift, np.eye(axes))


def _near(times: Array, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say for each time and joint (T, J) whether it was measured within ``GAP`` seconds."""
    near = np.zeros_like(seen)
    for joint, mine in enumerate(seen.T):
        when = times[mine]
        if len(when):
            at = np.searchsorted(when, times).clip(1, max(len(when) - 1, 1))
            before, after = when[at - 1], when[np.minimum(at, len(when) - 1)]
            near[:, joint] = np.minimum(abs(times - before), abs(times - after)) <= GAP
    return near
