"""Decode exactly the frames asked for with PyAV, which is right on nearly everything.

A frame is known by its presentation timestamp. To reach one, jump to a key frame at or before it
and decode until it is met; if the first frame that comes out is later, jump further back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from muybridge.columns import Clip
from muybridge.video.container import check_version, close, faults, open_container, version
from muybridge.video.damage import decode_checked

STEPS_BACK = (0.0, 1.0, 5.0, math.inf)  # seconds before the wanted frame; at last from the start
WORTH_A_JUMP = 0.5  # seconds: nearer frames are reached by decoding what lies between
BLIND_JUMP = 10.0  # seconds: jump that far where the container does not say where key frames are


class PyavReader:
    """Hold one open video, and the frame at which it stands."""

    def __init__(self, clip: Clip, progress: Callable[[], None]) -> None:
        self._source, self._stream_index = clip["source"], clip["stream"]
        self._turns = clip["rotation"] // 90
        size = clip["width"], clip["height"]
        self._width, self._height = size[::-1] if self._turns % 2 else size
        self._progress = progress
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._open()

    def read(self, clip: Clip, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (row, picture (H, W, 3) RGB as shown) for the clip's rows that can be decoded.

        Raises VideoError, also where the file is another than the one that was planned.
        """
        check_version(clip, version(self._container))
        with faults(self._source, "damaged"):
            for row in range(start, stop):
                frame = self._find(int(clip["pts"][row]))
                if frame is not None:
                    yield row, self._shown(frame)
        check_version(clip, version(self._container))

    def close(self) -> None:
        """Close the file; a container left to the garbage collector keeps its memory."""
        self._frames.close()
        close(self._container)

    def _open(self) -> None:
        if self._container is not None:
            self.close()
        self._container = open_container(self._source, self._progress)
        self._stream = self._container.streams[self._stream_index]
        self._stream.thread_count = 1
        self._stand(complete_from=-math.inf)

    def _stand(self, complete_from: float | None) -> None:
        """Forget what was decoded; every frame after ``complete_from`` is still to come."""
        self._frames = self._decoded()
        self._complete_from = complete_from
        self._before: float = -math.inf
        self._label: float = -math.inf
        self._frame: Any = None

    def _find(self, pts: int) -> Any:
        """Decode the frame at ``pts``; None if it cannot be had."""
        if self._frame is None and self._label != math.inf:
            self._step()
        if self._ahead(pts) and not self._worth_a_jump(pts):
            return self._advance(pts)
        for seconds in STEPS_BACK:
            self._jump(pts, seconds)
            frame = self._advance(pts)
            if frame is not None or self._ahead(pts):
                return frame
        return None

    def _ahead(self, pts: int) -> bool:
        """Tell whether going on from here meets the frame at ``pts`` or shows it cannot be had."""
        return self._complete_from is not None and max(self._complete_from, self._before + 1) <= pts

    def _advance(self, pts: int) -> Any:
        while self._label < pts:
            self._step()
        return self._frame if self._label == pts else None

    def _step(self) -> None:
        self._before = self._label
        self._label, self._frame = next(self._frames, (math.inf, None))
        if self._complete_from is None:
            self._complete_from = self._label

    def _worth_a_jump(self, pts: int) -> bool:
        seconds = (pts - self._label) * self._stream.time_base
        if self._label == math.inf or seconds < WORTH_A_JUMP:
            return False
        entries = self._stream.index_entries
        if not len(entries) or entries[-1].timestamp < pts:
            return seconds > BLIND_JUMP
        key = entries.search_timestamp(pts, backward=True)
        return key >= 0 and entries[key].timestamp > self._label

    def _jump(self, pts: int, seconds_before: float) -> None:
        if seconds_before == math.inf:
            self._open()
            return
        target = pts - round(seconds_before / self._stream.time_base)
        try:
            self._frames.close()
            self._container.seek(target, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            self._open()
        else:
            self._stand(complete_from=None)

    def _decoded(self) -> Generator[tuple[int, Any], None, None]:
        """Yield (label, frame) from here to the end, leaving out what is damaged."""
        label = _ordered if self._container.format.name == "avi" else _presented
        frames = decode_checked(self._stream.codec_context, self._packets(), self._decode)
        yield from ((at, frame) for at, frame, sound in label(frames) if sound)

    def _decode(self, packet: Any) -> Any:
        self._progress()
        return self._stream.decode(packet)

    def _packets(self) -> Iterator[Any]:
        """Yield packets up to where the file breaks off, then None to empty the decoder."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except av.error.InvalidDataError:
            pass
        yield None

    def _shown(self, frame: Any) -> NDArray[np.uint8]:
        rgb = self._reformatter.reformat(frame, self._width, self._height, "rgb24", threads=1)
        plane: Any = rgb.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        picture = rows[: self._height, : self._width * 3].reshape(self._height, self._width, 3)
        return np.rot90(picture, self._turns)


def _presented(frames: Iterator[tuple[Any, bool]]) -> Iterator[tuple[int, Any, bool]]:
    """Know frames by their presentation times."""
    return ((frame.pts, frame, sound) for frame, sound in frames if frame.pts is not None)


def _ordered(frames: Iterator[tuple[Any, bool]]) -> Iterator[tuple[int, Any, bool]]:
    """Know the frames of an AVI file by their decoding times, beginning with a key frame's own.

    AVI holds no presentation times, and those guessed for B-frames are swapped between neighbours.
    """
    delay, label = None, 0
    for frame, sound in frames:
        if delay is None:
            delay = frame.dts - frame.pts if frame.dts is not None else 0
            label = frame.pts - 1
        label = label + 1 if frame.dts is None else frame.dts - delay
        yield label, frame, sound
