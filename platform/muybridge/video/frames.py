"""The frames of a clip, handed out a few at a time so that memory does not grow with the clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Chunk = tuple[NDArray[np.int64], NDArray[np.uint8]]


class Frames(Protocol):
    """Be the frames that a clip asked for: ``shape`` is (T, H, W, 3).

    ``chunks(size, start, stop)`` yields, in order, (rows (n,) int64, pictures (n, H, W, 3) RGB
    uint8) with n <= size, for the rows from ``start`` up to ``stop`` (T if None). ``rows`` are
    positions among the T frames; those that could not be decoded are left out. A chunk's pictures
    are valid until the next one is asked for: copy what must stay. Every call decodes afresh, and
    only what it was asked for. Pickling decodes everything.
    """

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    def chunks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Chunk]: ...


@dataclass(frozen=True)
class DecodedFrames:
    """Hold decoded frames: ``pictures`` (N, H, W, 3) and their ``rows`` (N,) of ``total``."""

    pictures: NDArray[np.uint8]
    rows: NDArray[np.int64]
    total: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        height, width = self.pictures.shape[1:3]
        return self.total, height, width, 3

    def chunks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Chunk]:
        stop = self.total if stop is None else stop
        first, last = np.searchsorted(self.rows, (start, stop))
        for at in range(first, last, size):
            yield self.rows[at : min(at + size, last)], self.pictures[at : min(at + size, last)]
