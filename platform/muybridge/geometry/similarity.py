"""How alike people's joints are: object keypoint similarity (OKS), as COCO defines it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry.skeletons import COCO17

Array = NDArray[np.floating[Any]]

# Standard deviations of COCO's annotators, per joint of coco17, in parts of the square root of a
# person's area (the published ones, doubled as COCO's formula asks).
# fmt: off
SIGMAS = 2 * np.array([
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
])
# fmt: on


OWN_ERROR = 0.2  # of an annotator's deviation: by how much a network is off in every picture
# annotators' deviations on a body of a square metre, by the last word of a joint's name
DEVIATION_M = dict(
    zip((name.rpartition("_")[2] for name in COCO17.joints), SIGMAS / 2, strict=True)
)
ALIKE = {"mouth": "nose", "head": "ear", "neck": "shoulder", "spine": "hip"}
DEVIATION_M |= {name: DEVIATION_M[other] for name, other in ALIKE.items()}


def own_error(joints: Sequence[str]) -> Array:
    """Say by how much a network misses joints in the world whichever camera looks: (J,) metres.

    It is a standard deviation along each axis. More cameras and more frames do not lessen it:
    where a joint is taken to be differs from network to network and from person to person.
    """
    kinds = [set(name.split("_")) & set(DEVIATION_M) for name in joints]
    known = [DEVIATION_M[kind.pop() if kind else "ankle"] for kind in kinds]  # feet and hands
    return OWN_ERROR * np.array(known)


def joint_similarity(first: Array, second: Array, area: Array) -> Array:
    """Rate each joint of people (…, 17, 2 or more) against others' of areas (…): (…, 17)."""
    square = ((first[..., :2] - second[..., :2]) ** 2).sum(-1)
    return np.exp(-square / (2 * SIGMAS**2 * np.maximum(area, 1e-6)[..., None]))


def mean_similarity(alike: Array, counts: Array) -> Array:
    """Average joints' similarities (…, 17) by how much each counts (…, 17); 0 if none does."""
    return (alike * counts).sum(-1) / np.maximum(counts.sum(-1), 1e-9)


def oks(first: Array, second: Array, area: Array, counts: Array) -> Array:
    """Rate joints (N, 17, 2 or more) against others (M, 17, …) of areas (M,): (N, M) of 0 to 1.

    ``counts`` (M, 17) says how much each joint counts; nobody is like somebody none of whose joints
    counts.
    """
    return mean_similarity(joint_similarity(first[:, None], second[None], area), counts)
