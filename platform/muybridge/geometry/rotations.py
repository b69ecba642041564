"""Rotations as axis-angle, as matrices, and as the six numbers that networks learn.

An axis-angle vector points along the axis, and its length is the angle in radians, turning as a
right hand's fingers curl. Everything works on tensors of any leading shape, keeps their dtype and
device, and can be differentiated through, also where nothing is turned.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALL = 1e-4  # of a squared angle: below it three terms of a series are exact in float64
SHORTEST = 1e-6  # the least length by which six numbers are divided


def matrix_from_axis_angle(r: Tensor) -> Tensor:
    """Turn axis-angle vectors (..., 3) into rotation matrices (..., 3, 3), by Rodrigues' formula.

    R = I + a K + b K², where K is the vector's cross product, a = sin t / t, b = (1 - cos t) / t².
    """
    squared = (r * r).sum(-1, keepdim=True)[..., None]
    angle, small = _root(squared)
    half = (angle / 2).sin() / angle
    a = torch.where(small, _series(squared, 1, 6, 120), angle.sin() / angle)
    b = torch.where(small, _series(squared, 2, 24, 720), 2 * half * half)
    identity = torch.eye(3, dtype=r.dtype, device=r.device)
    outer = r[..., :, None] * r[..., None, :]
    return identity + a * _cross(r) + b * (outer - squared * identity)


def axis_angle_from_matrix(matrix: Tensor) -> Tensor:
    """Turn rotation matrices (..., 3, 3) into axis-angle vectors (..., 3), angles in [0, pi].

    At pi itself an axis and its opposite mean the same, and either may come.
    """
    quaternion = quaternion_from_matrix(matrix)
    cosine, axis = quaternion[..., :1], quaternion[..., 1:]  # of half the angle; axis * sine
    squared = (axis * axis).sum(-1, keepdim=True)
    sine, small = _root(squared)
    whole = torch.where(small, cosine, torch.ones_like(cosine))  # it is 0 at pi, where near is idle
    tangent = squared / (whole * whole)
    near = 2 / whole * (1 - tangent / 3 + tangent * tangent / 5)
    return axis * torch.where(small, near, 2 * torch.atan2(sine, cosine) / sine)


def quaternion_from_matrix(matrix: Tensor) -> Tensor:
    """Turn rotation matrices (..., 3, 3) into unit quaternions (..., 4), w first and w >= 0.

    Four times the quaternion's outer product with itself is linear in the matrix, and each of its
    rows is a multiple of the quaternion: the one with the largest diagonal is the most exact.
    """
    rows = _outer(matrix)
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = torch.take_along_dim(rows, largest[..., None, None], -2).squeeze(-2)
    quaternion = functional.normalize(row, dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_from_six(x: Tensor) -> Tensor:
    """Turn six numbers (..., 6) into rotation matrices (..., 3, 3), as Zhou et al. (2019) do.

    The numbers are three rows of two: the even ones make the first column, the odd ones the second
    after what it has of the first is taken off, and the third is at right angles to both.
    """
    first, second = x[..., 0::2], x[..., 1::2]
    one = functional.normalize(first, dim=-1, eps=SHORTEST)
    rest = second - (one * second).sum(-1, keepdim=True) * one
    two = functional.normalize(rest, dim=-1, eps=SHORTEST)
    return torch.stack([one, two, torch.linalg.cross(one, two)], dim=-1)


def _root(squared: Tensor) -> tuple[Tensor, Tensor]:
    """Take a root whose gradient is finite; where the square is small, give 1 and say so."""
    small = squared < SMALL
    return torch.where(small, torch.ones_like(squared), squared).sqrt(), small


def _series(squared: Tensor, first: int, second: int, third: int) -> Tensor:
    return 1 / first - squared / second + squared * squared / third


def _cross(r: Tensor) -> Tensor:
    """Make of vectors (..., 3) the matrices (..., 3, 3) that take the cross product with them."""
    x, y, z = r.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    return rows.reshape(*r.shape, 3)


def _outer(matrix: Tensor) -> Tensor:
    """Make of matrices (..., 3, 3) four times the outer products (..., 4, 4) of quaternions."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in matrix.unbind(-2))
    rows = (
        (1 + a + e + i, h - f, c - g, d - b),
        (h - f, 1 + a - e - i, b + d, c + g),
        (c - g, b + d, 1 - a + e - i, f + h),
        (d - b, c + g, f + h, 1 - a - e + i),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
