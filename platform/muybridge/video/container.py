"""Open a video with PyAV and find its pictures: what probing and decoding have in common."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import av
from av.stream import Disposition

from muybridge.columns import Clip
from muybridge.errors import VideoError, is_transient, kind_of
from muybridge.video.remote import RemoteFile

OPTIONS = {"pattern_type": "none"}  # a name like %03d.png is one picture's name
HEAD_BYTES = 1 << 16
BUFFER_BYTES = 1 << 17

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
    """Turn what ffmpeg or the system raises into a VideoError that names the source.

    Its kind is that of a transient error where it is one, else ``kind``.
    """
    try:
        yield
    except (av.error.DecoderNotFoundError, av.error.PatchWelcomeError) as error:
        raise VideoError("codec", named(source), error.strerror) from None
    except (av.error.FFmpegError, OSError) as error:
        own = kind_of(error)
        cause = error.strerror or type(error).__name__
        raise VideoError(own if is_transient(own) else kind, named(source), cause) from None


def open_container(source: str, progress: Callable[[], None] = lambda: None) -> Any:
    """Open a local path or a URL for reading, or raise VideoError; ``close`` it afterwards.

    ffmpeg reads through Python, so that a disk or a server that breaks off raises an error: most of
    its demuxers would take it for the end of the file. ``progress`` is called as bytes come
    from a server.
    """
    with faults(source):
        file = RemoteFile(source, progress) if is_url(source) else io.FileIO(source)
        try:
            _refuse(source, file)
            file.seek(0)
            return av.open(file, options=OPTIONS, buffer_size=BUFFER_BYTES)
        except av.error.InvalidDataError as error:
            file.close()
            cause = f"not a video, or one that was cut off before its index ({error.strerror})"
            raise VideoError("unreadable", named(source), cause) from None
        except BaseException:
            file.close()
            raise


def close(container: Any) -> None:
    """Close a container and the file that it reads; left to garbage collection both stay."""
    file = container.file.file
    container.close()
    file.close()


def version(container: Any) -> tuple[int, str]:
    """Give the size in bytes and the tag (``store.inputs.Input``) of the file that is open."""
    file = container.file.file
    if isinstance(file, RemoteFile):
        return file.size, file.tag
    return file_version(file.fileno())


def file_version(file: str | int) -> tuple[int, str]:
    """Give the size in bytes and the tag of a file: its modification time in ns."""
    status = os.stat(file)
    return status.st_size, str(status.st_mtime_ns)


def check_version(clip: Clip, found: tuple[int, str]) -> None:
    """Raise VideoError unless the file found is the one that was planned, as far as is known."""
    if clip["tag"] and found != (clip["size"], clip["tag"]):
        source = named(clip["source"])
        raise VideoError("changed", source, "it was replaced or written to since it was planned")


def _refuse(source: str, file: io.RawIOBase) -> None:
    """Raise VideoError for a file that holds nothing, or nothing but the names of other files."""
    head = file.read(HEAD_BYTES) or b""
    if not head:
        raise VideoError("unreadable", named(source), "the file has zero bytes")
    text = head.partition(b"\0")[0].lower()
    if any(mark in text for mark in PLAYLISTS):
        raise VideoError("unreadable", named(source), "it is a playlist; give the video itself")


def picture_streams(container: Any) -> list[Any]:
    """List the video streams that are not cover pictures."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
