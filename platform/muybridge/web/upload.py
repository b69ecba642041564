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
MOST_FILES = 64


@dataclass(frozen=True)
class File:
    """Be one received file: the form's field that it came in, its sender's name, where it lies."""

    field: str
    name: str
    path: Path


@dataclass(frozen=True)
class Upload:
    """Hold what was received: files in the order of the form, and its other fields."""

    files: tuple[File, ...]
    fields: dict[str, str]

    def only(self) -> File:
        """Give the one file of a form that has one, or refuse it."""
        if strange := [file.field for file in self.files if file.field != "file"]:
            found = f"it has {', '.join(strange)}"
            raise Refusal(422, "no_file", f"send a video or a picture as the field 'file'; {found}")
        if not self.files:
            raise Refusal(422, "no_file", "the form has no field 'file' with a video or a picture")
        if len(self.files) > 1:
            raise Refusal(
                422, "many_files", "the form has more than one 'file'; send them one by one"
            )
        return self.files[0]


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int) -> AsyncIterator[Upload]:
    """Receive the request's files into ``folder``; they are gone when the block is left, however.

    ``max_bytes`` is what they may have together.
    """
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
            "send videos as files of a multipart/form-data body; this request's "
            f"Content-Type is {request.headers.get('content-type', 'missing')!r}",
        )
    return options[b"boundary"]


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(
        413, "too_large", f"what was sent is larger than the {max_bytes:,} bytes this server takes"
    )


class _Form:
    """Take a multipart body apart: files go to disk, short fields are kept.

    A part is a file if it has a file's name, or is called ``file``.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._header, self._value = b"", b""
        self._disposition = b""
        self._field = ""
        self._fields: dict[str, bytes] = {}
        self._files: list[File] = []
        self._open: BinaryIO | None = None
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
        self.close()
        for file in self._files:
            if not file.path.stat().st_size:
                raise Refusal(422, "empty", f"{file.name}: the file is empty")
        fields = {name: value.decode(errors="replace") for name, value in self._fields.items()}
        return Upload(tuple(self._files), fields)

    def close(self) -> None:
        """Close the file that is being written, if there is one."""
        if self._open is not None:
            self._open.close()

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
        self.close()
        self._open = None
        if self._field != "file" and b"filename" not in options:
            self._fields[self._field] = b""
            return
        if len(self._files) == MOST_FILES:
            raise Refusal(422, "many_files", f"the form has more than {MOST_FILES} files")
        name = options.get(b"filename", b"").decode(errors="replace") or "upload"
        suffix = re.search(r"\.[A-Za-z0-9]{1,8}$", name)  # the file on disk is called otherwise
        number = str(len(self._files) or "")
        path = self._folder / f"upload{number}{suffix.group() if suffix else ''}"
        self._files.append(File(self._field, name, path))
        self._open = path.open("wb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._open is None:
            self._fields[self._field] += data[start:end]
            if sum(map(len, self._fields.values())) > FIELD_BYTES:
                raise Refusal(400, "bad_form", "the form's fields besides files are too long")
            return
        self._bytes += end - start
        if self._bytes > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._open.write(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
