"""Pair tracks with detections by what position, size and appearance say together.

Each pair is rated by the logarithm of a likelihood, in nats, as in multiple hypothesis tracking
(Reid 1979): how well a detection fits the prediction and its uncertainty, so that a track that was
just seen comes before one that may by now be anywhere near. Where positions fit two people alike,
appearance decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.tracking import appearance
from muybridge.tracking.assign import assign
from muybridge.tracking.motion import CENTRE_STD, SIZE_STD, Tracks, measure, predict

Array = NDArray[np.floating[Any]]

MIN_EVIDENCE = -3.0  # nats, from which a pair may be
TAIL = 4.0  # degrees of freedom: detections are off by much more often than a normal law has it
LOST = 0.5  # nats a second: some of those who are not seen have left ...
SEEN_ONCE = 2.0  # ... and nats: some of those who were seen only once are nobody
STEEPNESS = 6.0  # nats for a distance of appearance of 1 from where it says nothing ...
MAX_FOR, MAX_AGAINST = 3.5, 6.0  # ... and how many nats it may say for and against


def match(
    tracks: Tracks, time: float, boxes: Array, looks: Array | None = None
) -> NDArray[np.int64]:
    """Pair tracks (N) with boxes (M, 4) seen at a time: (K, 2) rows and columns.

    ``looks`` (M, D) are their appearances.
    """
    if not len(tracks) or not len(boxes):
        return np.empty((0, 2), np.int64)
    gained = evidence(tracks, time, boxes, looks) - MIN_EVIDENCE
    return assign(np.where(gained > 0, -gained, np.inf), apart=0.0)


def evidence(tracks: Tracks, time: float, boxes: Array, looks: Array | None = None) -> Array:
    """Rate how well tracks (N) fit boxes (M, 4) with appearances (M, D): (N, M) nats.

    It is -inf where one is more than twice as long as the other.
    """
    expected = predict(tracks, time)
    centre, size = measure(boxes)
    away = (centre[None] - expected.centre[:, None]) / expected.length[:, None, None]
    variance = expected.covariance[:, :1] + CENTRE_STD**2
    rated = _fit((away**2).sum(axis=2) / variance, variance)
    grown = size[None] - expected.size[:, None]
    variances = expected.size_variance[:, None] * [4, 1] + SIZE_STD**2
    rated += _fit((grown**2 / variances[:, None]).sum(axis=2), np.sqrt(variances.prod(1))[:, None])
    rated -= (LOST * (time - tracks.time) + SEEN_ONCE * (tracks.time == tracks.first))[:, None]
    if looks is not None:
        rated += recognition(tracks.appearance, looks)
    longer = np.abs(size.max(axis=1)[None] - expected.size.max(axis=1)[:, None])
    return np.where(longer <= np.log(2), rated, -np.inf)


def recognition(first: Array, second: Array) -> Array:
    """Say what appearances (N, D), (M, D) tell of being the same person: (N, M) nats."""
    apart = appearance.distance(first, second)
    said = np.clip(STEEPNESS * (appearance.NOT_SAME - apart), -MAX_AGAINST, MAX_FOR)
    return np.where(np.isfinite(said), said, 0.0)


def _fit(squares: Array, variance: Array) -> Array:
    """Take the logarithm of a t density in two dimensions at squared distances in variances."""
    return -np.log(2 * np.pi * variance) - (TAIL / 2 + 1) * np.log1p(squares / TAIL)
