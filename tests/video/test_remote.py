"""Every byte asked for arrives or an error says why not: a break is never taken for the end."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import Retry

from muybridge.errors import VideoError
from muybridge.video.decode import Reader
from muybridge.video.probe import probe
from muybridge.video.remote import RemoteFile

from .conftest import burnt_number, whole


class Server:
    """Serve one file; ``fail`` is asked for each request how it fails, by its number from 1."""

    def __init__(self, content: bytes, ranges: bool = True) -> None:
        self.content, self.ranges, self.tag = content, ranges, '"v1"'
        self.requests, self.refusal = list[str](), b""
        self.fail: Callable[[int], str | int] = lambda number: ""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/videos/a.mp4?signature=secret"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(server) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                server.requests.append(asked)
                how = server.fail(len(server.requests))
                start = int(asked[6:].partition("-")[0] or 0) if server.ranges else 0
                data, size = server.content[start:], len(server.content)
                status, data = (how, server.refusal) if isinstance(how, int) else (206, data)
                self.send_response(status)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("ETag", server.tag)
                self.end_headers()
                self.wfile.write(data[: len(data) // 3] if how == "cut" else data)
                if how == "cut":
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def server(awkward) -> Iterator[Server]:
    made = Server(awkward["h264_bframes.mp4"].path.read_bytes())
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(Retry, "sleep", lambda self, response=None: None)


def read(server: Server) -> bytes:
    with RemoteFile(server.url) as file:
        return file.read()


def test_a_file_is_read_where_it_is_asked_for(server):
    with RemoteFile(server.url) as file:
        assert (file.size, file.tag) == (len(server.content), "v1")
        assert file.name == "/videos/a.mp4"
        assert file.read(100) == server.content[:100]
        assert file.seek(-10, 2) == len(server.content) - 10
        assert file.read(100) == server.content[-10:]
        assert file.read(100) == b""
        file.seek(50)
        assert file.read(7) == server.content[50:57]
        file.seek(20_000, 1)  # near enough to be read over
        assert file.read(7) == server.content[20_057:20_064]
    assert server.requests == ["bytes=0-", f"bytes={len(server.content) - 10}-", "bytes=50-"]


@pytest.mark.parametrize("how", ["cut", 503, 500, 429])
def test_what_fails_for_a_moment_is_asked_for_again_from_where_it_broke_off(server, how):
    server.fail = lambda number: how if number % 2 else ""
    assert read(server) == server.content
    assert len(server.requests) > 1


def test_a_file_cut_off_again_and_again_arrives_as_long_as_each_answer_brings_something(server):
    server.fail = lambda number: "cut"
    with pytest.raises(VideoError) as caught:  # a third of nothing is nothing
        read(server)
    assert caught.value.kind == "unavailable"
    assert len(server.requests) > 10


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, "denied"), (401, "denied"), (404, "missing"), (410, "missing"), (400, "unreadable"),
     (503, "unavailable"), (429, "unavailable")],
)  # fmt: skip
def test_a_refusal_has_its_kind_and_no_signature(server, status, kind):
    server.fail = lambda number: status
    with pytest.raises(VideoError) as caught:
        RemoteFile(server.url)
    assert caught.value.kind == kind
    assert str(status) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "/videos/a.mp4: " in str(caught.value)


@pytest.mark.parametrize(
    ("code", "kind"), [("ExpiredToken", "unavailable"), ("InvalidAccessKeyId", "denied")]
)
def test_credentials_that_s3_refuses_with_status_400_are_no_fault_of_the_video(server, code, kind):
    server.fail = lambda number: 400
    server.refusal = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with pytest.raises(VideoError, match=f"400 {code}") as caught:
        RemoteFile(server.url)
    assert caught.value.kind == kind


def test_a_server_that_is_not_there_is_unavailable(server):
    server.close()
    with pytest.raises(VideoError, match="Connection refused") as caught:
        RemoteFile(server.url)
    assert caught.value.kind == "unavailable"


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed(server):
    with RemoteFile(server.url) as file:
        file.read(10)
        server.tag = '"v2"'
        file.seek(-10, 2)
        with pytest.raises(VideoError, match="replaced") as caught:
            file.read(10)
    assert caught.value.kind == "changed"


def test_a_server_without_ranges_and_an_empty_file(server):
    server.ranges = False
    with RemoteFile(server.url) as file:
        file.seek(-5, 2)
        file.read(5)
    server.content = b""
    with pytest.raises(VideoError, match="zero bytes"):
        probe(server.url)


@pytest.mark.parametrize("fault", ["cut", 503, ""])
def test_a_video_comes_out_exact_over_a_connection_that_breaks(server, fault):
    server.fail = lambda number: fault if number % 3 == 1 else ""
    index = probe(server.url)
    assert (index.size, index.tag, len(index.pts)) == (len(server.content), "v1", 90)
    clip = whole(index)
    with Reader() as reader:
        found = [(row, burnt_number(picture)) for row, picture in reader.read(clip, 0, 90)]
    assert found == [(n, n) for n in range(90)]


def test_a_video_that_breaks_off_for_good_is_never_taken_for_a_short_one(server):
    server.fail = lambda number: "cut" if number == 1 else 503
    with pytest.raises(VideoError) as caught:
        probe(server.url)
    assert caught.value.kind == "unavailable"
    server.fail = lambda number: ""
    clip = whole(probe(server.url))
    asked = len(server.requests)
    server.fail = lambda number: "cut" if number == asked + 1 else 503
    with Reader() as reader, pytest.raises(VideoError) as caught:
        list(reader.read(clip, 0, 90))
    assert caught.value.kind == "unavailable"


def test_another_version_than_the_planned_one_is_not_decoded(server, tmp_path: Path):
    clip = whole(probe(server.url))
    server.tag = '"v2"'
    with Reader() as reader, pytest.raises(VideoError, match="since it was planned") as caught:
        list(reader.read(clip, 0, 90))
    assert caught.value.kind == "changed"
