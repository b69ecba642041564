"""From pictures to people and their surface, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.models.densepose.detector import People
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.postprocess import Surface, surfaces, to_size
from muybridge.models.densepose.preprocess import Batch, Picture, batch
from muybridge.models.densepose.surface import Charts

Precision = Literal["float32", "bfloat16"]
Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """Hold the people of a picture: boxes (N, 4) in its pixels and scores (N,), best first."""

    boxes: Boxes
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """Hold the people of a picture and the surface of each."""

    boxes: Boxes
    scores: NDArray[np.float32]
    surfaces: list[Surface]


class Predictor:
    """Hold a network ready to run on a device."""

    def __init__(
        self, network: DensePose, precision: Precision = "float32", device: str = "cpu"
    ) -> None:
        self.network = network.eval().to(device)
        self.device = device


@torch.inference_mode()
def detect(predictor: Predictor, pictures: Sequence[Picture]) -> list[Found]:
    """Find the people in RGB pictures (H, W, 3) of any sizes."""
    if not pictures:
        return []
    given, maps = _look(predictor, pictures)
    people = predictor.network.detect(maps, given.sizes)
    boxes = _outside(given, [each.boxes for each in people])
    return [
        Found(b.cpu().numpy(), p.scores.cpu().numpy()) for b, p in zip(boxes, people, strict=True)
    ]


@torch.inference_mode()
def see(
    predictor: Predictor,
    pictures: Sequence[Picture],
    boxes: Sequence[Boxes] | None = None,
    min_score: float = 0.8,
) -> list[Seen]:
    """Read the surface of people in RGB pictures (H, W, 3) of any sizes.

    They are those in ``boxes`` (N, 4), in picture pixels, an array a picture, and get score 1;
    without boxes those that the network finds itself and is at least ``min_score`` sure of.
    """
    if not pictures:
        return []
    given, maps = _look(predictor, pictures)
    if boxes is None:
        found = predictor.network.detect(maps, given.sizes)
        chosen = [_sure(people, min_score) for people in found]
        inside, scores = [p.boxes for p in chosen], [p.scores for p in chosen]
    else:
        own = [torch.from_numpy(np.asarray(b, np.float32)).to(predictor.device) for b in boxes]
        fits = zip(own, given.originals, given.sizes, strict=True)
        inside = [to_size(b, original, size) for b, original, size in fits]
        scores = [b.new_ones(len(b)) for b in own]
    charts = predictor.network.read(maps, inside)
    outside = _outside(given, inside)
    return _seen(charts, outside, scores)


def _look(predictor: Predictor, pictures: Sequence[Picture]) -> tuple[Batch, list[Tensor]]:
    given = batch(pictures, predictor.network.config)
    return given, predictor.network.features(given.pixels.to(predictor.device))


def _sure(people: People, min_score: float) -> People:
    sure = people.scores >= min_score
    return People(people.boxes[sure], people.scores[sure], people.region[sure])


def _outside(given: Batch, boxes: Sequence[Tensor]) -> list[Tensor]:
    """Bring each picture's boxes (N, 4) from the network's pixels to its own."""
    fits = zip(boxes, given.sizes, given.originals, strict=True)
    return [to_size(b, size, original) for b, size, original in fits]


def _seen(charts: Charts, boxes: Sequence[Tensor], scores: Sequence[Tensor]) -> list[Seen]:
    every = iter(surfaces(charts, torch.cat(list(boxes))))
    return [
        Seen(b.cpu().numpy(), s.cpu().numpy(), [next(every) for _ in b])
        for b, s in zip(boxes, scores, strict=True)
    ]
