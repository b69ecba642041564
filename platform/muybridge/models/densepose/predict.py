"""From pictures to people and their surface, many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.convolutions import EXACTLY
from muybridge.models.densepose.model import DensePose
from muybridge.models.densepose.postprocess import Surface, surfaces, to_size
from muybridge.models.densepose.preprocess import Batch, Picture, batch
from muybridge.models.densepose.swift import Precision, Swift

Boxes = NDArray[np.float32]

AT_ONCE = 32  # people whose charts are held: 4 MB each


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
        self.network = Swift(network, precision, device)
        self.device = device


@dataclass(frozen=True)
class _Chosen:
    """Hold a picture's people (N): boxes in the network's and the picture's pixels, and scores."""

    inside: Tensor
    outside: Tensor
    scores: Tensor


@torch.inference_mode()
@EXACTLY
def detect(predictor: Predictor, pictures: Sequence[Picture]) -> list[Found]:
    """Find the people in RGB pictures (H, W, 3) of any sizes."""
    if not pictures:
        return []
    given, maps = _look(predictor, pictures)
    chosen = _found(predictor, given, maps)
    return [Found(each.outside.cpu().numpy(), each.scores.cpu().numpy()) for each in chosen]


@torch.inference_mode()
@EXACTLY
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
        chosen = _found(predictor, given, maps, min_score)
    else:
        chosen = _told(predictor, given, boxes)
    read = _read(predictor, maps, chosen)
    return [
        Seen(
            each.outside.cpu().numpy(),
            each.scores.cpu().numpy(),
            list(islice(read, len(each.scores))),
        )
        for each in chosen
    ]


def _look(predictor: Predictor, pictures: Sequence[Picture]) -> tuple[Batch, list[Tensor]]:
    given = batch(pictures, predictor.network.config)
    return given, predictor.network.features(given.pixels)


def _found(
    predictor: Predictor, given: Batch, maps: Sequence[Tensor], min_score: float = 0.0
) -> list[_Chosen]:
    """Choose the people that the network finds, without boxes that hold nothing of the picture."""
    chosen = []
    people = predictor.network.detect(maps, given.sizes)
    for each, size, original in zip(people, given.sizes, given.originals, strict=True):
        outside = to_size(each.boxes, size, original)
        kept = (each.scores >= min_score) & (outside[:, 2:] > outside[:, :2]).all(1)
        chosen.append(_Chosen(each.boxes[kept], outside[kept], each.scores[kept]))
    return chosen


def _told(predictor: Predictor, given: Batch, boxes: Sequence[Boxes]) -> list[_Chosen]:
    """Take people from given boxes, cut off at the picture's borders."""
    chosen = []
    for each, size, original in zip(boxes, given.sizes, given.originals, strict=True):
        own = torch.from_numpy(np.asarray(each, np.float32)).to(predictor.device)
        outside = to_size(own, original, original)
        inside = to_size(own, original, size)
        chosen.append(_Chosen(inside, outside, own.new_ones(len(own))))
    return chosen


def _read(
    predictor: Predictor, maps: Sequence[Tensor], chosen: Sequence[_Chosen]
) -> Iterator[Surface]:
    """Read the surface of all pictures' people, in order, some at a time."""
    if not any(len(each.inside) for each in chosen):
        return
    cut = predictor.network.cut(maps, [each.inside for each in chosen])
    outside = torch.cat([each.outside for each in chosen])
    for some, boxes in zip(*(torch.split(each, AT_ONCE) for each in (cut, outside)), strict=True):
        yield from surfaces(predictor.network.chart(some), boxes)
