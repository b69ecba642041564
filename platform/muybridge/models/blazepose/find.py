"""Find people in a picture, and read those whose region is known.

The detector proposes, the landmark network decides: it reads each proposal, then reads again where
the joints say that the body is. On a real person both readings agree; on something else the
second one wanders off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.models.blazepose import postprocess
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import People
from muybridge.models.blazepose.preprocess import Array, Picture, crops, detector_input


@dataclass(frozen=True)
class Limits:
    """Say from when on something counts as a person; all from 0 to 1."""

    detection: float = 0.5  # the detector's score for a proposal to be read
    presence: float = 0.5  # the landmark network's flag for a person who is followed
    new_presence: float = 0.9  # ... and for one seen for the first time, in both readings
    agreement: float = 0.6  # of the two readings
    duplicate: float = 0.5  # agreement from which two are one person
    inside: float = 0.6  # part of a body box in another's from which two are one person


def read(model: BlazePose, picture: Picture, regions: Array) -> People:
    """Read the joints of one person in each region (N, 4) of a picture (H, W, 3)."""
    points, presence, world = model.landmarks(crops(picture, regions))
    return postprocess.people(points, presence, world, regions, picture.shape[1::-1])


def propose(
    model: BlazePose, picture: Picture, squares: Array, limits: Limits
) -> tuple[Array, Array]:
    """Detect in squares (N, 4) of a picture: scores (D,) from high to low and regions (D, 4)."""
    raw, logits = model.detect(detector_input(picture, squares))
    score, region = postprocess.detections(raw, logits, squares, limits.detection)
    order = np.argsort(-score, kind="stable")
    kept = distinct(region[order])
    return score[order][kept], region[order][kept]


def confirm(
    model: BlazePose, picture: Picture, regions: Array, limits: Limits
) -> tuple[People, NDArray[np.int64]]:
    """Read proposed regions (N, 4) twice: the people there are, and the proposals (P,) they come from."""
    first = read(model, picture, regions)
    at = np.flatnonzero(first.presence >= limits.new_presence)
    first = first[at]
    second = read(model, picture, first.region)
    sure = second.presence >= limits.new_presence
    sure &= (
        np.array([agreement(a, b) for a, b in zip(first.joints, second.joints, strict=True)])
        >= limits.agreement
        if len(at)
        else sure
    )
    return second[sure], at[sure]


def agreement(first: Array, second: Array) -> float:
    """Compare the joints (33, 3) of two people: 1 if they lie at the same places, 0 if far apart."""
    length = max(np.ptp(first[:, :2], axis=0).max(), 1.0)
    apart = np.hypot(*(first[:, :2] - second[:, :2]).T) / length
    return float(np.exp(-0.5 * (apart / 0.1) ** 2).mean())


def duplicates(people: People, others: People, limits: Limits) -> NDArray[np.bool_]:
    """Say which people (P,) are already among the others."""
    inside = (boxes.containment(people.box, others.box) > limits.inside).any(axis=1)
    same = [any(agreement(a, b) > limits.duplicate for b in others.joints) for a in people.joints]
    return inside | np.array(same, bool)


def distinct(regions: Array) -> NDArray[np.int64]:
    """Choose regions (N, 4), the first ones first, that do not nearly repeat one chosen before."""
    kept: list[int] = []
    for at in range(len(regions)):
        if not similar(regions[at], regions[kept]).any():
            kept.append(at)
    return np.array(kept, np.int64)


def similar(region: Array, others: Array) -> NDArray[np.bool_]:
    """Say which regions (N, 4) are nearly the same as one (4,)."""
    shorter, longer = np.minimum(region[2], others[:, 2]), np.maximum(region[2], others[:, 2])
    near = np.hypot(*(others[:, :2] - region[:2]).T) < 0.2 * shorter
    turned = np.abs((others[:, 3] - region[3] + np.pi) % (2 * np.pi) - np.pi)
    return near & (longer < 1.5 * shorter) & (turned < 0.8)
