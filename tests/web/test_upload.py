"""Uploads over a real server: what is stored, what is refused, what is left behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Served, tables

pytestmark = pytest.mark.timeout(60)
Serve = Callable[..., Served]
MEGABYTE = 1 << 20


@pytest.fixture
def watch() -> Iterator[Callable[[Served], Callable[[], int]]]:
    """Give a function that watches how many bytes ever lie in a server's folder."""
    stop, most = threading.Event(), [0]

    def start(served: Served) -> Callable[[], int]:
        def look() -> None:
            while not stop.is_set():
                try:
                    most[0] = max(most[0], served.stored())
                except FileNotFoundError:  # deleted while counting
                    continue
                time.sleep(0.001)

        threading.Thread(target=look, daemon=True).start()
        return lambda: most[0]

    yield start
    stop.set()


def body(size: int, boundary: str = "edge") -> Iterator[bytes]:
    """Write a multipart body with a file of so many bytes, without telling its length."""
    head = 'Content-Disposition: form-data; name="file"; filename="walk.mp4"'
    yield f"--{boundary}\r\n{head}\r\n\r\n".encode()
    for _ in range(0, size, 1 << 16):
        yield b"\0" * (1 << 16)
    yield f"\r\n--{boundary}--\r\n".encode()


HEADERS = {"Content-Type": "multipart/form-data; boundary=edge"}


def test_a_large_file_arrives_as_it_was_sent_and_its_name_names_no_file_here(serve: Serve) -> None:
    content = os.urandom(3 * MEGABYTE + 1)
    arrived = list[tuple[str, str, bytes]]()

    async def analyze(path: Path, name: str, fps: float | None) -> AsyncIterator[dict]:
        arrived.append((path.name, name, path.read_bytes()))
        yield tables(0)

    served = serve(analyze)
    assert served.post(content, name="../../etc/walk.mkv").status_code == 200
    assert arrived == [("upload.mkv", "../../etc/walk.mkv", content)]


def test_an_announced_length_over_the_limit_is_refused_at_once(serve: Serve, watch) -> None:
    served = serve(max_bytes=MEGABYTE)
    most = watch(served)
    answer = served.post(b"\0" * (50 * MEGABYTE))
    assert answer.status_code == 413
    assert "1,048,576 bytes" in answer.json()["error"]["message"]
    assert most() == 0
    assert served.analyze.asked == []


def test_an_unannounced_length_is_cut_off_at_the_limit(serve: Serve, watch) -> None:
    served = serve(max_bytes=MEGABYTE)
    most = watch(served)
    answer = served.client.post("/v1/analyze", content=body(50 * MEGABYTE), headers=HEADERS)
    assert answer.status_code == 413
    assert most() <= MEGABYTE
    assert list(served.folder.iterdir()) == []


def test_a_file_of_exactly_the_limit_is_taken(serve: Serve) -> None:
    assert serve(max_bytes=100).post(b"x" * 100).status_code == 200


def test_a_sender_that_stops_half_way_leaves_nothing(serve: Serve) -> None:
    served = serve(max_requests=1)
    url = served.client.base_url
    with socket.create_connection((url.host, url.port)) as connection:
        head = b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        connection.sendall(head + b"Content-Type: multipart/form-data; boundary=edge\r\n\r\n")
        connection.sendall(next(body(1)) + b"\0" * 100_000)
        while not served.stored():
            time.sleep(0.01)
    end = time.monotonic() + 5
    while list(served.folder.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    assert list(served.folder.iterdir()) == []
    assert served.post(b"x").status_code == 200


def refused(served: Served, status: int, kind: str, **options) -> None:
    answer = served.client.post("/v1/analyze", **options)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (status, kind)
    assert answer.json()["error"]["message"]
    assert list(served.folder.iterdir()) == []


def test_each_bad_form_is_refused_with_its_reason(serve: Serve) -> None:
    served = serve()
    refused(served, 415, "not_multipart", content=b"x", headers={"Content-Type": "video/mp4"})
    refused(served, 415, "not_multipart")
    refused(served, 415, "not_multipart", headers={"Content-Type": "multipart/form-data"})
    refused(served, 400, "bad_form", content=b"nonsense", headers=HEADERS)
    refused(served, 400, "bad_form", content=next(body(1)) + b"x", headers=HEADERS)
    refused(served, 422, "no_file", files={"video": ("walk.mp4", b"x")})
    refused(served, 422, "empty", files={"file": ("walk.mp4", b"")})
    refused(served, 422, "many_files", files=[("file", ("a", b"x")), ("file", ("b", b"x"))])
    refused(served, 400, "bad_form", files={"file": ("a", b"x")}, data={"note": "x" * 2000})
    assert served.analyze.asked == []
