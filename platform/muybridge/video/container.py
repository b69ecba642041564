"""Open a video with PyAV and find its pictures: what probing and decoding have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import av
from av.stream import Disposition

from muybridge.errors import VideoError

MISSING = (av.error.FileNotFoundError, av.error.HTTPNotFoundError)
OPTIONS = {"pattern_type": "none", "reconnect": "1"}  # a name like %03d.png is one picture's name

# text that names other files, which ffmpeg would open, wherever on this machine they are
PLAYLISTS = (
    b"#extm3u",
    b"ffconcat",
    b"<mpd",
    b"<cpl",
    b"compositionplaylist",
    b"v=0",
    b"[playlist",
)


def is_url(source: str) -> bool:
    """Tell an http address from a local path."""
    return source.startswith(("http://", "https://"))


def named(source: str) -> str:
    """Name a source without the query of its URL, which may hold a signature."""
    return urlsplit(source)._replace(query="", fragment="").geturl() if is_url(source) else source


@contextmanager
def faults(source: str, kind: str = "unreadable") -> Iterator[None]:
    """Turn what ffmpeg raises into a VideoError of ``kind`` that names the source."""
    try:
        yield
    except MISSING as error:
        raise VideoError("missing", named(source), error.strerror) from None
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(kind, named(source), error.strerror or type(error).__name__) from None


def open_container(source: str) -> Any:
    """Open a local path or a URL for reading, or raise VideoError."""
    if not is_url(source) and os.path.isfile(source):
        _refuse(source)
    with faults(source):
        try:
            return av.open(source if is_url(source) else f"file:{source}", options=OPTIONS)
        except av.error.InvalidDataError as error:
            cause = f"not a video, or one that was cut off before its index ({error.strerror})"
            raise VideoError("unreadable", named(source), cause) from None


def _refuse(path: str) -> None:
    """Raise VideoError for a file that holds nothing, or nothing but the names of other files."""
    with faults(path), open(path, "rb") as file:
        head = file.read(1 << 16)
    if not head:
        raise VideoError("unreadable", path, "the file has zero bytes")
    text = head.partition(b"\0")[0].lower()
    if any(mark in text for mark in PLAYLISTS):
        raise VideoError("unreadable", path, "it is a playlist; give the video itself")


def picture_streams(container: Any) -> list[Any]:
    """List the video streams that are not cover pictures."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
