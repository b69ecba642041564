"""Tracks of joints in pictures: the boxes that they give, and the windows to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]

CONFIDENT = 0.3  # how sure a joint must be to count
UNIT = 150.0  # pixels: a person of this diagonal has scale 1
LENGTH = 16  # frames of a window
MEDIAN = 11  # frames


@dataclass(frozen=True)
class Track:
    """Hold where a person is in frames ``start`` to ``stop`` (excluded) of those asked about.

    ``places`` (M, 3) are the centre's x and y in pixels, and 150 pixels over the diagonal of what
    the joints span.
    """

    start: int
    stop: int
    places: Floats

    @property
    def boxes(self) -> Floats:
        """Give them as centre x, centre y, width, height in pixels: squares (M, 4)."""
        side = UNIT / self.places[:, 2:]
        return np.concatenate([self.places[:, :2], side, side], 1)


def located(joints: Floats, confident: float = CONFIDENT) -> Track:
    """Find where a person is by joints (T, J, 3) as x, y, score.

    Frames without joints are filled in linearly between their neighbours, and cut off at the ends.
    """
    points, sure = joints[..., :2], joints[..., 2:] > confident
    seen = np.flatnonzero(sure.any((1, 2)))
    if not len(seen):
        return Track(0, 0, np.empty((0, 3)))
    low = points[seen].min(1, where=sure[seen], initial=np.inf)
    high = points[seen].max(1, where=sure[seen], initial=-np.inf)
    diagonal = np.linalg.norm(high - low, axis=1).clip(min=1)  # one joint alone spans nothing
    known = np.column_stack([(low + high) / 2, UNIT / diagonal])
    start, stop = int(seen[0]), int(seen[-1]) + 1
    rows = np.arange(start, stop)
    return Track(start, stop, np.stack([np.interp(rows, seen, each) for each in known.T], 1))


def steadied(track: Track, sigma: float = 8.0, parity: bool = False) -> Floats:
    """Smooth places over time (M, 3): a median of 11 frames, then a Gaussian of ``sigma`` frames.

    The authors take what lies before the first frame and after the last as 0, which shifts the
    ends; here the first and last place go on.
    """
    beyond = "constant" if parity else "nearest"
    middle = ndimage.median_filter(track.places, (MEDIAN, 1), mode=beyond)
    return ndimage.gaussian_filter1d(middle, sigma, axis=0)


def windows(videos: NDArray[Any], length: int = LENGTH, stride: int = LENGTH) -> NDArray[np.int64]:
    """Cut frames into windows of one video each: the first and last frame of each, (W, 2).

    ``videos`` (F,) says which video each frame is of, a video's frames in a row. What is left over
    at a video's end, and a video that is too short, gives none.
    """
    edges = np.flatnonzero(videos[1:] != videos[:-1]) + 1
    starts, stops = [0, *edges], [*edges, len(videos)]
    first = [
        frame
        for start, stop in zip(starts, stops, strict=True)
        for frame in range(start, stop - length + 1, stride)
    ]
    return np.array(first, np.int64)[:, None] + np.array([0, length - 1])
