"""Read a video's index: its streams, sizes and the presentation time of every frame.

Packets are read, not decoded, but for those up to the first picture: the rotation stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from muybridge.errors import VideoError
from muybridge.video.container import (
    close,
    faults,
    is_url,
    named,
    open_container,
    picture_streams,
    version,
)

DECORD_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
DECORD_CODECS = ("h264", "hevc", "vp9")
DECORD_FORMATS = ("yuv420p", "yuvj420p")
DECORD_GOP = 600  # frames
DECORD_BYTES = 256_000_000  # of all pictures: it decodes ahead of a slow reader without bound
SQUARE = Fraction(1, 100)  # pixels whose sides differ by less count as square


@dataclass(frozen=True)
class VideoIndex:
    """Hold what is known of a video before any clip of it is decoded.

    ``width`` and ``height`` are those of a frame as shown: turned by ``rotation`` degrees
    counter-clockwise and with square pixels. ``pts`` (N,) are presentation timestamps in order,
    ``keyframes`` (M,) frame numbers, ``origin`` the timestamp that counts as 0 s. ``size`` (bytes)
    and ``tag`` are those of the file that was read (``store.inputs.Input``). ``plain`` tells
    whether decord is known to find the right frames in it.
    """

    source: str
    stream: int
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    time_base: Fraction
    pts: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    fps: float
    has_audio: bool
    plain: bool
    origin: int = 0
    size: int = 0
    tag: str = ""

    @property
    def times(self) -> NDArray[np.float64]:
        """Say when each frame is shown: (N,) seconds."""
        return (self.pts - self.origin) * self.time_base.numerator / self.time_base.denominator

    def info(self) -> dict[str, Any]:
        """Tell the columns of the table ``videos`` that a probe knows."""
        last_s = 1 / self.fps if self.fps else 0.0  # how long the last frame is shown
        return {
            "container": self.container,
            "codec": self.codec,
            "width": self.width,
            "height": self.height,
            "rotation": self.rotation,
            "frames": len(self.pts),
            "fps": self.fps,
            "start_s": float(self.times[0]),
            "duration_s": float(self.times[-1] - self.times[0]) + last_s,
            "has_audio": self.has_audio,
        }


@dataclass
class _Packets:
    """Gather one stream's packets, in the order in which they are decoded."""

    pts: list[int | None]
    keyframes: list[int]
    hidden: int = 0
    picture: Any = None


def _nothing() -> None:
    pass


def probe(source: str, progress: Callable[[], None] = _nothing) -> VideoIndex:
    """Index a local path or URL, or raise VideoError; ``progress`` is called as packets go by."""
    container = open_container(source, progress)
    try:
        with faults(source):
            return _probe(source, container, progress)
    finally:
        close(container)


def _probe(source: str, container: Any, progress: Callable[[], None]) -> VideoIndex:
    size, tag = version(container)
    streams = picture_streams(container)
    if not streams:
        raise VideoError("no_video", named(source), "it holds no video stream")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError("codec", named(source), "no decoder for its codec is known")
    stream.thread_count = 1
    packets = _packets(container, stream, progress)
    if version(container) != (size, tag):
        raise VideoError("changed", named(source), "it was written to while it was read")
    return replace(_index(source, container, stream, packets), size=size, tag=tag)


def _packets(container: Any, stream: Any, progress: Callable[[], None]) -> _Packets:
    found = _Packets([], [])
    for packet in _readable(container, stream):
        progress()
        if found.picture is None:
            found.picture = _first_picture(packet)
        if not packet.size:
            continue
        if packet.is_discard or _invisible(stream, packet):
            found.hidden += 1
            continue
        if packet.is_keyframe and packet.pts is not None:
            found.keyframes.append(packet.pts)
        found.pts.append(packet.pts)
    return found


