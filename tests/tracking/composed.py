"""Scenes made by hand: who is where is known, a detector sees it with noise, hidden ones not.

Places are in body lengths: ``x`` to the right, ``y`` of the feet downwards; who stands lower is
nearer and hides others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from muybridge.geometry.boxes import area, intersection

WIDE = 0.4  # body lengths of a box
COVERED = 0.6  # part of a box behind somebody nearer from which there is no detection
NOISE = 0.03  # body lengths by which detections are off

Path = Callable[[np.ndarray], np.ndarray]  # from times (T,) to x (T,), in body lengths


@dataclass(frozen=True)
class Scene:
    """Hold T frames: ``times`` (T,), and of each frame ``boxes`` (N, 4), ``who`` and ``looks``."""

    times: np.ndarray
    boxes: list[np.ndarray]
    who: list[np.ndarray]
    looks: list[np.ndarray]


def compose(
    paths: list[Path],
    depths: list[float],
    seconds: float,
    rate: float = 8.0,
    length: float = 120.0,
    seed: int = 0,
) -> Scene:
    """Let people go along paths, their feet at depths, each ``length`` pixels tall."""
    random = np.random.default_rng(seed)
    times = np.arange(0, seconds, 1 / rate)
    x = np.stack([path(times) for path in paths], axis=1)
    colours = random.uniform([20, -40, -40], [80, 40, 40], (len(paths), 5, 3)).reshape(-1, 15)
    boxes, who, looks = [], [], []
    for row in x:
        low = np.array(depths)
        true = np.stack([row - WIDE / 2, low - 1, row + WIDE / 2, low], axis=1)
        seen = np.flatnonzero(hidden(true) <= COVERED)
        noise = NOISE * random.normal(size=(len(seen), 2))
        boxes.append((true[seen] + np.tile(noise, 2) + 3) * length)
        who.append(seen)
        looks.append(colours[seen] + random.normal(0, 5, (len(seen), 15)))
    return Scene(times, boxes, who, looks)


def hidden(boxes: np.ndarray) -> np.ndarray:
    """Say which part (N,) of each box is behind somebody nearer."""
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    return (intersection(boxes, boxes) * nearer).max(axis=1) / area(boxes)


def walk(start: float, speed: float) -> Path:
    return lambda times: start + speed * times


def there_and_back(start: float, turn: float, arrive: float, leave: float) -> Path:
    """Go from ``start`` to ``turn`` until a time, wait, and go back the way one came."""

    def path(times: np.ndarray) -> np.ndarray:
        return np.interp(times, [0, arrive, leave, leave + arrive], [start, turn, turn, start])

    return path


def stand(at: float) -> Path:
    return lambda times: np.full(len(times), at)


# fmt: off
SCENES: dict[str, tuple[list[Path], list[float], float]] = {
    "crossing": ([walk(0, 0.8), walk(4, -0.8)], [1.0, 0.93], 5),
    "one overtakes the other": ([walk(0, 1.2), walk(1.5, 0.5)], [1.0, 0.93], 5),
    "meeting and turning back": (
        [there_and_back(0, 1.5, 2, 3), there_and_back(3.2, 1.7, 2, 3)], [1.0, 0.97], 5),
    "one behind the other for two seconds, then on": (
        [stand(2), lambda t: np.interp(t, [0, 2, 4, 6], [0, 1.95, 2.05, 4])], [1.0, 0.95], 6),
    "one behind the other for two seconds, then back": (
        [stand(2), there_and_back(0, 2, 2, 3.6)], [1.0, 0.95], 6),
    "one stands still behind whom another passes slowly": (
        [walk(0.5, 0.3), stand(1.5)], [1.0, 0.95], 7),
    "three, two of whom cross behind the third": (
        [stand(2), walk(0, 0.8), walk(4, -0.8)], [1.0, 0.95, 0.9], 5),
    "three in a row who change places": (
        [walk(0, 0.7), there_and_back(2, 2.1, 2, 3), walk(4, -0.7)], [1.0, 0.93, 0.97], 5),
}
# fmt: on
