"""Find people in a picture, and read those whose region is known.

The detector proposes and the landmark network decides: it reads each proposal, then reads again
where the joints say that the body is. On a person both readings agree and the joints' heat maps
have distinct summits; on a hand, a bottle or a tree they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.geometry import boxes
from muybridge.models.blazepose import postprocess
from muybridge.models.blazepose.model import BlazePose
from muybridge.models.blazepose.postprocess import People, together
from muybridge.models.blazepose.preprocess import Array, Picture, crops, detector_input

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """Say from when on something counts as a person; all from 0 to 1."""

    proposal: float = 0.5  # the detector's score from which a proposal is read
    presence: float = 0.5  # the landmark network's flag for a person
    agreement: float = 0.5  # of the two readings of somebody new
    clarity: float = 0.3  # of the joints of a person who is followed ...
    new_clarity: float = 0.42  # ... of somebody new ...
    track_score: float = 0.48  # presence times clarity, the median of a whole track ...
    brief: float = 0.1  # ... and how much more of one that is seen once in a long clip
    same: float = 0.4  # agreement from which two are one person
    inside: float = 0.6  # part of a body's box in another's from which two are one person ...
    apart: tuple[float, float] = (0.7, 0.6)  # ... unless the proposal and the joints are this clear


def read(model: BlazePose, picture: Picture, regions: Array) -> People:
    """Read the joints of one person in each region (N, 4) of a picture (H, W, 3)."""
    height, width = picture.shape[:2]
    return postprocess.people(*model.landmarks(crops(picture, regions)), regions, (width, height))


def present(people: People, limits: Limits) -> Flags:
    """Say which of the people (P,) who are followed are still there."""
    return (people.presence >= limits.presence) & (people.clarity >= limits.clarity)


def find(
    model: BlazePose, picture: Picture, squares: Array, known: People, limits: Limits
) -> People:
    """Find people in squares (N, 4) of a picture (H, W, 3) who are not among those known."""
    score, regions = propose(model, picture, squares, limits)
    new = np.array([not similar(region, known.region).any() for region in regions], bool)
    score, first = score[new], read(model, picture, regions[new])
    there = first.presence >= limits.presence
    score, first = score[there], first[there]
    second = read(model, picture, first.region)
    sure = (second.presence >= limits.presence) & (second.clarity >= limits.new_clarity)
    sure &= agreement(first.joints, second.joints) >= limits.agreement
    return distinct(second[sure], score[sure], known, limits)


def propose(
    model: BlazePose, picture: Picture, squares: Array, limits: Limits
) -> tuple[Array, Array]:
    """Detect in squares (N, 4) of a picture: scores (D,) from high to low and regions (D, 4)."""
    raw, logits = model.detect(detector_input(picture, squares))
    score, regions = postprocess.detections(raw, logits, squares, limits.proposal)
    kept: list[int] = []
    for at in np.argsort(-score, kind="stable").tolist():
        if not similar(regions[at], regions[kept]).any():
            kept.append(at)
    return score[kept], regions[kept]


def distinct(people: People, score: Array, known: People, limits: Limits) -> People:
    """Keep the people, the clearest first, who repeat neither one known nor one kept before.

    ``score`` (P,) is that of the proposals they come from.
    """
    everyone = known
    for at in np.argsort(-people.clarity, kind="stable").tolist():
        one = people[at : at + 1]
        inside = boxes.containment(one.box, everyone.box)[0] > limits.inside
        clear = score[at] >= limits.apart[0] and one.clarity[0] >= limits.apart[1]
        same = agreement(one.joints, everyone.joints) > limits.same
        if not (same | (inside & (not clear))).any():
            everyone = together([everyone, one])
    return everyone[len(known) :]


def agreement(first: Array, second: Array) -> Array:
    """Compare joints (N or 1, 33, 3) of people one by one: (N,), from 1 for the same places to 0.

    Distances count in parts of the body's length in the picture, as in COCO's keypoint similarity.
    """
    length = np.maximum(np.ptp(first[..., :2], axis=1).max(axis=1), 1)
    apart = np.linalg.norm(first[..., :2] - second[..., :2], axis=2) / length[:, None]
    return np.exp(-0.5 * (apart / 0.1) ** 2).mean(axis=1)


def similar(region: Array, others: Array) -> Flags:
    """Say which regions (N, 4) are nearly the same as one (4,)."""
    shorter, longer = np.minimum(region[2], others[:, 2]), np.maximum(region[2], others[:, 2])
    near = np.hypot(*(others[:, :2] - region[:2]).T) < 0.2 * shorter
    turned = np.abs((others[:, 3] - region[3] + np.pi) % (2 * np.pi) - np.pi)
    return near & (longer < 1.5 * shorter) & (turned < 0.8)
