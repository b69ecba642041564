"""A real server that breaks off, forgets, lies and changes its mind, as a test wants it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import nn

from muybridge import download, weights
from muybridge.checkpoints import Layout
from muybridge.models.openpose import checkpoint as openpose
from muybridge.published import FILES, File


class Server(ThreadingHTTPServer):
    """Serve one file in a way that a test chooses, and remember what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.version = b"", '"one"'
        self.ranges, self.sums = True, True  # does it know Range, does it give an ETag
        self.conditions = True  # does it know If-Range
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
        same = self.headers.get("If-Range") == self.server.version or not self.server.conditions
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


def tiny() -> nn.Module:
    """A network small enough to be looked at."""
    return nn.Sequential(OrderedDict(first=nn.Linear(2, 3), last=nn.Linear(3, 1)))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own, empty; the folder of weights in it."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(weights.ACCEPT, raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def theirs() -> dict[str, torch.Tensor]:
    """The tensors of the weights ``tiny`` under their authors' names."""
    names = {"first": "w1", "last": "w2"}
    return {
        f"{names[name.split('.')[0]]}.{name.split('.')[1]}": torch.randn(tensor.shape)
        for name, tensor in tiny().state_dict().items()
    }


@pytest.fixture
def file(serving, cache, theirs, tmp_path, monkeypatch) -> Callable[..., File]:
    """Publish the weights ``tiny`` at the server, on terms that a test chooses."""
    monkeypatch.setattr(download, "WAIT_S", 0.01)
    layout = Layout(tiny, (("w1", "first"), ("w2", "last")))
    monkeypatch.setitem(openpose.LAYOUTS, "tiny", layout)
    torch.save(theirs, tmp_path / "tiny_v1.pth")
    serving.data = (tmp_path / "tiny_v1.pth").read_bytes()

    def publish(**changes: object) -> File:
        sum_ = hashlib.sha256(serving.data).hexdigest()
        made = File("tiny", "Tiny", "tiny_v1.pth", (serving.url,), sum_, 9, "MIT")
        made = dataclasses.replace(made, **changes)
        monkeypatch.setitem(FILES, "tiny", made)
        return made

    return publish
