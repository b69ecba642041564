"""Teach a DensePose network the surface of annotated people.

What is learnt is the surface: the decoder, the head and the predictor, and the backbone if asked.
The people are taken from the annotations, their boxes moved a little as a detector would; the
network's own detector is left as it is. A teacher, where there is one, fills in what was not
annotated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from muybridge.checkpoints import Layout, Tensors, renamed
from muybridge.models.densepose.annotations import Annotated, Person, person
from muybridge.models.densepose.losses import S1X, Weights, learnable, losses, targets
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.preprocess import Batch, batch
from muybridge.models.densepose.teacher import Teacher, inpainted, moved, relit

Picture = NDArray[np.uint8]
Example = tuple[Picture, Sequence[Person]]  # RGB (H, W, 3), and who is annotated in it

UNREADABLE = (OSError, ValueError, Image.DecompressionBombError)
DETECTOR = ("region_head", "person_head")
SURFACE = ("decoder", "head", "predictor")


@dataclass(frozen=True)
class Config:
    """Say how to teach.

    ``backbone`` is whether it learns too; ``move`` by how much of its size a box is moved and
    stretched at most; ``points`` how many of a person's points are learnt from at a time, drawn
    anew each time, so that a person with many does not outweigh one with few.
    """

    weights: Weights = S1X
    backbone: bool = True
    move: float = 0.1
    points: int = 200


class Lessons(nn.Module):
    """Teach a network: pictures and their people in, losses out."""

    def __init__(
        self, network: DensePose, config: Config = Config(), teacher: Teacher | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.teacher = None if teacher is None else teacher.requires_grad_(False)
        left_out = (*DETECTOR, *(() if config.backbone else ("backbone",)))
        for name, module in network.named_children():
            module.requires_grad_(name not in left_out)

    def forward(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return the losses of pictures, one or more, and the people in each."""
        network = self.network
        if self.teacher is not None:
            examples = [(p, inpainted(self.teacher, p, people)) for p, people in examples]
        given = batch([relit(picture) for picture, _ in examples], network.config)
        device = next(network.parameters()).device
        people = [person for _, annotated in examples for person in annotated]
        truth = boxes(given, examples).to(device)
        near = moved(truth, self.config.move)
        counts = [len(annotated) for _, annotated in examples]
        near = torch.where(learnable(near, truth, people)[:, None], near, truth)
        with torch.set_grad_enabled(self.config.backbone and torch.is_grad_enabled()):
            maps = network.features(given.pixels.to(device))
        charts = network.read(maps, torch.split(near, counts))
        some = [drawn_points(person, self.config.points) for person in people]
        return losses(charts, targets(some, truth, near), self.config.weights)


def rows(content: Annotated, folder: Path) -> list[dict[str, Any]]:
    """Name each annotated picture's file in a folder, with its people: what ``example`` reads."""
    return [{"path": folder / p.file, "people": p.people} for p in content.pictures]


def example(row: Mapping[str, Any]) -> Example | None:
    """Read a picture and its people; None if the picture cannot be read."""
    try:
        with Image.open(row["path"]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except UNREADABLE:
        return None
    return pixels, [person(record) for record in row["people"]]


def forget(network: nn.Module) -> None:
    """Draw a network's decoder, head and predictor anew."""
    for name, module in network.named_children():
        if name in SURFACE:
            drawn_anew(module)


def drawn_anew(module: nn.Module) -> None:
    """Draw the weights of convolutions as He et al. (2015) do before ReLUs."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def authors(tensors: Tensors, layout: Layout) -> Tensors:
    """Give a trained network's tensors their authors' names, as its published file has them."""
    table = tuple((ours, theirs) for theirs, ours in layout.table)
    return renamed(tensors, Layout(layout.network, table))


def boxes(given: Batch, examples: Sequence[Example]) -> Tensor:
    """Bring everybody's annotated box into the network's pixels: (N, 4)."""
    scaled = [
        person.box * np.array([width / old_width, height / old_height] * 2, np.float32)
        for (_, people), (height, width), (old_height, old_width) in zip(
            examples, given.sizes, given.originals, strict=True
        )
        for person in people
    ]
    return torch.from_numpy(np.array(scaled, np.float32).reshape(-1, 4))


def drawn_points(person: Person, most: int) -> Person:
    """Keep ``most`` of a person's points, drawn at random; all if there are no more."""
    if len(person.x) <= most:
        return person
    kept = torch.randperm(len(person.x))[:most].numpy()
    names = ("x", "y", "part", "u", "v")
    return replace(person, **{name: getattr(person, name)[kept] for name in names})
