"""MoveNet on a CPU: LiteRT, one picture after another, an interpreter for each size of input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from muybridge.litert import Network, resize
from muybridge.models.movenet import checkpoint, postprocess
from muybridge.models.movenet.config import CONFIGS
from muybridge.models.movenet.postprocess import Array, Maps, People
from muybridge.models.movenet.preprocess import Picture


class LiteRT:
    """Hold MultiPose and one network that reads a single person: ``thunder`` or ``lightning``."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.side = CONFIGS[reader].side
        self._network = cache(load)

    def maps(self, name: str, picture: Picture) -> Maps:
        """Draw a network's maps of an input (H, W, 3)."""
        outputs = self._network(name, *picture.shape[:2])(picture.astype(np.int32))
        return dict(zip(CONFIGS[name].maps, outputs, strict=True))

    def find(self, pictures: Sequence[Picture], threshold: float) -> list[People]:
        """Find everybody in inputs (H, W, 3) whose centre scores ``threshold``, in their pixels."""
        return [postprocess.people(self.maps("multipose", one), threshold) for one in pictures]

    def read(self, crops: Sequence[Picture], guides: Array) -> Array:
        """Read the person in squares, freely and by guides (N, 17, 2): joints (N, 2, 17, 3)."""
        found = [
            postprocess.one(self.maps(self.reader, crop), guide)
            for crop, guide in zip(crops, guides, strict=True)
        ]
        return np.array(found, np.float32).reshape(-1, 2, 17, 3)


def load(name: str, height: int, width: int) -> Network:
    """Load a network for inputs of a size."""
    return Network(resize(checkpoint.read(name), height, width))
