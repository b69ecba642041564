"""Read pictures and maps between their samples.

Positions count samples from the first one's centre: 0 is the first, 0.5 midway to the second. Cubic
means Keys' kernel with a = -0.75, as OpenPose's authors resize.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SHARPNESS = -0.75


@dataclass(frozen=True)
class Taps:
    """Say which samples of an axis make each of N values: ``index`` (N, K), ``weight`` (N, K)."""

    index: Tensor
    weight: Tensor

    def within(self, size: int) -> Taps:
        """Let samples beyond an axis of this size be 0; else its ends repeat."""
        beyond = (self.index < 0) | (self.index >= size)
        return Taps(self.index, self.weight.masked_fill(beyond, 0))

    def to(self, device: torch.device) -> Taps:
        """Move to where the values are; positions are made on the CPU, MPS has no float64."""
        return Taps(self.index.to(device), self.weight.to(device))


def cubic_weights(past: Tensor) -> Tensor:
    """Weigh the four samples around positions ``past`` (N,) the second, 0 to 1: (N, 4)."""
    a, near = SHARPNESS, torch.stack([past, 1 - past], -1)
    far = near + 1
    inner = ((a + 2) * near - (a + 3)) * near * near + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return torch.stack([outer[..., 0], inner[..., 0], inner[..., 1], outer[..., 1]], -1)


def cubic(at: Tensor) -> Taps:
    """Read at positions (N,) float64, on the CPU, by a cubic curve through four samples."""
    first = at.floor()
    index = first.long()[:, None] + torch.arange(-1, 3)
    return Taps(index, cubic_weights(at - first).float())


def linear(at: Tensor) -> Taps:
    """Read at positions (N,) float64, on the CPU, on the straight line between two samples."""
    first = at.floor()
    index = first.long()[:, None] + torch.arange(2)
    past = (at - first).float()
    return Taps(index, torch.stack([1 - past, past], -1))


def along(values: Tensor, axis: int, taps: Taps) -> Tensor:
    """Read along one axis: it gets N long."""
    shape = [1] * values.dim()
    shape[axis] = -1
    index = taps.index.clamp(0, values.shape[axis] - 1)
    weights = taps.weight.view(*shape, taps.weight.shape[1]).unbind(-1)
    first, *rest = (
        values.index_select(axis, index[:, k]) * weight for k, weight in enumerate(weights)
    )
    for part in rest:
        first += part
    return first


def resampled(values: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Read maps (..., H, W) at rows (N) and columns (M): (..., N, M)."""
    return along(along(values, values.dim() - 2, rows), values.dim() - 1, columns)
