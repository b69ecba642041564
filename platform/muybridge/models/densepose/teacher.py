"""Fill in what was not annotated: a teacher learns from the points and says what lies between.

As in Güler et al., "DensePose" (2018), section 3.3: people were annotated at about a hundred points
only, which is thin supervision for a network that speaks of every pixel. A fully convolutional
teacher has it easier than the network that is to be taught: it sees one person at a fixed size,
and the parts drawn by hand as well. It is trained on the points alone, then asked about every cell
of the drawn body; its answers join the annotations, which are kept where they exist.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from muybridge.checkpoints import Layout, filled, read
from muybridge.models.densepose.annotations import DRAWN, SQUARE, Person
from muybridge.models.densepose.losses import (
    S1X,
    Targets,
    Weights,
    drawn,
    point_losses,
    sampled,
    sampling,
    targets,
)
from muybridge.models.densepose.surface import PARTS, Charts, twice

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Config:
    """Describe a teacher: the side of its square crops in pixels, and its channels."""

    side: int = 128
    width: int = 64


class Teacher(nn.Module):
    """Read the surface of people whose parts are known: crops (N, 18, S, S) to charts as large.

    The channels are red, green, blue, and one for each drawn part and the background (``crops``).
    The charts have no coarse map and no confidences.
    """

    def __init__(self, config: Config = Config()) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.near = nn.Sequential(_layer(3 + 1 + DRAWN, width), _layer(width, width))
        self.middle = nn.Sequential(_layer(width, 2 * width, 2), _layer(2 * width, 2 * width))
        self.far = nn.Sequential(
            _layer(2 * width, 4 * width, 2),
            *(_layer(4 * width, 4 * width, rate=rate) for rate in (1, 2, 4, 8)),
        )
        self.join = _layer(6 * width, 2 * width)
        self.last = _layer(3 * width, width)
        self.charts = nn.Conv2d(width, 3 * PARTS, 1)

    def forward(self, crops: Tensor) -> Charts:
        near = self.near(crops)
        middle = self.middle(near)
        wide = twice(self.far(middle))
        wide = twice(self.join(torch.cat([wide, middle], dim=1)))
        found = self.charts(self.last(torch.cat([wide, near], dim=1)))
        nothing = found.new_empty(0)
        fine, u, v = found.unflatten(1, (3, PARTS)).unbind(1)
        return Charts(nothing, fine, u, v, nothing, nothing, nothing)


def taught(path: Path) -> Teacher:
    """Read a trained teacher; CheckpointError if the file is of something else."""
    teacher = filled(read(path), Layout(Teacher, ()))
    assert isinstance(teacher, Teacher)
    return teacher


class Lessons(nn.Module):
    """Teach a teacher: pictures and their people in, losses at the annotated points out.

    Crops are moved and stretched by up to ``move`` of their size and relit each time.
    """

    def __init__(self, teacher: Teacher, weights: Weights = S1X, move: float = 0.15) -> None:
        super().__init__()
        self.teacher = teacher
        self.weights = weights
        self.move = move

    def forward(self, examples: Sequence[tuple[Picture, Sequence[Person]]]) -> dict[str, Tensor]:
        """Return the losses of RGB pictures (H, W, 3) and the people in each."""
        device = next(self.parameters()).device
        everybody = [person for _, people in examples for person in people]
        known = targets(everybody, truth := boxes(everybody), moved(truth, self.move))
        seen = crops(
            [(relit(picture), people) for picture, people in examples],
            known,
            self.teacher.config.side,
        )
        known = replace(known, **{name: value.to(device) for name, value in vars(known).items()})
        return point_losses(self.teacher(seen.to(device)), known, self.weights)


def boxes(people: Sequence[Person]) -> Tensor:
    """Gather people's boxes (N, 4)."""
    return torch.from_numpy(np.array([person.box for person in people]).reshape(-1, 4))


def moved(truth: Tensor, most: float) -> Tensor:
    """Move each side of boxes (N, 4) at random, by at most a part of the box's size."""
    size = (truth[:, 2:] - truth[:, :2]).repeat(1, 2)
    return truth + most * (2 * torch.rand_like(truth) - 1) * size


