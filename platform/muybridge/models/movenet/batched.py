"""MoveNet in torch, on a GPU: frames and people go through the networks and their maps together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from muybridge.models.movenet import checkpoint
from muybridge.models.movenet.config import CONFIGS, JOINTS, STRIDE
from muybridge.models.movenet.model import MoveNet
from muybridge.models.movenet.postprocess import REACH, SOFT, Array, People
from muybridge.models.movenet.preprocess import Picture

FRAMES = 16  # inputs that go through MultiPose together
PEOPLE = 64  # squares that go through the pose model together, or people decoded together


class Torch:
    """Hold MultiPose and one network that reads a single person: ``thunder`` or ``lightning``."""

    def __init__(self, reader: str, device: str, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = device, dtype
        self.side = CONFIGS[reader].side
        self.finder, self.reader = (self._load(name) for name in ("multipose", reader))

    def _load(self, name: str) -> MoveNet:
        network = MoveNet(checkpoint.layers(name)).eval().requires_grad_(False)
        return network.to(self.device, self.dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def find(self, pictures: Sequence[Picture], threshold: float) -> list[People]:
        """Find everybody in inputs (H, W, 3) whose centre scores ``threshold``, in their pixels."""
        found = dict[int, People]()
        for size in {one.shape for one in pictures}:
            rows = [at for at, one in enumerate(pictures) if one.shape == size]
            for first in range(0, len(rows), FRAMES):
                some = rows[first : first + FRAMES]
                maps = self.maps(self.finder, np.stack([pictures[at] for at in some]))
                found |= zip(some, people(maps, threshold), strict=True)
        return [found[at] for at in range(len(pictures))]

    @torch.inference_mode()
    def read(self, crops: Sequence[Picture], guides: Array) -> Array:
        """Read the person in squares, freely and by guides (N, 17, 2): joints (N, 2, 17, 3)."""
        parts = [np.empty((0, 2, JOINTS, 3), np.float32)]
        for first in range(0, len(crops), PEOPLE):
            some = slice(first, first + PEOPLE)
            maps = self.maps(self.reader, np.stack(crops[some]))
            guide = torch.tensor(guides[some], dtype=torch.float32, device=self.device)
            parts.append(one(maps, guide).cpu().numpy())
        return np.concatenate(parts)

    def maps(self, network: MoveNet, pictures: Picture) -> dict[str, Tensor]:
        """Draw the maps of inputs (N, H, W, 3): float32, (N, C, H / 4, W / 4)."""
        given = torch.tensor(pictures, device=self.device).permute(0, 3, 1, 2)
        drawn = network(given.to(self.dtype, memory_format=torch.channels_last))
        return {name: values.float() for name, values in drawn.items()}


def people(maps: dict[str, Tensor], threshold: float) -> list[People]:
    """Decode MultiPose's maps (N, C, H, W) as ``postprocess.people`` does."""
    centre = torch.sigmoid(maps["center"])
    summit = (centre == functional.max_pool2d(centre, 3, 1, 1)) & (centre >= threshold)
    picture, _, y, x = summit.nonzero().T
    at = torch.stack([y, x], 1).float()
    middle = at + maps["box_offset"][picture, :, y, x]
    half = maps["box_scale"][picture, :, y, x].clamp(min=0) / 2
    limit = torch.tensor(centre.shape[2:], device=centre.device)
    low, high = ((middle + sign * half).clamp(min=0).minimum(limit) for sign in (-1, 1))
    expected = at[:, None] + maps["kpt_regress"][picture, :, y, x].reshape(-1, JOINTS, 2)
    parts = [torch.empty((0, JOINTS, 3), device=centre.device)]
    for first in range(0, len(picture), PEOPLE):
        some = slice(first, first + PEOPLE)
        parts.append(_joints(maps, picture[some], low[some], high[some], expected[some]))
    box = torch.cat([low.flip(1), high.flip(1)], 1) * STRIDE
    score = centre[picture, 0, y, x]
    split = torch.bincount(picture, minlength=len(centre)).cpu().numpy().cumsum()[:-1]
    whole = (values.cpu().numpy() for values in (box, torch.cat(parts), score))
    return [People(*part) for part in zip(*(np.split(v, split) for v in whole), strict=True)]


def _joints(
    maps: dict[str, Tensor], picture: Tensor, low: Tensor, high: Tensor, expected: Tensor
) -> Tensor:
    """Find joints (P, 17, 3) within boxes, in cells, near those expected (P, 17, 2)."""
    heat = torch.sigmoid(maps["kpt_heatmap"])[picture]  # (P, 17, H, W)
    height, width = heat.shape[2:]
    y = torch.arange(height, device=heat.device)
    x = torch.arange(width, device=heat.device)
    low = low.ceil().minimum(torch.tensor([height - 1, width - 1], device=heat.device))
    high = high.ceil().maximum(low + 1)
    rows = (y >= low[:, :1]) & (y < high[:, :1])
    columns = (x >= low[:, 1:]) & (x < high[:, 1:])
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    away = (y[:, None] - expected[..., 0, None, None]) ** 2 + (
        x - expected[..., 1, None, None]
    ) ** 2
    near = heat * torch.exp(-away / (REACH * min(height, width))) * inside
    score, best = near.flatten(2).max(2)
    return torch.cat([_place(maps, picture, best, width), score[..., None]], 2)


def _place(maps: dict[str, Tensor], picture: Tensor, best: Tensor, width: int) -> Tensor:
    """Turn cells ``best`` (P, 17) of joints' maps into places (P, 17, 2: x, y) in input pixels."""
    row, column = best // width, best % width
    offset = maps["kpt_offset"].reshape(
        len(maps["kpt_offset"]), JOINTS, 2, *maps["kpt_offset"].shape[2:]
    )
    joint = torch.arange(JOINTS, device=best.device)
    moved = offset[picture[:, None], joint, :, row, column]  # (P, 17, 2)
    return torch.stack([column + moved[..., 1], row + moved[..., 0]], 2) * STRIDE


def one(maps: dict[str, Tensor], guides: Tensor) -> Tensor:
    """Decode maps (N, C, H, W) of one person each as ``postprocess.one`` does: (N, 2, 17, 3)."""
    centre = torch.sigmoid(maps["center"])[:, 0]
    number, height, width = centre.shape
    y = torch.arange(height, device=centre.device)[:, None]
    x = torch.arange(width, device=centre.device)
    near = centre / (torch.hypot((y - height // 2).float(), (x - width // 2).float()) + SOFT)
    best = near.flatten(1).argmax(1)
    picture = torch.arange(number, device=centre.device)
    at = torch.stack([best // width, best % width], 1)
    regress = maps["kpt_regress"][picture, :, at[:, 0], at[:, 1]].reshape(-1, JOINTS, 2)
    heat = torch.sigmoid(maps["kpt_heatmap"])
    read = []
    for expected in (at[:, None] + regress, guides.flip(2) / STRIDE):
        away = torch.hypot(y - expected[..., 0, None, None], x - expected[..., 1, None, None])
        cell = (heat / (away + SOFT)).flatten(2).argmax(2)
        score = heat.flatten(2).gather(2, cell[..., None])
        read.append(torch.cat([_place(maps, picture, cell, width), score], 2))
    return torch.stack(read, 1)
