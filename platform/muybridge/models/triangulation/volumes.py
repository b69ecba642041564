"""Maps of several views brought together in a cube of cells, and points found in it.

Letters: V views, C channels, n cells along each edge of the cube, whose axes are (x, y, z) in this
order; h, w are the maps'. Lengths are in metres. Places in maps are in cells, the first one's
centre is 0.

A cube has C n³ numbers and its views V times as many. They are never held all at once: cells are
filled a slab at a time, all views of it, so that the memory does not grow with the views.

**Two slips.** The authors divide a place's x by the map's height and y by its width, and stretch
maps of w cells over w cells where they lie over w - 1. The first matters only where maps are not
square. The second moves what is seen by up to a cell, and the published volumetric weights were
taught so: under ``parity`` both are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Aggregation = Literal["sum", "max", "softmax", "conf", "conf_norm"]

# numbers of all views' cells held at a time: so that they stay near the core, or many are at work
AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 25}

# Each takes cells (V, C, cells) and how far views' channels are to be trusted (V, C, 1).
AGGREGATIONS: Mapping[Aggregation, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": lambda cells, trust: cells.sum(0),
    "max": lambda cells, trust: cells.amax(0),
    "softmax": lambda cells, trust: (cells.softmax(0) * cells).sum(0),
    "conf": lambda cells, trust: (cells * trust).sum(0),
    "conf_norm": lambda cells, trust: (cells * (trust / trust.sum(0))).sum(0),
}


def cube(centre: Tensor, axes: Tensor, side: float, cells: int) -> Tensor:
    """Place the cells (n, n, n, 3) of a cube about a point (3,), in the world.

    ``axes`` (3, 3) has in its columns where the cube's x, y and z point; z is to be upright.
    """
    steps = torch.arange(cells).to(centre) * (side / (cells - 1)) - side / 2
    offsets = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1)
    return offsets @ axes.T + centre


def turned(angle: float) -> Tensor:
    """Give the axes (3, 3) of a cube turned about z by an angle in radians, from x towards y."""
    cosine, sine = torch.tensor(angle).cos(), torch.tensor(angle).sin()
    zero, one = torch.zeros(()), torch.ones(())
    rows = ([cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one])
    return torch.stack([torch.stack(row) for row in rows])


def filled(
    maps: Tensor,
    projections: Tensor,
    cells: Tensor,
    aggregation: Aggregation,
    trust: Tensor | None = None,
    parity: bool = True,
) -> Tensor:
    """Bring maps (V, C, h, w) together in cells (n, n, n, 3): (C, n, n, n).

    ``projections`` (V, 3, 4) take metres to cells of the maps; a view says 0 of what is behind it
    or outside its map. ``trust`` (V, C) is for the aggregations by confidence.
    """
    views, channels, *_ = maps.shape
    weights = maps.new_ones(views, channels, 1) if trust is None else trust[..., None]
    size = max(AT_ONCE[maps.device.type] // (views * channels), 1)
    parts = [
        AGGREGATIONS[aggregation](unprojected(maps, projections, part, parity), weights)
        for part in torch.split(cells.reshape(-1, 3), size)
    ]
    return torch.cat(parts, -1).view(channels, *cells.shape[:-1])


def unprojected(maps: Tensor, projections: Tensor, points: Tensor, parity: bool = True) -> Tensor:
    """Say what maps (V, C, h, w) show at points (M, 3): (V, C, M)."""
    height, width = maps.shape[-2:]
    seen = points @ projections[:, :, :3].transpose(1, 2) + projections[:, None, :, 3]  # (V, M, 3)
    depth = seen[..., 2:]
    places = seen[..., :2] / torch.where(depth == 0, 1, depth)
    size = places.new_tensor([height, width] if parity else [width - 1, height - 1])
    grid = (places / size * 2 - 1)[:, :, None]
    shown = functional.grid_sample(maps, grid, align_corners=True)[..., 0]
    return shown * (depth > 0).transpose(1, 2)


def expected(volumes: Tensor, cells: Tensor) -> Tensor:
    """Sum cells (n, n, n, 3) by how much volumes (J, n, n, n) have of them: points (J, 3)."""
    return volumes.flatten(1) @ cells.reshape(-1, 3)


def spread(logits: Tensor) -> Tensor:
    """Make of logits (J, n, n, n) how likely a joint is in each cell; they add up to 1."""
    return logits.flatten(1).softmax(1).view_as(logits)
