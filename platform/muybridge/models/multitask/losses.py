"""The losses SPNet is trained by: where joints are, how visible they are, and what is done.

Luvizon et al. 2020, section 4: each prediction block is asked for all joints and each action block
for the action, so that both get better block by block. A joint's miss counts by its size and its
square; cross entropy, of little weight, keeps gradients where both are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

UNKNOWN = -1  # the class of a clip of which nobody said what is done


@dataclass(frozen=True)
class Weights:
    """Weigh the losses; the defaults are the authors'."""

    pose: float = 1.0
    cross: float = 0.01
    visible: float = 0.01
    action: float = 0.01


@dataclass(frozen=True)
class Labels:
    """Hold what is known of M clips of T frames.

    ``joints`` (M, T, J, D + 1) are from 0 to 1 over the picture, as the network has them, the last
    being 1 where a joint is seen, else 0; a coordinate that is not known is NaN. ``actions`` (M, h)
    are a class for each of the network's heads, or ``UNKNOWN``.
    """

    joints: Tensor
    actions: Tensor


def losses(
    poses: Sequence[Tensor],
    scores: Sequence[Sequence[Tensor]],
    labels: Labels,
    weights: Weights = Weights(),
) -> dict[str, Tensor]:
    """Compare all blocks to what is known, as ``Spnet`` returns them, weighed and averaged."""
    told = [block for heads in scores for block in zip(heads, labels.actions.T, strict=True)]
    return {
        "pose": mean([pose_loss(pose, labels.joints, weights) for pose in poses]),
        "visible": mean([visible_loss(pose, labels.joints, weights) for pose in poses]),
        "action": mean([action_loss(found, wanted, weights) for found, wanted in told]),
    }


def pose_loss(pose: Tensor, wanted: Tensor, weights: Weights = Weights()) -> Tensor:
    """Say how far joints that are seen are off: a sum over coordinates, a mean over joints."""
    seen = wanted[..., -1:] > 0
    known = seen & wanted[..., :-1].isfinite()
    found, true = pose[..., :-1][known], wanted[..., :-1][known]
    off = found - true
    cross = functional.binary_cross_entropy(inside(found), true.clamp(0, 1), reduction="sum")
    miss = weights.pose * (off.abs() + off**2).sum() + weights.cross * cross
    return miss / max(int(known.any(-1).sum()), 1)


def visible_loss(pose: Tensor, wanted: Tensor, weights: Weights = Weights()) -> Tensor:
    """Say how wrong it is about which joints are seen."""
    seen = inside(pose[..., -1])
    return weights.visible * functional.binary_cross_entropy(seen, wanted[..., -1])


def action_loss(found: Tensor, wanted: Tensor, weights: Weights = Weights()) -> Tensor:
    """Say how wrong scores (M, A) before the softmax are about classes (M,) that are known."""
    known = int((wanted != UNKNOWN).sum())
    total = functional.cross_entropy(found, wanted, ignore_index=UNKNOWN, reduction="sum")
    return weights.action * total / max(known, 1)


def inside(values: Tensor) -> Tensor:
    """Keep values within 0 and 1, where cross entropy is finite; rounding leads out."""
    return values.clamp(1e-6, 1 - 1e-6)


def mean(parts: Sequence[Tensor]) -> Tensor:
    """Average over blocks."""
    return torch.stack(list(parts)).mean()
