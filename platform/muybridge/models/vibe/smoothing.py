"""Smooth how a person moves: the 1 Euro filter (Casiez et al. 2012), on numbers and on rotations.

The faster something moves, the less it is smoothed: slow movements show jitter, fast ones lag. The
authors filter axis-angles number by number; where a rotation passes half a turn they jump from one
end to the other, and the filter smears the body across what lies between. On rotations there is no
such place: the filter follows the shortest turn from what it said last. How fast something moves it
tells, as theirs does, by how far it is from there; that hardly hangs on how often it is filmed.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from muybridge.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle

CUTOFF, SLOPE = 0.004, 0.7  # the authors': cycles a frame at rest, and how they grow by radians
FAR_CUTOFF = 1.0  # cycles a frame, for the radians themselves
FRAME = 1 / 30  # seconds: what a frame lasts of the videos that those numbers are for
SHORTEST = 1e-3  # frames that lie between two moments at least


def smoothed(
    rotations: Tensor, times: Tensor | None = None, cutoff: float = CUTOFF, slope: float = SLOPE
) -> Tensor:
    """Smooth rotations (T, ..., 3, 3) over time, each by itself; the first stays.

    ``times`` (T,) in seconds may have gaps; without them frames follow each other at 30 a second.
    """
    steps = frames(times, len(rotations))
    now, far = rotations[:1], torch.zeros_like(rotations[:1, ..., 0])
    said = [now]
    for seen, step in zip(rotations[1:, None], steps, strict=True):
        turn = axis_angle_from_matrix(seen @ now.mT)  # in the parent's axes, which do not turn
        far = far + share(FAR_CUTOFF, step) * (turn - far)
        part = share(cutoff + slope * far.norm(dim=-1, keepdim=True), step)
        now = matrix_from_axis_angle(part * turn) @ now
        said.append(now)
    return torch.cat(said)


def one_euro(values: Tensor, cutoff: float = CUTOFF, slope: float = SLOPE) -> Tensor:
    """Smooth numbers (T, ...) over frames, each by itself, as the authors do with axis-angles."""
    now, far = values[:1], torch.zeros_like(values[:1])
    said = [now]
    for seen in values[1:, None]:
        far = far + share(FAR_CUTOFF, 1.0) * (seen - now - far)
        now = now + share(cutoff + slope * far.abs(), 1.0) * (seen - now)
        said.append(now)
    return torch.cat(said)


def share(cutoff: Tensor | float, step: float) -> Any:
    """Say how much of a step's change a filter with this cutoff lets through at once."""
    reach = 2 * math.pi * cutoff * step
    return reach / (reach + 1)


def frames(times: Tensor | None, count: int) -> list[float]:
    """Say how many frames lie between each of ``count`` moments and the next."""
    if times is None:
        return [1.0] * (count - 1)
    return (times.diff() / FRAME).clamp(min=SHORTEST).tolist()
