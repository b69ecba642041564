"""From crops of people to their bodies: the network as the product runs it.

Features are read of each picture by itself, many at a time, whoever is in them; bodies then track
by track, in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.convolutions import EXACTLY
from muybridge.models.vibe.model import CAMERA, POSE, SHAPE, Bodies, Hmr, Vibe, bodies
from muybridge.models.vibe.swift import Alone, Features, Generated

Precision = Literal["float32", "bfloat16"]

WINDOW = 450  # frames that the authors' demo gives the encoder at a time


class Predictor:
    """Hold a network ready to run on a device; the one that is given stays as it is.

    ``precision`` is the backbone's, which is nearly all there is to do; the rest is float32.
    """

    @torch.no_grad()
    def __init__(
        self, network: Vibe | Hmr, precision: Precision = "float32", device: str = "cpu"
    ) -> None:
        self.device = device
        self.backbone = Features(network.backbone, getattr(torch, precision))
        self.head = (
            Alone(network.regressor)
            if isinstance(network, Hmr)
            else Generated(network.generator.encoder, network.generator.regressor)
        )
        for part in (self.backbone, self.head):
            part.to(device).eval().requires_grad_(False)

    @torch.inference_mode()
    @EXACTLY
    def features(self, crops: NDArray[np.uint8]) -> Tensor:
        """Read crops (N, 224, 224, 3): (N, 2048) float32, on the device."""
        return self.backbone(torch.tensor(crops, device=self.device))

    @torch.inference_mode()
    @EXACTLY
    def bodies(
        self,
        features: Tensor,
        state: Tensor | None = None,
        window: int = WINDOW,
        parity: bool = False,
    ) -> tuple[Bodies, Tensor | None]:
        """Find one person's bodies (T) by features (T, 2048) in order of time.

        Also gives the state with which the next frames go on; HMR has none. The encoder is given
        ``window`` frames at a time; under ``parity`` it forgets everything before each, as the
        authors' demo does.
        """
        found = [nobody(self.device)]
        for part in torch.split(features, window):
            if len(part):
                some, state = self.head(part, None if parity else state)
                found.append(some)
        return joined(found), state


def joined(parts: Sequence[Bodies]) -> Bodies:
    """Put bodies (T1), (T2), … in a row."""
    fields = zip(*((each.camera, each.rotations, each.betas) for each in parts), strict=True)
    return Bodies(*(torch.cat(each) for each in fields))


def nobody(device: str = "cpu") -> Bodies:
    """Make bodies of which there are none."""
    return bodies(torch.empty(0, POSE + SHAPE + CAMERA, device=device))
