"""One analysis, from the upload to the last row: as one JSON document or a line a clip.

Everything a request holds (its place, its file, its clips under way) belongs to one task, so that
whatever ends the task, a client that goes away included, frees all of it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from muybridge.errors import MuybridgeError
from muybridge.web import refusal
from muybridge.web.refusal import Refusal
from muybridge.web.upload import Upload, received

LOG = logging.getLogger(__name__)
LINES = "application/x-ndjson"


class Table(Protocol):
    """Be a table of rows, as pyarrow's is."""

    def to_pylist(self) -> list[dict[str, Any]]: ...


Tables = Mapping[str, Table]
Rows = dict[str, list[str]]  # of each table, its rows as JSON
Work = Callable[[Upload, float | None], AsyncGenerator[Tables, None]]


@dataclass
class Places:
    """Count the requests under way, and refuse one too many."""

    most: int
    taken: int = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place, or refuse at once."""
        if self.taken >= self.most:
            message = (
                f"{self.most} requests are under way, which is all this server takes at a time"
            )
            raise Refusal(503, "busy", f"{message}; try again in {refusal.RETRY_AFTER_S} s")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(frozen=True)
class Wish:
    """Say what is wanted: ``tables``, ``fps`` (None: every frame), a line a clip or one JSON."""

    tables: tuple[str, ...]
    fps: float | None = None
    lines: bool = False


def wish(fields: Mapping[str, str], known: Sequence[str], lines: bool) -> Wish:
    """Read what the client wants from the query or the form."""
    names = tuple(name.strip() for name in fields.get("tables", "").split(",") if name.strip())
    if unknown := [name for name in names if name not in known]:
        raise Refusal(
            422, "tables", f"there is no table {unknown[0]!r}; there are {', '.join(known)}"
        )
    return Wish(names or tuple(known), _fps(fields.get("fps", "")), lines)


def _fps(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        fps = float(text)
    except ValueError:
        fps = math.nan
    if not 0 < fps <= 1000:
        raise Refusal(422, "fps", f"fps is {text!r}; give frames a second between 0 and 1000")
    return fps


@dataclass(frozen=True)
class Answer:
    """Receive the upload, analyse it, and send the rows: an ASGI application for one path.

    ``work`` takes what was sent and the wanted frames a second; it may refuse.
    """

    work: Work
    places: Places
    tables: Sequence[str]
    folder: Path
    max_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = dict(request.query_params)
        lines = LINES in request.headers.get("accept", "")
        wish(query, self.tables, lines)  # refuse before the upload is read
        with self.places.place():
            async with received(request, self.folder, self.max_bytes) as upload:
                wanted = wish({**query, **upload.fields}, self.tables, lines)
                async with aclosing(self._clips(upload, wanted)) as clips:
                    deliver = _send_lines if wanted.lines else _send_document
                    rest = await _until_gone(receive, deliver(clips, wanted, send))
        await _write(send, rest, last=True)  # whoever has the whole answer finds the place free

    async def _clips(self, upload: Upload, wanted: Wish) -> AsyncGenerator[Rows, None]:
        """Yield each clip's rows; every fault leaves as a refusal that names the client's file."""
        try:
            async with aclosing(self.work(upload, wanted.fps)) as clips:
                async for tables in clips:
                    yield await asyncio.to_thread(_encode, tables, wanted.tables)
        except Refusal:
            raise
        except MuybridgeError as error:
            message = str(error)
            for file in upload.files:
                message = message.replace(str(file.path), file.name)
            raise Refusal(422, error.kind, message) from None
        except Exception:
            names = ", ".join(file.name for file in upload.files)
            LOG.exception("the analysis of %s failed", names)
            message = f"{names}: the analysis failed; the server's log says why"
            raise Refusal(500, "internal", message) from None


async def _until_gone(receive: Receive, work: Coroutine[Any, Any, str]) -> str:
    """Do the work, but no longer than the client listens."""
    working, gone = asyncio.create_task(work), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else ""
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_document(clips: AsyncGenerator[Rows, None], wanted: Wish, send: Send) -> str:
    rows: dict[str, list[str]] = {name: [] for name in wanted.tables}
    count = 0
    async for clip in clips:
        count += 1
        for name, more in clip.items():
            rows[name] += more
    numbers = json.dumps(_summary(count, {name: len(each) for name, each in rows.items()}))
    await _start(send, "application/json")
    return f'{{"tables": {_object(rows)}, "summary": {numbers}}}'


async def _send_lines(clips: AsyncGenerator[Rows, None], wanted: Wish, send: Send) -> str:
    counts = Counter(dict.fromkeys(wanted.tables, 0))
    first = await anext(clips, None)  # a video that cannot be read is refused with a status
    await _start(send, LINES)
    try:
        count, clip = 0, first
        while clip is not None:
            count += 1
            counts.update({name: len(rows) for name, rows in clip.items()})
            await _write(send, f'{{"tables": {_object(clip)}}}\n')
            clip = await anext(clips, None)
        last = {"summary": _summary(count, counts)}
    except Refusal as error:  # too late for a status: the last line tells it
        last = refusal.body(error.kind, error.detail)
    return json.dumps(last) + "\n"


def _summary(clips: int, rows: Mapping[str, int]) -> dict[str, Any]:
    return {"clips": clips, "rows": dict(rows)}


async def _start(send: Send, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _write(send: Send, text: str, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})


def _object(rows: Mapping[str, Sequence[str]]) -> str:
    return "{" + ", ".join(f'"{name}": [{", ".join(each)}]' for name, each in rows.items()) + "}"


def _encode(tables: Tables, names: Sequence[str]) -> Rows:
    return {
        name: [_row(row) for row in tables[name].to_pylist()] for name in names if name in tables
    }


def _row(row: Mapping[str, Any]) -> str:
    try:
        return json.dumps(row, allow_nan=False, default=_text)
    except ValueError:  # JSON knows neither NaN nor infinity
        return json.dumps(_finite(row), allow_nan=False, default=_text)


def _text(value: object) -> str:
    """Write what JSON has no form for: bytes as base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value
