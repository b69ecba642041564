"""Say what is done in clips, with a network as the product runs it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from muybridge.convolutions import EXACTLY
from muybridge.models.kinetics.model import KINDS
from muybridge.models.kinetics.preprocess import together
from muybridge.models.kinetics.swift import swift

Precision = Literal["float32", "bfloat16"]


class Predictor:
    """Hold a network ready to run on a device; the one that is given stays as it is."""

    def __init__(
        self, network: nn.Module, name: str, precision: Precision = "float32", device: str = "cpu"
    ) -> None:
        self.device, self.kind = device, KINDS[name]
        self.transforms = self.kind.weights.transforms()
        self.dtype = getattr(torch, precision)
        self.network: Any = swift(network, device)

    @torch.inference_mode()
    @EXACTLY
    def __call__(self, clip: Tensor) -> NDArray[np.float32]:
        """Give the classes' probabilities (400,) in a clip of pictures (T, 3, h, w) uint8."""
        seen = together(clip.to(self.device), self.transforms)[None]
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            found = self.network(seen)
        return found[0].float().softmax(0).cpu().numpy()
