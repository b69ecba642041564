"""Read a file over HTTP by ranges, so that nothing which is cut off passes as the end of a file.

ffmpeg's own HTTP client reconnects, too, but where that fails most of its demuxers take the error
for the end of the file, or for a broken one. Here every byte asked for arrives or an error says why
not, with a kind; and all bytes are of one version of the file, by its ETag.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from muybridge.errors import VideoError, http_kind

CONNECT_S, SILENT_S = 10.0, 15.0
RETRIES = 3  # of a request that is not answered, or of a body that breaks off without a byte
RETRY_STATUSES = (408, 425, 429, 500, 502, 503, 504)
BACKOFF_S, MAX_BACKOFF_S = 0.3, 5.0
NEAR_BYTES = 1 << 18  # forward seeks up to here read on instead of asking anew


class RemoteFile(io.RawIOBase):
    """Be a file at a URL, opened at once; ``size`` is in bytes, ``tag`` its ETag or time.

    Every failure raises VideoError. ``progress`` is called as bytes go by: a long index may take
    minutes to arrive.
    """

    def __init__(self, url: str, progress: Callable[[], None] = lambda: None) -> None:
        self.name = urlsplit(url).path  # ffmpeg guesses a few formats by it
        self._url, self._progress = url, progress
        self._label = urlsplit(url)._replace(query="", fragment="").geturl()
        self._session = requests.Session()
        retries = Retry(
            total=RETRIES,
            status_forcelist=RETRY_STATUSES,
            backoff_factor=BACKOFF_S,
            backoff_max=MAX_BACKOFF_S,
            backoff_jitter=BACKOFF_S,
            raise_on_status=False,
            respect_retry_after_header=False,  # it may ask for hours
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retries))
        if bundle := os.environ.get("AWS_CA_BUNDLE"):
            self._session.verify = bundle
        self._position = self._body_at = 0
        self._body: Any = None
        self.size, self.tag = -1, ""
        try:
            self._ask()
        except BaseException:
            self.close()
            raise

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something; only the file's end gives 0."""
        self._progress()
        for failed in range(RETRIES + 1):
            try:
                data = self._some(len(buffer))
                break
            except (HTTPError, OSError) as error:
                self._drop()
                if failed == RETRIES:
                    raise self._failure("unavailable", f"it broke off ({error})") from None
        buffer[: len(data)] = data
        self._position += len(data)
        self._body_at = self._position
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; nothing is asked for before something is read."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if start < 0:
            raise io.UnsupportedOperation("the size of the file is not known")
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """Give the position that is read next."""
        return self._position

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell whether any position can be gone to, which takes a known size."""
        return self.size >= 0

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._drop()
            self._session.close()
        super().close()

    def _some(self, count: int) -> bytes:
        """Read up to ``count`` bytes at the position; b"" is the end of the file."""
        if 0 <= self.size <= self._position:
            return b""
        ahead = self._position - self._body_at
        if self._body is None or not 0 <= ahead <= NEAR_BYTES:
            self._drop()
            self._ask()
            ahead = self._position - self._body_at
        while ahead > 0:  # a near position, or a server that knows no ranges
            skipped = len(self._body.raw.read(min(ahead, NEAR_BYTES)))
            if not skipped:
                raise ConnectionError("the server sent less than it said")
            self._body_at += skipped
            ahead -= skipped
        data: bytes = self._body.raw.read(count)
        if not data and self.size >= 0:
            raise ConnectionError("the server sent less than it said")
        return data

    def _ask(self) -> None:
        """Ask for all bytes from the position on, of the version that was read before."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={self._position}-"}
        try:
            body = self._session.get(
                self._url, headers=headers, stream=True, timeout=(CONNECT_S, SILENT_S)
            )
        except requests.exceptions.InvalidURL as error:
            raise self._failure("unreadable", str(error)) from None
        except requests.exceptions.RequestException as error:
            raise self._failure("unavailable", _reason(error)) from None
        if body.status_code == 416 and self._position == 0:  # nothing is a range of no bytes
            body.close()
            raise self._failure("unreadable", "the file has zero bytes")
        if body.status_code >= 400:
            found = re.search(rb"<Code>(\w+)</Code>", body.raw.read(1 << 12))  # S3's own word
            code = found[1].decode() if found else ""
            body.close()
            cause = f"the server says {body.status_code} {code or body.reason}"
            raise self._failure(http_kind(body.status_code, code), cause)
        size, tag = _size(body), _tag(body)
        if self.size >= 0 and (size, tag) != (self.size, self.tag):
            body.close()
            raise self._failure("changed", "it was replaced while it was read")
        self.size, self.tag = size, tag
        self._body = body
        self._body_at = self._position if body.status_code == 206 else 0

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = None

    def _failure(self, kind: str, cause: str) -> VideoError:
        return VideoError(kind, self._label, cause)


def _size(body: requests.Response) -> int:
    """Read the whole file's size from an answer; -1 where the server does not say."""
    if found := re.search(r"/(\d+)$", body.headers.get("Content-Range", "")):
        return int(found[1])
    return int(body.headers.get("Content-Length", -1))


def _tag(body: requests.Response) -> str:
    return str(body.headers.get("ETag") or body.headers.get("Last-Modified") or "").strip('"')


def _reason(error: Exception) -> str:
    """Say in words why there was no answer, without the address that urllib3 repeats."""
    deepest: BaseException = error
    while (inner := deepest.__cause__ or deepest.__context__) is not None:
        deepest = inner
    return f"no answer ({getattr(deepest, 'strerror', '') or type(deepest).__name__})"