def _readable(container: Any, stream: Any) -> Iterator[Any]:
    """Yield packets up to where the file breaks off: what stands before can still be used."""
    try:
        yield from container.demux(stream)
    except av.error.InvalidDataError:
        return


def _first_picture(packet: Any) -> Any:
    try:
        return next(iter(packet.decode()), None)
    except av.error.FFmpegError:
        return None


def _invisible(stream: Any, packet: Any) -> bool:
    """Tell VP8's alternate reference frames, which are packets but never shown."""
    return stream.codec_context.name == "vp8" and not bytes(packet)[0] & 0x10


def _index(source: str, container: Any, stream: Any, packets: _Packets) -> VideoIndex:
    if not packets.pts:
        raise VideoError("empty", named(source), "its video stream holds no frame")
    if packets.picture is None:
        cause = f"none of its {len(packets.pts)} frames could be decoded"
        raise VideoError("damaged", named(source), cause)
    if packets.pts == [None]:
        packets.pts, packets.keyframes = [0], [0]
    if None in packets.pts:
        cause = "its frames carry no presentation times; put it into an MP4 or Matroska file"
        raise VideoError("unreadable", named(source), cause)
    pts = np.unique(np.array(packets.pts, np.int64))
    keyframes = np.searchsorted(pts, np.unique(np.array(packets.keyframes, np.int64)))
    rotation = round(packets.picture.rotation / 90) * 90 % 360
    width, height = _shown_size(stream, rotation)
    plain = rotation == 0 and _plain(source, container, stream, packets, pts)
    return VideoIndex(
        source=source,
        stream=stream.index,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width=width,
        height=height,
        rotation=rotation,
        time_base=stream.time_base,
        pts=pts,
        keyframes=keyframes,
        fps=_fps(stream, pts),
        has_audio=bool(container.streams.audio),
        plain=plain and _short(keyframes, len(pts), width * height * 3),
        origin=int(pts[0]) if container.format.name == "avi" else 0,
    )


def _shown_size(stream: Any, rotation: int) -> tuple[int, int]:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = stream.width, stream.height
    if abs(aspect - 1) >= SQUARE:
        width = round(width * aspect)
    return (height, width) if rotation in (90, 270) else (width, height)


def _fps(stream: Any, pts: NDArray[np.int64]) -> float:
    if len(pts) > 1:
        return float((len(pts) - 1) / (int(pts[-1] - pts[0]) * stream.time_base))
    return float(stream.average_rate or 0)


def _plain(
    source: str, container: Any, stream: Any, packets: _Packets, pts: NDArray[np.int64]
) -> bool:
    """Tell whether decord is known to find the right frames in such a file."""
    return (
        not is_url(source)
        and container.format.name in DECORD_CONTAINERS
        and stream.codec_context.codec.canonical_name in DECORD_CODECS
        and stream.codec_context.pix_fmt in DECORD_FORMATS
        and len(container.streams.video) == 1  # decord takes the "best" stream, not the first
        and abs((stream.sample_aspect_ratio or 1) - 1) < SQUARE
        and not packets.hidden
        and len(pts) == len(packets.pts)
        and stream.frames in (0, len(pts))
        and pts[0] == 0  # decord loses start times
        and _closed(packets)
    )


def _short(keyframes: NDArray[np.int64], frames: int, picture_bytes: int) -> bool:
    """Tell whether decord can hold the video, and gives signs of life on its way to any frame."""
    near = np.diff(keyframes, prepend=0, append=frames).max() <= DECORD_GOP
    return bool(near) and frames * picture_bytes <= DECORD_BYTES


def _closed(packets: _Packets) -> bool:
    """Tell whether no frame that follows a key frame is shown before it.

    Such frames cannot be decoded after a jump to the key frame; decord counts frames from there.
    """
    keys, last_key = set(packets.keyframes), None
    for pts in packets.pts:
        assert pts is not None
        if pts in keys:
            last_key = pts
        if last_key is None or pts < last_key:
            return False
    return True
