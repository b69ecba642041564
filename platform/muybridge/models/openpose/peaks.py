"""Find the peaks of heat maps as if they were eight times as large, where there can be any.

OpenPose's authors enlarge every map by eight, bicubically, and look at each pixel. Here only the
cells of the small maps round which a pixel can exceed the threshold are enlarged. A pixel is a sum
of 4 x 4 cells with weights that sum to 1; those of the inner four are positive and sum to at most
``INNER``, those of the corners to ``CORNERS``, the others are negative. So it lies no further above
the lowest than these parts of what the highest of them do.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from muybridge.models.openpose.model import STRIDE
from muybridge.models.openpose.sampling import cubic_weights

MOST = 127  # peaks of a part
AROUND = 5  # cells a side that the pixels of one cell, and up to three more, are made of
NEAR = 3  # pixels to each side that refine a peak's place
INNER, CORNERS = 1.1875**2, 0.1875**2  # in the middle of four cells, where they are largest


def peaks(heat: Tensor, threshold: float, shift: float) -> Tensor:
    """Find peaks of maps (J, h, w) of joints: (N, 4) joint, x, y, height, by joint, row and column.

    x and y count pixels of the enlarged map from its first pixel's centre, and ``shift`` more. A
    peak is above the threshold and above its eight neighbours; one pixel from the border none may
    be above it, on the border there is none. Its place is the mean of the pixels around it.
    """
    joint, row, column = candidates(heat, threshold)
    windows = functional.pad(heat, (2, 2, 2, 2), mode="replicate").unfold(1, AROUND, 1)
    cells = windows.unfold(2, AROUND, 1)[joint, row, column].flatten(1)  # (C, 25)
    corner = torch.stack([row, column], 1) * STRIDE
    which, place = summits(enlarged(cells, 1), corner, heat.shape, threshold)
    pixel = corner[which] + place
    order = ranked(joint[which], pixel, heat.shape)
    which, place, pixel = which[order], place[order], pixel[order]
    around = enlarged(cells[which], NEAR)
    yx = refined(around, place, pixel, heat.shape) + shift
    score = around[torch.arange(len(which)), place[:, 0] + NEAR, place[:, 1] + NEAR]
    return torch.cat([joint[which, None].float(), yx.flip(1), score[:, None]], 1)


def candidates(heat: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """List the cells (C) of maps (J, h, w) in which a pixel can be above the threshold."""
    inner = functional.max_pool2d(heat, 3, 1, 1)
    high = functional.max_pool2d(inner, 3, 1, 1)
    low = -functional.max_pool2d(-heat, AROUND, 1, AROUND // 2)
    most = low + INNER * (inner - low) + CORNERS * (high - low)
    joint, row, column = (most > threshold).nonzero(as_tuple=True)
    return joint, row, column


@cache
def _enlarging(margin: int) -> Tensor:
    """Make the matrix from 5 cells to the pixels of the middle one and ``margin`` to each side."""
    at = (torch.arange(-margin, STRIDE + margin).double() + 0.5) / STRIDE - 0.5
    first = at.floor()
    weights = torch.zeros(len(at), AROUND, dtype=torch.float64)
    index = first.long()[:, None] + torch.arange(1, 5)  # the middle cell is the third
    weights.scatter_(1, index, cubic_weights(at - first))
    return torch.kron(weights, weights).float()


def enlarged(cells: Tensor, margin: int) -> Tensor:
    """Enlarge windows of cells (C, 25): the middle's pixels and a margin, (C, 8 + 2m, 8 + 2m)."""
    side = STRIDE + 2 * margin
    return (cells @ _enlarging(margin).to(cells.device).T).view(-1, side, side)


def summits(
    blocks: Tensor, corner: Tensor, shape: torch.Size, threshold: float
) -> tuple[Tensor, Tensor]:
    """Find the peaks in blocks (C, 10, 10) of pixels whose inner corners lie at (C, 2) row, column.

    Gives for each its block (N,) and its row and column in it (N, 2).
    """
    _, height, width = shape
    limit = torch.tensor([height, width], device=blocks.device) * STRIDE
    rim = ((corner == 0) | (corner == limit - STRIDE)).any(1).nonzero()[:, 0]
    beyond = outside(corner[rim], 1, limit)
    blocks[rim] = blocks[rim].masked_fill(beyond, -torch.inf)
    wide = torch.maximum(torch.maximum(blocks[:, :-2], blocks[:, 1:-1]), blocks[:, 2:])
    top = torch.maximum(torch.maximum(wide[..., :-2], wide[..., 1:-1]), wide[..., 2:])
    middle = blocks[:, 1:-1, 1:-1]
    which, y, x = ((middle >= top) & (middle > threshold)).nonzero(as_tuple=True)
    place = torch.stack([y, x], 1)
    around = blocks.unfold(1, 3, 1).unfold(2, 3, 1)[which, y, x]
    alone = (around >= middle[which, y, x, None, None]).sum((1, 2)) == 1
    pixel = corner[which] + place
    inside = ((pixel >= 2) & (pixel < limit - 2)).all(1)
    second = ((pixel == 1) | (pixel == limit - 2)).any(1)
    kept = torch.where(inside, alone, second)
    return which[kept], place[kept]


def outside(corner: Tensor, margin: int, limit: Tensor) -> Tensor:
    """Mark the pixels (N, S, S) of blocks that lie beyond the picture's sides ``limit`` (2,)."""
    at = corner[..., None] + torch.arange(-margin, STRIDE + margin, device=corner.device)
    beyond = (at < 0) | (at >= limit[:, None])
    return beyond[:, 0, :, None] | beyond[:, 1, None, :]


def ranked(joint: Tensor, pixel: Tensor, shape: torch.Size) -> Tensor:
    """Order peaks by joint, row and column, and leave out those of a joint that are too many."""
    joints, height, width = shape
    order = ((joint * height * STRIDE + pixel[:, 0]) * width * STRIDE + pixel[:, 1]).argsort()
    count = torch.bincount(joint, minlength=joints)
    rank = torch.arange(len(joint), device=joint.device) - (count.cumsum(0) - count)[joint[order]]
    return order[rank < MOST]


def refined(around: Tensor, place: Tensor, pixel: Tensor, shape: torch.Size) -> Tensor:
    """Average the places of the pixels round peaks (N, 2), by their heat above 0: (N, 2) y, x.

    ``around`` (N, 14, 14) are the pixels of a peak's cell and three to each side.
    """
    _, height, width = shape
    limit = torch.tensor([height, width], device=pixel.device) * STRIDE
    number = torch.arange(len(place), device=place.device)
    side = 2 * NEAR + 1
    heat = around.unfold(1, side, 1).unfold(2, side, 1)[number, place[:, 0], place[:, 1]].clamp(0)
    step = torch.arange(-NEAR, NEAR + 1, device=pixel.device)
    at = pixel[..., None] + step
    within = ((at >= 0) & (at < limit[:, None])).float()
    heat = heat * within[:, 0, :, None] * within[:, 1, None, :]
    moved = torch.stack([heat.sum(2) @ step.float(), heat.sum(1) @ step.float()], 1)
    return pixel + moved / heat.sum((1, 2))[:, None]