def relit(picture: Picture) -> Picture:
    """Make each colour of a picture (H, W, 3) weaker or stronger, as other light would."""
    gain = 0.7 + 0.6 * torch.rand(3).numpy()
    return np.clip(picture * gain, 0, 255).astype(np.uint8)


def crops(
    examples: Sequence[tuple[Picture, Sequence[Person]]], known: Targets, side: int
) -> Tensor:
    """Stretch what is in everybody's box of ``known`` to squares: (N, 18, S, S).

    The colours are -1 to 1, the other channels 1 where a part is drawn.
    """
    people = [image for picture, people in examples for image in [picture] * len(people)]
    shown = [_stretched(image, box, side) for image, box in zip(people, known.boxes, strict=True)]
    colours = torch.stack(shown) if shown else torch.zeros(0, 3, side, side)
    parts = F.one_hot(drawn(known, side), 1 + DRAWN).permute(0, 3, 1, 2)
    return torch.cat([colours, parts.float()], dim=1)


@torch.inference_mode()
def inpainted(
    teacher: Teacher, picture: Picture, people: Sequence[Person], spacing: int = 4
) -> list[Person]:
    """Give people of an RGB picture points all over the body that was drawn by hand.

    The points lie ``spacing`` cells of the 256 apart. An annotated point stays, and takes the place
    of what the teacher says of its neighbourhood.
    """
    if not people:
        return []
    device = next(teacher.parameters()).device
    empty = [grid(person, spacing) for person in people]
    known = targets(empty, truth := boxes(people), truth)
    charts = teacher(crops([(picture, people)], known, teacher.config.side).to(device))
    charts = replace(charts, **{name: maps.cpu() for name, maps in vars(charts).items()})
    points = sampling(known, teacher.config.side)
    part = sampled(charts.fine, known.box, points)[:, 1:].argmax(dim=1) + 1
    u, v = (
        sampled(maps, known.box, points).gather(1, part[:, None])[:, 0].clamp(0, 1)
        for maps in (charts.u, charts.v)
    )
    ends = np.cumsum([len(person.x) for person in empty])[:-1]
    said = zip(*(np.split(value.cpu().numpy(), ends) for value in (part, u, v)), strict=True)
    return [
        joined(person, replace(bare, part=part, u=u, v=v))
        for person, bare, (part, u, v) in zip(people, empty, said, strict=True)
    ]


def grid(person: Person, spacing: int) -> Person:
    """Take the annotated points away; put points in a grid on the drawn body, of nothing known."""
    at = np.arange(spacing // 2, SQUARE, spacing)
    y, x = (at[index] for index in np.nonzero(person.drawn[np.ix_(at, at)]))
    beside = np.abs(np.stack([x, y], 1)[:, None] - np.stack([person.x, person.y], 1)[None])
    free = ~(beside.max(axis=2) <= spacing / 2).any(axis=1)
    nothing = np.zeros(int(free.sum()), np.float32)
    place = {"x": x[free].astype(np.float32), "y": y[free].astype(np.float32)}
    return replace(person, **place, part=nothing.astype(np.int64), u=nothing, v=nothing)


def joined(person: Person, more: Person) -> Person:
    """Add the points of ``more`` to those of a person."""
    names = ("x", "y", "part", "u", "v")
    return replace(
        person, **{n: np.concatenate([getattr(person, n), getattr(more, n)]) for n in names}
    )


def _stretched(picture: Picture, box: Tensor, side: int) -> Tensor:
    """Stretch a box (4,) of a picture to a square: (3, S, S) from -1 to 1, black outside."""
    left, top, right, bottom = box.tolist()
    x, y = math.floor(left), math.floor(top)
    piece = Image.fromarray(picture).crop((x, y, math.ceil(right), math.ceil(bottom)))
    inside = (left - x, top - y, right - x, bottom - y)
    shown = piece.resize((side, side), Image.Resampling.BILINEAR, inside)
    return torch.from_numpy(np.array(shown, np.float32)).permute(2, 0, 1) / 127.5 - 1


def _layer(inputs: int, outputs: int, stride: int = 1, rate: int = 1) -> nn.Sequential:
    """Make a 3x3 convolution, norm over groups of channels, and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=rate, dilation=rate, bias=False),
        nn.GroupNorm(8, outputs),
        nn.ReLU(inplace=True),
    )
