"""Teach the classifier, see how sure it may be, and make it ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from muybridge.labels import LABELS
from muybridge.models.action.model import Classifier
from muybridge.models.action.predict import Folded

Lot = tuple[NDArray[np.float32], NDArray[np.int64]]


class Lessons(nn.Module):
    """Teach a classifier lots of features (N, T, inputs) with their labels (N,)."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, lots: Sequence[Lot]) -> dict[str, Tensor]:
        seen, labels = (torch.from_numpy(np.concatenate(part)) for part in zip(*lots, strict=True))
        device = self.classifier.last.weight.device
        made = self.classifier(seen.to(device))
        loss = functional.cross_entropy(made, labels.to(device), label_smoothing=0.05)
        return {"label": loss}


def folded(classifier: Classifier, temperature: float = 1.0) -> Folded:
    """Fold the norm in front into the first layer, and give it a temperature."""
    state = {name: value.detach().numpy() for name, value in classifier.state_dict().items()}
    kernels = [state[f"layers.{i}.weight"].transpose(2, 1, 0) for i in range(3)]
    biases = [state[f"layers.{i}.bias"] for i in range(3)]
    gain = 1 / np.sqrt(state["norm.running_var"] + classifier.norm.eps)
    kernels[0] = kernels[0] * gain[:, None]
    biases[0] = biases[0] - (state["norm.running_mean"] @ kernels[0]).sum(0)
    kernels.append(state["last.weight"].T[None])
    biases.append(state["last.bias"])
    return Folded(LABELS["motion"], tuple(kernels), tuple(biases), temperature)


def temperature(made: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Find by what numbers (N, A) are divided that their softmax is as sure as it is right.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2.
    """

    def surprise(log: float) -> float:
        scaled = torch.from_numpy(made / np.exp(log))
        return float(functional.cross_entropy(scaled, torch.from_numpy(labels)))

    return float(np.exp(minimize_scalar(surprise, bounds=(-2, 3), method="bounded").x))


def write(network: Folded, path: Path) -> None:
    """Write a folded classifier in half precision, as ``predict.load`` reads it."""
    parts: dict[str, Any] = {"labels": np.array(network.labels)}
    parts["temperature"] = np.float64(network.temperature)
    parts |= {f"kernel{i}": k.astype(np.float16) for i, k in enumerate(network.kernels)}
    parts |= {f"bias{i}": b.astype(np.float16) for i, b in enumerate(network.biases)}
    np.savez_compressed(path, **parts)
