"""BlazePose: a detector of people and a network that reads one person's joints from a crop.

From Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking" (2020) and the model
card of BlazePose GHUM 3D. Both networks run on one CPU thread; a worker has one of each.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DETECTOR_SIDE = 224  # pixels of the detector's square input
CROP_SIDE = 256  # pixels of the landmark network's square input


class Network:
    """Hold one network of a .tflite file, with memory for one picture at a time.

    A larger batch gains nothing: its cost is that of the pictures one by one.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter  # of the extra `embedded`

        with _hushed():
            self.interpreter = Interpreter(model_content=content, num_threads=1)
            self.interpreter.allocate_tensors()
        self.input: int = self.interpreter.get_input_details()[0]["index"]
        self.outputs: list[dict[str, Any]] = self.interpreter.get_output_details()

    def __call__(self, picture: Array) -> list[Array]:
        """Run a picture (S, S, 3) and return all outputs without their batch axis."""
        self.interpreter.set_tensor(self.input, picture[None])
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(output["index"])[0] for output in self.outputs]


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep the runtime from announcing itself on the error stream: it offers no switch for that."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class BlazePose:
    """Hold both networks: ``detect`` sees where people are, ``landmarks`` reads one's joints."""

    def __init__(self, detector: bytes, landmarks: bytes) -> None:
        self.detector = Network(detector)
        self.reader = Network(landmarks)

    def detect(self, pictures: Array) -> tuple[Array, Array]:
        """Detect in pictures (N, 224, 224, 3) of -1 to 1: boxes (N, 2254, 12), logits (N, 2254)."""
        raw = [self.detector(picture) for picture in pictures]
        boxes = np.array([box for box, _ in raw], np.float32).reshape(-1, 2254, 12)
        return boxes, np.array([score for _, score in raw], np.float32).reshape(-1, 2254)

    def landmarks(self, crops: Array) -> tuple[Array, Array, Array, Array]:
        """Read crops (N, 256, 256, 3) of 0 to 1: points, presence, heat maps, world.

        Points (N, 39, 5) are x, y, z in pixels of the crop, then the logits of being visible and
        of being there. Presence (N,) of a person is from 0 to 1. Heat maps (N, 64, 64, 39) are the
        points' logits. World (N, 39, 3) is in metres from the hips' middle, turned as the crop is.
        """
        raw = [self.reader(crop) for crop in crops]
        points = np.array([r[0] for r in raw], np.float32).reshape(-1, 39, 5)
        presence = np.array([r[1] for r in raw], np.float32).reshape(-1)
        heat = np.array([r[2] for r in raw], np.float32).reshape(-1, 64, 64, 39)
        world = np.array([r[3] for r in raw], np.float32).reshape(-1, 39, 3)
        return points, presence, heat, world
