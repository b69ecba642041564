"""Say what people do with the classifier that comes along, without torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import CheckpointError
from muybridge.labels import OTHER
from muybridge.models.action.preprocess import LEGS, features, windows

Floats = NDArray[np.floating[Any]]
Single = NDArray[np.float32]
Spans = NDArray[np.int64]

MOVING = ("walking", "running", "jumping")
MOVES_M = 0.04  # standard deviation of knees and ankles; 99 of 100 who walk or run move by 0.049
SHIPPED = Path(__file__).with_name("action.npz")


@dataclass(frozen=True)
class Folded:
    """Hold a classifier: ``kernels`` (taps, inputs, outputs) and ``biases``, the last layer's too.

    ``labels`` (A,) are what it tells apart; scores are as sure as they say at ``temperature``.
    """

    labels: tuple[str, ...]
    kernels: tuple[Single, ...]
    biases: tuple[Single, ...]
    temperature: float

    def __call__(self, seen: Single) -> Single:
        """Classify what ``features`` makes (N, T, inputs): numbers (N, A) before the softmax."""
        x = seen
        for layer, (kernel, bias) in enumerate(zip(self.kernels[:-1], self.biases, strict=False)):
            x = np.maximum(_convolved(x, kernel, 2**layer) + bias, 0)
        x = np.concatenate([x.mean(1), x.max(1)], 1)
        return x @ self.kernels[-1][0] + self.biases[-1]

    def scores(self, seen: Single) -> Single:
        """Give each label's probability (N, A)."""
        made = self(seen) / self.temperature
        made = np.exp(made - made.max(1, keepdims=True))
        return made / made.sum(1, keepdims=True)


def _convolved(x: Single, kernel: Single, apart: int) -> Single:
    """Convolve over time (N, T, inputs): as many moments fewer as the kernel reaches beyond one."""
    count = x.shape[1] - (len(kernel) - 1) * apart
    return sum(x[:, i * apart : i * apart + count] @ part for i, part in enumerate(kernel))


def load(path: Path = SHIPPED) -> Folded:
    """Read a folded classifier, as ``jobs/train.py action`` writes it."""
    try:
        with np.load(path) as file:
            count = sum(name.startswith("kernel") for name in file.files)
            kernels, biases = (
                tuple(file[f"{part}{i}"].astype(np.float32) for i in range(count))
                for part in ("kernel", "bias")
            )
            labels, temperature = tuple(file["labels"].tolist()), float(file["temperature"])
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: is no classifier: {error}; train one anew") from error
    return Folded(labels, kernels, biases, temperature)


def identity(path: Path = SHIPPED) -> dict[str, str]:
    """Name the network, and the sha256 of its file."""
    return {"model": "action", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def classified(network: Folded, times: Floats, joints: Floats) -> tuple[Single, Spans]:
    """Judge the windows of a track: scores (N, A), and the frames (N, 2) that each covers.

    ``times`` (T,) are seconds, ``joints`` (T, 18, 4) as the lifter gives them.
    """
    made, spans = windows(times, joints)
    scores = network.scores(features(made)).copy()
    moving = [network.labels.index(label) for label in MOVING]
    vetoed = scores[:, moving] * ~legs_move(made)[:, None]
    scores[:, moving] -= vetoed
    scores[:, network.labels.index(OTHER)] += vetoed.sum(1)
    return scores, spans


def legs_move(joints: Floats) -> NDArray[np.bool_]:
    """Say in which windows (N, MOMENTS, 18, 3) the legs move across the picture, (N,).

    Only then somebody walks, runs or jumps, whatever the depth seems to be, which errs most where
    a camera looks steeply down.
    """
    away = np.linalg.norm(joints[:, :, LEGS, :2].std(1), axis=2)  # (N, 4)
    return away.mean(1) >= MOVES_M
