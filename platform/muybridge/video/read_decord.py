"""Decode with decord, where asked to, plain files whose frames it counts as the index does.

decord knows a frame only by its number. So it must agree with the clip about when each wanted frame
is shown, and it must not repair: it would hand out copies of other frames for damaged ones. It has
no word for damage that its codec conceals: such frames come out as if they were sound.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.video.container import check_version, faults, file_version

NO_REPAIRS = 1e-9  # share of the frames that decord may invent before it gives up


class DecordError(Exception):
    """Say that decord failed or does not agree with the index, so that PyAV takes over."""


class DecordReader:
    """Hold one open video, and the number of the frame that comes next."""

    def __init__(self, clip: Clip, progress: Callable[[], None]) -> None:
        self._progress, self._size = progress, (clip["height"], clip["width"])
        self._reader = _open(os.path.abspath(clip["source"]))
        self._next = 0

    def read(self, clip: Clip, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (row, picture (H, W, 3) RGB as shown) for the clip's rows, or raise DecordError.

        Raises VideoError where the file is another than the one that was planned.
        """
        self._check(clip)
        numbers, times = clip["frame_index"][start:stop], clip["times"][start:stop]
        self._agree(numbers, times)
        for row, number in enumerate(numbers.tolist(), start):
            yield row, self._picture(number)
        self._check(clip)

    def _check(self, clip: Clip) -> None:
        with faults(clip["source"]):
            check_version(clip, file_version(clip["source"]))

    def close(self) -> None:
        """Close the file."""
        del self._reader

    def _agree(self, numbers: NDArray[np.int64], times: NDArray[np.float64]) -> None:
        if len(numbers) and numbers[-1] >= len(self._reader):
            raise DecordError("it counts fewer frames")
        shown = self._reader.get_frame_timestamp(numbers)[:, 0]
        if not np.allclose(shown, times, rtol=1e-6, atol=1e-3):
            raise DecordError("it shows the frames at other times")

    def _picture(self, number: int) -> NDArray[np.uint8]:
        try:
            if number != self._next:
                self._reader.seek_accurate(number)
            picture = self._reader.next().asnumpy()
        except Exception as error:  # its own errors share no narrower class; PyAV judges the file
            raise DecordError(str(error)) from error
        self._progress()
        self._next = number + 1
        if picture.shape[:2] != self._size:
            raise DecordError("the picture has another size")
        return picture


def _open(path: str) -> Any:
    try:
        import decord
    except ImportError as error:  # there is no wheel for this machine
        raise DecordError(str(error)) from error
    decord.logging.set_level(decord.logging.QUIET)
    try:
        return decord.VideoReader(path, decord.cpu(0), num_threads=1, fault_tol=NO_REPAIRS)
    except Exception as error:  # its own errors share no narrower class; PyAV judges the file
        raise DecordError(str(error)) from error
