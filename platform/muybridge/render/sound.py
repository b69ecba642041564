"""Lay the sound of one file into a movie, as it is where MP4 takes it, else as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # what players expect inside MP4


def begins(source: str) -> float:
    """Say when a file's first stream begins, in seconds; not before 0."""
    with av.open(source, metadata_errors="ignore") as file:
        return max((file.start_time or 0) / av.time_base, 0.0)


class Sound:
    """Hold the first sound stream of ``source``, a path or URL, on its way into ``movie``.

    ``origin`` is the time in seconds, in ``source``, that becomes 0 in the movie. ``fate`` says
    what becomes of the sound: ``none``, ``copied``, ``AAC instead of ...``, ``left out: ...``.
    """

    def __init__(self, source: str, movie: Any, origin: float) -> None:
        self._file = av.open(source, metadata_errors="ignore")
        self._stream: Any = next(iter(self._file.streams.audio), None)
        self._origin = origin
        self.fate, self._target = _lay(self._stream, movie)
        self._packets = iter(self._copied() if self.fate == "copied" else self._encoded())
        self._next = next(self._packets, None) if self._target else None

    def until(self, seconds: float) -> Iterator[Any]:
        """Yield the packets that begin up to a time in the movie, each only once."""
        while self._next is not None and _time(self._next) <= seconds:
            yield self._next
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the source."""
        self._file.close()

    def _copied(self) -> Iterator[Any]:
        for packet in self._file.demux(self._stream):
            if packet.dts is not None:  # the last one is empty
                shift = round(self._origin / packet.time_base)
                packet.pts = (packet.dts if packet.pts is None else packet.pts) - shift
                packet.dts -= shift
                packet.stream = self._target
                yield packet

    def _encoded(self) -> Iterator[Any]:
        for packet in self._file.demux(self._stream):
            with suppress(av.error.InvalidDataError):  # a damaged packet costs itself only
                for frame in packet.decode():
                    if frame.pts is not None:
                        frame.pts -= round(self._origin / frame.time_base)
                    yield from self._target.encode(frame)
        yield from self._target.encode(None)


def _lay(stream: Any, movie: Any) -> tuple[str, Any]:
    if stream is None:
        return "none", None
    if stream.codec_context is None:
        return "left out: there is no decoder for it", None
    name = stream.codec_context.codec.canonical_name
    if name in COPIED:
        return "copied", movie.add_stream_from_template(stream)
    layout = "mono" if stream.channels == 1 else "stereo"
    return f"AAC instead of {name}", movie.add_stream("aac", rate=stream.rate, layout=layout)


def _time(packet: Any) -> Fraction:
    return (packet.dts or 0) * packet.time_base
