"""A real server over a plain function, on a free port, for one test at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import uvicorn

from muybridge.errors import InputError, VideoError
from muybridge.web import app
from muybridge.web.cameras import Cameras

PEOPLE = pa.schema([pa.field("frame", pa.int64()), pa.field("score", pa.float32())])
ERRORS = pa.schema([pa.field("message", pa.string())])
SCHEMAS = {"people": PEOPLE, "errors": ERRORS}


@dataclass
class Counting:
    """Answer as many clips as the upload has bytes; notes what it was asked and how it ended.

    The upload's text decides: ``bad`` is no video, ``surprise`` fails, ``late`` fails after a clip,
    ``wait`` answers one clip and then waits for ever.
    """

    asked: list[tuple[Path, str, float | None]] = field(default_factory=list)
    freed: int = 0

    async def __call__(
        self, path: Path, name: str, fps: float | None
    ) -> AsyncGenerator[dict[str, pa.Table], None]:
        self.asked.append((path, name, fps))
        text = path.read_bytes()[:100]
        try:
            if text == b"bad":
                raise VideoError("unreadable", str(path), "not a video")
            if text == b"surprise":
                raise RuntimeError(f"broken at {path}")
            for frame in range(len(text)):
                yield tables(frame)
                if text == b"late":
                    raise VideoError("damaged", name, "cut off")
                if text == b"wait":
                    await asyncio.sleep(3600)
        finally:
            self.freed += 1


@dataclass
class Together:
    """Answer a person for each of several cameras; notes what was sent, with the files' text."""

    asked: list[tuple[Cameras, dict[str, str], float | None]] = field(default_factory=list)

    async def __call__(
        self, given: Cameras, fps: float | None
    ) -> AsyncGenerator[dict[str, pa.Table], None]:
        texts = {camera: file.path.read_text() for camera, file in given.views.items()}
        self.asked.append((given, texts, fps))
        if len(texts) < 2:
            raise InputError("views: there is one; send two or more")
        rows = [{"frame": number, "score": 0.5} for number in range(len(texts))]
        yield {"people": pa.Table.from_pylist(rows, PEOPLE), "errors": ERRORS.empty_table()}


def tables(frame: int) -> dict[str, pa.Table]:
    """Make the tables of one clip: one person with no score in the frame of that number."""
    rows = [{"frame": frame, "score": float("nan") if frame == 1 else 0.5}]
    return {"people": pa.Table.from_pylist(rows, PEOPLE), "errors": ERRORS.empty_table()}


@dataclass
class Served:
    client: httpx.Client
    analyze: Counting
    triangulate: Together
    folder: Path

    def post(self, content: bytes, name: str = "walk.mp4", **options: Any) -> httpx.Response:
        return self.client.post("/v1/analyze", files={"file": (name, content)}, **options)

    def stored(self) -> int:
        """Count the bytes of uploads that lie on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


@contextmanager
def running(application: app.FastAPI) -> Iterator[str]:
    config = uvicorn.Config(application, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.force_exit = server.should_exit = True
        thread.join(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Give a function that starts a server with the options of ``app.create``."""
    with ExitStack() as stack:

        def start(analyze: Any = None, **options: Any) -> Served:
            analyze = analyze or Counting()
            triangulate = Together()
            made = app.create(analyze, triangulate, SCHEMAS, folder=tmp_path, **options)
            url = stack.enter_context(running(made))
            client = stack.enter_context(httpx.Client(base_url=url, timeout=20))
            return Served(client, analyze, triangulate, tmp_path)

        yield start
