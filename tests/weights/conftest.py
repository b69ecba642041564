"""A real server that breaks off, forgets, lies and changes its mind, as a test wants it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """Serve one file in a way that a test chooses, and remember what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.version = b"", '"one"'
        self.ranges, self.sums = True, True  # does it know Range, does it give an ETag
        self.break_after: list[int] = []  # bytes of the next answers after which it breaks off
        self.codes: list[int] = []  # of the next answers
        self.between: Callable[[], None] = lambda: None
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/model.pkl"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers.get("Range", ""))
        if server.codes and (code := server.codes.pop(0)) != 200:
            self.send_error(code)
            return
        start, size = self._start(), len(server.data)
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if server.sums:
            self.send_header("ETag", server.version)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        stop = start + server.break_after.pop(0) if server.break_after else size
        self.wfile.write(server.data[start:stop])
        server.between()

    def _start(self) -> int:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") == self.server.version
        return int(asked[1]) if asked and same and self.server.ranges else 0

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator[Server]:
    """A server of its own."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
