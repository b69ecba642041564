"""Decode the frames of clips in this process: with PyAV, or with decord where the clip says so.

A file that hangs or crashes its decoder takes the process along; ``process`` guards against that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.video.read_decord import DecordError, DecordReader
from muybridge.video.read_pyav import PyavReader


def _nothing() -> None:
    pass


class Reader:
    """Keep the video that was read last open, so that reading on needs no new start.

    ``progress`` is called as packets go by, also while nothing can be handed out.
    """

    def __init__(self, progress: Callable[[], None] = _nothing) -> None:
        self._progress = progress
        self._open: PyavReader | DecordReader | None = None
        self._key: tuple[Any, ...] = ()

    def read(self, clip: Clip, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (row, picture (H, W, 3) RGB uint8 as shown) for rows ``start`` to ``stop``.

        Rows are positions in the clip's ``frame_index``. Frames that cannot be had are left out; a
        picture is valid until the next one.
        """
        if clip["decoder"] == "decord":
            try:
                for row, picture in self._reader(DecordReader, clip).read(clip, start, stop):
                    start = row + 1
                    yield row, picture
                return
            except DecordError:
                pass
        yield from self._reader(PyavReader, clip).read(clip, start, stop)

    def close(self) -> None:
        """Close the video that is open, if one is."""
        if self._open is not None:
            self._open.close()
        self._open, self._key = None, ()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _reader(
        self, kind: type[PyavReader] | type[DecordReader], clip: Clip
    ) -> PyavReader | DecordReader:
        named = ("source", "size", "tag", "stream", "width", "height", "rotation")
        key = (kind, *(clip[name] for name in named))
        if key != self._key:
            self.close()
            self._open, self._key = kind(clip, self._progress), key
        assert self._open is not None
        return self._open
