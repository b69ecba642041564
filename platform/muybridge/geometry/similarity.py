"""How alike people's joints are: object keypoint similarity (OKS), as COCO defines it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
DEVIATION_M = {
    **{
        "nose": 0.026,
        "mouth": 0.026,
        "eye": 0.025,
        "ear": 0.035,
        "head": 0.035,
        "neck": 0.079,
        "shoulder": 0.079,
    },
    **{"elbow": 0.072, "wrist": 0.062, "hip": 0.107, "spine": 0.107, "knee": 0.087, "ankle": 0.089},
}
FEET_AND_HANDS_M = 0.089  # of heels, toes, fingers and what else COCO has none of


def own_error(joints: Sequence[str]) -> Array:
    """Say by how much a network misses joints in the world whichever camera looks: (J,) metres.

    It is a standard deviation along each axis. More cameras and more frames do not lessen it:
    where a joint is taken to be differs from network to network and from person to person.
    """
    kinds = [set(name.split("_")) & set(DEVIATION_M) for name in joints]
    known = [DEVIATION_M[kind.pop()] if kind else FEET_AND_HANDS_M for kind in kinds]
    return OWN_ERROR * np.array(known)


def oks(first: Array, second: Array, area: Array, counts: Array | None = None) -> Array:
    """Rate joints (N, 17, 2 or more) against others (M, 17, …) of areas (M,): (N, M) of 0 to 1.

    ``counts`` (M, 17) says how much each joint counts (all alike by default); nobody is like
    somebody none of whose joints counts.
    """
    square = ((first[:, None, :, :2] - second[None, :, :, :2]) ** 2).sum(3)
    alike = np.exp(-square / (2 * SIGMAS**2 * np.maximum(area, 1e-6)[None, :, None]))
    weight = np.ones(second.shape[:2]) if counts is None else counts
    total = np.maximum(weight.sum(1), 1e-9)
    return (alike * weight).sum(2) / total
