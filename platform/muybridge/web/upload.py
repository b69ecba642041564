"""Uploads: a multipart body streamed to disk, refused as soon as it is known to be too large.

Writing happens between two reads of the network and in the same thread, so a slow disk slows the
sender down instead of filling the memory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from muybridge.web.refusal import Refusal

FIELD_BYTES = 1024
FORM_BYTES = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """Hold one received file: where it lies, its sender's name for it, the form's other fields."""

    path: Path
    name: str
    fields: dict[str, str]


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int) -> AsyncIterator[Upload]:
    """Receive the request's file into ``folder``; it is gone when the block is left, however."""
    boundary = _boundary(request)
    if int(request.headers.get("content-length", "0")) > max_bytes + FORM_BYTES:
        raise _too_large(max_bytes)
    with tempfile.TemporaryDirectory(dir=folder, prefix="upload-") as own:
        form = _Form(Path(own), max_bytes)
        try:
            await form.read(request, boundary)
        finally:
            form.close()
        yield form.upload()


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refusal(
            415,
            "not_multipart",
            "send the video as the field 'file' of a multipart/form-data body; this request's "
            f"Content-Type is {request.headers.get('content-type', 'missing')!r}",
        )
    return options[b"boundary"]


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(
        413, "too_large", f"the file is larger than the {max_bytes:,} bytes this server takes"
    )


class _Form:
    """Take a multipart body apart: the part called ``file`` goes to disk, short fields are kept."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._header, self._value = b"", b""
        self._disposition = b""
        self._field = ""
        self._fields: dict[str, bytes] = {}
        self._file: BinaryIO | None = None
        self._path = folder
        self._name = ""
        self._bytes = 0
        self._ended = False

    async def read(self, request: Request, boundary: bytes) -> None:
        """Feed the request's body through the parser."""
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )
        try:
            async for chunk in request.stream():
                parser.write(chunk)
        except MultipartParseError as error:
            raise Refusal(400, "bad_form", f"the multipart body cannot be read: {error}") from None

    def upload(self) -> Upload:
        """Give what was received, or say what is wrong with it."""
        if not self._ended:
            raise Refusal(400, "bad_form", "the multipart body ends before its last boundary")
        if self._file is None:
            raise Refusal(422, "no_file", "the form has no field 'file' with a video or a picture")
        if not self._bytes:
            raise Refusal(422, "empty", f"{self._name}: the file is empty")
        fields = {name: value.decode(errors="replace") for name, value in self._fields.items()}
        return Upload(self._path, self._name, fields)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def _on_part_begin(self) -> None:
        self._header, self._value, self._disposition, self._field = b"", b"", b"", ""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        self._field = options.get(b"name", b"").decode(errors="replace")
        if self._field != "file":
            self._fields[self._field] = b""
            return
        if self._file is not None:
            raise Refusal(
                422, "many_files", "the form has more than one 'file'; send them one by one"
            )
        name = options.get(b"filename", b"upload").decode(errors="replace")
        self._name = name or "upload"  # names rows only; the file on disk is called otherwise
        suffix = re.search(r"\.[A-Za-z0-9]{1,8}$", self._name)
        self._path = self._folder / f"upload{suffix.group() if suffix else ''}"
        self._file = self._path.open("wb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field != "file" or self._file is None:
            self._fields[self._field] += data[start:end]
            if sum(map(len, self._fields.values())) > FIELD_BYTES:
                raise Refusal(400, "bad_form", "the form's fields besides 'file' are too long")
            return
        self._bytes += end - start
        if self._bytes > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._file.write(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
