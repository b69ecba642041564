"""Lift the tracks of people with the network that comes along, without torch.

Batch norm is folded into the layers, so that there is nothing but products of matrices, and a
worker that runs the default graph stays small.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import CheckpointError
from muybridge.geometry.skeletons import BODY18
from muybridge.models.lifter.preprocess import OFFSETS, SEEN, Track, normalised, windows

Floats = NDArray[np.floating[Any]]
Single = NDArray[np.float32]

SHIPPED = Path(__file__).with_name("lifter.npz")
AT_ONCE = 512  # windows in a product
NEAR = 0.15  # seconds from a frame within which what is seen counts for its scores
CLOSE = 0.05  # seconds from which on a moment does not steady another
RESTS_ON = {  # joints that no system sees, and those whose place tells theirs
    "mid_hip": ("left_hip", "right_hip"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "neck": ("left_shoulder", "right_shoulder"),
}
TRUNK_AND_LIMBS = [i for i, name in enumerate(SEEN) if not name.endswith("toe")]


@dataclass(frozen=True)
class Folded:
    """Hold a lifter's layers: ``weights`` (inputs, outputs) and ``biases`` (outputs,) of each."""

    weights: tuple[Single, ...]
    biases: tuple[Single, ...]

    def __call__(self, seen: Single) -> Single:
        """Lift windows (N, inputs): (N, outputs), as ``model.Lifter`` does in eval mode."""
        first, *inner, last = zip(self.weights, self.biases, strict=True)
        x = _relu(seen @ first[0] + first[1])
        for one, other in zip(inner[::2], inner[1::2], strict=True):
            x = x + _relu(_relu(x @ one[0] + one[1]) @ other[0] + other[1])
        return x @ last[0] + last[1]


def _relu(x: Single) -> Single:
    return np.maximum(x, 0, out=x)


def load(path: Path = SHIPPED) -> Folded:
    """Read a folded lifter, as ``jobs/train.py lifter`` writes it."""
    try:
        with np.load(path) as file:
            count = len(file.files) // 2
            layers = [
                tuple(file[f"{part}{i}"].astype(np.float32) for i in range(count))
                for part in ("weight", "bias")
            ]
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: is no lifter: {error}; train one anew") from error
    return Folded(layers[0], layers[1])


def identity(path: Path = SHIPPED) -> dict[str, str]:
    """Name the network, and the sha256 of its file."""
    return {"model": "lifter", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def lift(network: Folded, track: Track) -> Single:
    """Lift one person's track to (T, 18, 4): x, y, z in metres from the hips' middle, and a score.

    The axes are those of a camera that looks straight at the person; the size is that of a body of
    average height. A joint's score is what was seen of it shortly before and after, and falls with
    the share of the body that was not seen at all; nothing seen makes 0, 0, 0, 0.
    """
    places, scores = windows(track)
    seen = scores > 0
    joints = [
        network(normalised(places[first : first + AT_ONCE], seen[first : first + AT_ONCE]))
        for first in range(0, len(places), AT_ONCE)
    ]
    made = np.zeros((len(places), len(BODY18.joints), 4), np.float32)
    if joints:
        found = np.concatenate(joints).reshape(len(places), -1, 3)
        made[..., :3] = steadied(found, track.times, seen.any((1, 2)))
        made[..., 3] = certainty(scores)
    made[~seen.any((1, 2))] = 0
    return made


def steadied(joints: Single, times: Floats, there: NDArray[np.bool_]) -> Single:
    """Average joints (T, 18, 3) with those of moments close by, before and after alike.

    ``times`` (T,) are seconds; a frame that is not ``there`` (T,) counts for no other.
    """
    total, weight = joints.copy(), np.ones((len(joints), 1, 1), np.float32)
    for step in range(1, len(joints)):
        near = np.maximum(1 - (times[step:] - times[:-step]) / CLOSE, 0)
        if not near.any():
            break
        near = (near * there[step:] * there[:-step]).astype(np.float32)[:, None, None]
        total[step:] += near * joints[:-step]
        total[:-step] += near * joints[step:]
        weight[step:] += near
        weight[:-step] += near
    return total / weight


def certainty(scores: Floats) -> Floats:
    """Give each joint (N, 18) a score from those of the window (N, TAPS, 15)."""
    weight = np.maximum(1 - np.abs(OFFSETS) / NEAR, 0)
    near = np.einsum("t,ntj->nj", weight / weight.sum(), scores)
    body = np.sqrt(near[:, TRUNK_AND_LIMBS].mean(1, keepdims=True).clip(0, 1))
    rests = [[SEEN.index(name) for name in RESTS_ON.get(own, (own,))] for own in BODY18.joints]
    return np.stack([near[:, rest].mean(1) for rest in rests], 1).clip(0, 1) * body
