"""How tracks move: a Kalman filter over many tracks at once, in box lengths and seconds.

A velocity is kept for a while and forgotten over time (the integrated Ornstein-Uhlenbeck process,
Singer 1970): the prediction of an occluded person goes on as before and slows down, and its
uncertainty grows as far as people get in that time. A box length is the longer side of a track's
box, so that neither the person's size in the picture nor the frame rate matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muybridge.tracking import appearance

Array = NDArray[np.floating[Any]]
Numbers = NDArray[np.integer[Any]]

FIRST_SPEED_STD = 0.8  # box lengths/s, of somebody new (a walk is 1.4 m/s, a person 1.7 m)
SPEED_STD = 0.5  # box lengths/s, to which an unseen velocity becomes uncertain ...
VELOCITY_KEPT_S = 4.0  # ... and seconds after which it is forgotten to 1/e
CENTRE_STD = 0.05  # box lengths, of a detection's centre ...
SIZE_STD = np.array([0.15, 0.06])  # ... and of the logarithm of its width and height
SIZE_DRIFT_STD = 0.07  # of the logarithm of a size, after one second
APPEARANCE_RATE = 0.1  # least weight of a new appearance in the running average


@dataclass(frozen=True)
class Tracks:
    """Hold N tracks as they were last seen.

    * ``id`` (N,); ``first`` and ``time`` (N,) seconds of the first and last detection
    * ``centre`` (N, 2) pixels, ``velocity`` (N, 2) pixels/s
    * ``covariance`` (N, 3) along one axis in box lengths and seconds: the centre's variance, its
      covariance with the velocity, the velocity's variance
    * ``size`` (N, 2) logarithms of width and height in pixels, ``size_variance`` (N,)
    * ``appearance`` (N, D) running average, nan where unknown, ``described`` (N,) of how many
    """

    id: Numbers
    first: Array
    time: Array
    centre: Array
    velocity: Array
    covariance: Array
    size: Array
    size_variance: Array
    appearance: Array
    described: Numbers

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, which: NDArray[np.generic]) -> Tracks:
        return Tracks(*(value[which] for value in _values(self)))

    @property
    def length(self) -> Array:
        """Give the box lengths (N,) in pixels."""
        return np.exp(self.size.max(axis=1, initial=-np.inf))

    @property
    def box(self) -> Array:
        """Give the boxes (N, 4) in pixels."""
        half = np.exp(self.size) / 2
        return np.concatenate([self.centre - half, self.centre + half], axis=1)


def start(id: ArrayLike, time: float, boxes: Array, looks: Array | None = None) -> Tracks:
    """Begin tracks at boxes (N, 4), with appearances (N, D) if known; they seem to stand still."""
    centre, size = measure(boxes)
    many = len(boxes)
    times, zeros = np.full(many, time), np.zeros(many)
    covariance = np.tile([CENTRE_STD**2, 0, FIRST_SPEED_STD**2], (many, 1))
    size_variance = np.full(many, SIZE_STD[1] ** 2)
    tracks = Tracks(
        np.asarray(id, np.int64).reshape(many),
        times,
        times,
        centre,
        np.zeros((many, 2)),
        covariance,
        size,
        size_variance,
        np.full((many, appearance.DIMENSIONS), np.nan),
        zeros.astype(np.int64),
    )
    return tracks if looks is None else remember(tracks, looks)


def join(parts: Sequence[Tracks]) -> Tracks:
    """Put tracks together."""
    return Tracks(*(np.concatenate(each) for each in zip(*map(_values, parts), strict=True)))


def _values(tracks: Tracks) -> list[Array]:
    return [getattr(tracks, field.name) for field in fields(tracks)]


def predict(tracks: Tracks, time: float) -> Tracks:
    """Move tracks to a time; velocities are damped and variances grow."""
    step = np.maximum(time - tracks.time, 0)
    kept = np.exp(-step / VELOCITY_KEPT_S)
    reach = VELOCITY_KEPT_S * (1 - kept)  # how far a velocity of 1 leads
    place, cross, speed = tracks.covariance.T
    room = (2 * step / VELOCITY_KEPT_S - 3 + 4 * kept - kept**2) * VELOCITY_KEPT_S**2
    grown = [
        place + 2 * reach * cross + reach**2 * speed + SPEED_STD**2 * room,
        kept * (cross + reach * speed) + SPEED_STD**2 * VELOCITY_KEPT_S * (1 - kept) ** 2,
        kept**2 * speed + SPEED_STD**2 * (1 - kept**2),
    ]
    return replace(
        tracks,
        centre=tracks.centre + reach[:, None] * tracks.velocity,
        velocity=tracks.velocity * kept[:, None],
        covariance=np.stack(grown, axis=1),
        size_variance=tracks.size_variance + SIZE_DRIFT_STD**2 * step,
    )


def follow(tracks: Tracks, time: float, boxes: Array) -> Tracks:
    """Correct tracks (N) by the boxes (N, 4) in which they are seen at a time."""
    expected = predict(tracks, time)
    centre, size = measure(boxes)
    place, cross, speed = expected.covariance.T
    gain, turn = place / (place + CENTRE_STD**2), cross / (place + CENTRE_STD**2)
    size_gain = expected.size_variance / (expected.size_variance + SIZE_STD[1] ** 2)
    error = centre - expected.centre
    corrected = [place * (1 - gain), cross * (1 - gain), speed - turn * cross]
    return replace(
        expected,
        time=np.full(len(tracks), time),
        centre=expected.centre + gain[:, None] * error,
        velocity=expected.velocity + turn[:, None] * error,
        covariance=np.stack(corrected, axis=1),
        size=expected.size + size_gain[:, None] * (size - expected.size),
        size_variance=expected.size_variance * (1 - size_gain),
    )


def remember(tracks: Tracks, looks: Array) -> Tracks:
    """Take appearances (N, D), nan where not seen, into the tracks' running averages."""
    described = tracks.described + np.isfinite(looks).any(axis=1)
    rate = np.maximum(1 / np.maximum(described, 1), APPEARANCE_RATE)[:, None]
    known = np.where(np.isfinite(tracks.appearance), tracks.appearance, looks)
    mean = np.where(np.isfinite(looks), known + rate * (looks - known), known)
    return replace(tracks, appearance=mean, described=described)


def measure(boxes: Array) -> tuple[Array, Array]:
    """Give the centres (N, 2) and the logarithms of the sizes (N, 2) of boxes (N, 4)."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.log(sizes)
