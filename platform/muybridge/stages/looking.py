"""What stages that look at pictures share: which frames, how many at a time, and who is who.

A stage looks at the frames that its clip answers for, and at a few after them which the next clip
looks at too: from those it is told who is the same person in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.errors import ClipError
from muybridge.tracking.track import Tracker
from muybridge.video.frames import Chunk

Floats = NDArray[np.floating[Any]]
Picture = NDArray[np.uint8]

READS = ("frames", "frame_index", "times", "core")
PEOPLE = ("frame_seen", "person_frame", "person_track", "person_score", "person_box")
AFTER = 2  # frames after the core to look at as well


def span(clip: Clip, after: int = AFTER, before: int = 0) -> tuple[int, int]:
    """Give the first row to look at and the one to stop before: the core, and so many around it."""
    start, stop = (int(np.searchsorted(clip["frame_index"], frame)) for frame in clip["core"])
    return max(start - before, 0), min(stop + after, len(clip["frame_index"]))


def chunks(clip: Clip, size: int, after: int = AFTER, before: int = 0) -> Iterator[Chunk]:
    """Yield rows (N,) and their pictures (N, H, W, 3), at most ``size`` at a time.

    A chunk's pictures are valid until the next one is asked for.
    """
    yield from clip["frames"].chunks(size, *span(clip, after, before))


def populated(clip: Clip, size: int) -> Iterator[Chunk]:
    """Yield, as ``chunks`` does, the rows and pictures in which somebody was found."""
    frame = clip["person_frame"]  # rises
    if not len(frame):
        return
    for rows, pictures in clip["frames"].chunks(size, int(frame[0]), int(frame[-1]) + 1):
        with_people = np.isin(rows, frame)
        if with_people.any():
            yield rows[with_people], pictures[with_people]


def in_pictures(clip: Clip, size: int) -> Iterator[tuple[int, Picture]]:
    """Yield every person (a row of the clip's people) with the picture (H, W, 3) they are in.

    At most ``size`` pictures are held at a time.
    """
    for rows, pictures in populated(clip, size):
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            for person in np.flatnonzero(clip["person_frame"] == row).tolist():
                yield person, picture


def found(clip: Clip, seen: int) -> None:
    """Raise ClipError if fewer people were seen in pictures than had been found."""
    people = len(clip["person_frame"])
    if lost := people - seen:
        raise ClipError(
            f"{people} people were found, but {lost} of them are in frames that could not be "
            "decoded again; is the video being changed?"
        )


def frame_seen(clip: Clip, rows: Iterable[int]) -> NDArray[np.bool_]:
    """Mark the rows that were looked at: (T,)."""
    return np.isin(np.arange(len(clip["frame_index"])), list(rows))


def people(
    rows: Sequence[int],
    times: Floats,
    boxes: Sequence[Floats],
    scores: Sequence[Floats],
    ids: Sequence[NDArray[np.int32]] | None = None,
) -> dict[str, Any]:
    """Make the columns ``person_*`` of those found in each of ``rows``, row by row.

    Row i of a clip is shown at ``times[i]`` seconds; ``boxes`` are (N, 4) in pixels and ``scores``
    (N,) for each of the rows. Who is who ``ids`` (N,) say, or else how the boxes move.
    """
    if ids is None:
        tracker = Tracker()
        ids = [tracker.update(float(times[r]), box) for r, box in zip(rows, boxes, strict=True)]
    return {
        "person_frame": np.repeat(np.array(rows, np.int32), [len(box) for box in boxes]),
        "person_track": renumbered(np.concatenate([np.empty(0, np.int32), *ids])),
        "person_score": np.concatenate([np.empty(0), *scores]).astype(np.float32),
        "person_box": np.concatenate([np.empty((0, 4)), *boxes]).astype(np.float32),
    }


def renumbered(track: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number tracks (P,) from 0 in order of first appearance."""
    _, first, inverse = np.unique(track, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)
