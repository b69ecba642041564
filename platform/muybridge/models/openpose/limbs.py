"""Rate pairs of peaks by the affinity field between them.

OpenPose's authors enlarge every field by eight and sample it along the line. Here the field is
read, just as enlarged, at the samples alone; and a pair that already fails at three of them is not
looked at further.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from muybridge.models.openpose.bodies import Body
from muybridge.models.openpose.model import STRIDE
from muybridge.models.openpose.sampling import cubic_weights

FEWEST, MOST = 5, 25  # samples of a pair
AT_ONCE = 1 << 15  # pairs, for their samples take memory
TOUCHING = 150  # pairs nearer than this part of the picture's mean side need no field ...
TOUCH = 0.050001  # ... and get this score


@dataclass(frozen=True)
class Pairs:
    """Hold N pairs: ``limb`` and the numbers of both peaks, int64 (N,), and ``score`` (N,)."""

    limb: Tensor
    first: Tensor
    second: Tensor
    score: Tensor


def pairs(fields: Tensor, peaks: Tensor, body: Body, above: float, share: float) -> Pairs:
    """Rate all pairs of peaks (N, 4) that may be limbs by fields (2 L, h, w); keep scores above 0.

    A sample counts whose field along the line is above ``above``; more than a ``share`` of a pair's
    samples must count. Its score is their mean.
    """
    limb, first, second = possible(peaks[:, 0].long(), body)
    scores = [
        _rated(fields, peaks, body, (limb[part], first[part], second[part]), above, share)
        for part in torch.split(torch.arange(len(limb), device=limb.device), AT_ONCE)
    ]
    score = torch.cat([fields.new_empty(0), *scores])
    kept = score.nonzero()[:, 0]
    return Pairs(limb[kept], first[kept], second[kept], score[kept])


def possible(joint: Tensor, body: Body) -> tuple[Tensor, Tensor, Tensor]:
    """List limb, first and second peak of all pairs, of peaks ordered by their joint (N,)."""
    count = torch.bincount(joint, minlength=body.joints)
    start = count.cumsum(0) - count
    one, other = torch.tensor(body.pairs, device=joint.device).T
    number = count[one] * count[other]
    limb = torch.repeat_interleave(number)
    at = torch.arange(len(limb), device=joint.device) - (number.cumsum(0) - number)[limb]
    across = count[other][limb]
    return limb, start[one][limb] + at // across, start[other][limb] + at % across


def _rated(
    fields: Tensor,
    peaks: Tensor,
    body: Body,
    pair: tuple[Tensor, Tensor, Tensor],
    above: float,
    share: float,
) -> Tensor:
    """Score pairs (N,): 0 for those that are no limb."""
    limb, first, second = pair
    start = peaks[first, 1:3]
    step = peaks[second, 1:3] - start
    length = step.norm(dim=1)
    samples = (5 * step.abs().amax(1)).sqrt().add(0.5).floor().clamp(FEWEST, MOST)
    channel = torch.tensor(body.fields, device=limb.device)[limb]
    size = STRIDE**2 * fields.shape[1] * fields.shape[2]
    touching = length < size**0.5 / TOUCHING
    allowed = (1 - share) * samples  # of samples that do not count; so many are too many

    def along(which: Tensor, at: Tensor) -> Tensor:
        """Read the field along pairs (M,) at samples (M, K): (M, K)."""
        ahead = at[..., None] / samples[which, None, None] * step[which, None]
        unit = step[which] / length[which, None]
        read = sampled(fields, channel[which], start[which, None] + ahead)
        return (read @ unit[..., None])[..., 0]

    score = torch.zeros_like(length)
    apart = (length > 1e-6).nonzero()[:, 0]
    early = (samples[apart, None] * samples.new_tensor([0.25, 0.5, 0.75])).floor()
    missed = (along(apart, early) <= above).sum(1)
    left = apart[(missed < allowed[apart] + 1e-3) | touching[apart]]
    order = torch.arange(MOST, device=limb.device)
    used = order < samples[left, None]
    value = along(left, order.expand(len(left), -1).float())
    counts = (value > above) & used
    number = counts.sum(1)
    mean = (value * counts).sum(1) / number.clamp(1)
    good = number / samples[left] > share
    score[left] = torch.where(good, mean, touching[left] * TOUCH)
    return score.where(score > 1e-6, 0)


def sampled(fields: Tensor, channel: Tensor, points: Tensor) -> Tensor:
    """Read enlarged fields (C, h, w) at the pixels nearest to points (N, K, 2) x, y: (N, K, 2).

    A point's values are those of its ``channel`` (N,) and of the next one.
    """
    _, height, width = fields.shape
    limit = torch.tensor([width, height], device=fields.device) * STRIDE - 1
    pixel = torch.minimum((points + 0.5).long().clamp(0), limit)
    before = pixel + STRIDE // 2
    cell = before // STRIDE  # of the first of four, counted in padded maps
    past = (torch.arange(STRIDE).double() + 0.5) / STRIDE
    weights = cubic_weights(past).float().to(fields.device)[before % STRIDE]  # (N, K, 2, 4)
    windows = functional.pad(fields, (2, 2, 2, 2), mode="replicate").unfold(1, 4, 1).unfold(2, 4, 1)
    both = torch.stack([channel, channel + 1], 1)[:, None]
    x, y = cell[..., 0, None], cell[..., 1, None]
    values = windows[both, y, x]  # (N, K, 2, 4, 4)
    across = (values @ weights[:, :, None, 0, :, None])[..., 0]
    return (across @ weights[:, :, 1, :, None])[..., 0]
