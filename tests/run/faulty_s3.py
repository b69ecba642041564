"""An S3 that fails for a while: a proxy in front of moto's server, and a run of `index` over it."""

from __future__ import annotations

import http.client
import http.server
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from muybridge.store.objects import Bucket, Folder, Objects
from muybridge.store.tables import SCHEMAS

BUCKET, REGION = "videos", "us-east-1"
# shards of a few seconds, so that there are several of them to be cut off between
INDEX = """
import sys
from muybridge import cli, retry
from muybridge.store import plan
plan.SHARD_S = 2.0
retry.OUTAGE_S = float(sys.argv[1])
cli.app(["index", "--pose-model", "lightning", *sys.argv[2:]])
"""
Mode = Literal["503", "500", "429", "403", "slow", "cut", "stopped", "expired"]
MODES: tuple[Mode, ...] = ("503", "500", "429", "403", "slow", "cut", "stopped", "expired")


@dataclass(frozen=True)
class Outage:
    """Fail in this way for so many seconds, from the so-and-so-many-th request on."""

    mode: Mode
    after: int
    seconds: float


class FaultyS3:
    """Pass requests on to an S3 at ``port`` and fail as ``outages`` say; ``requests`` counts.

    Credentials are taken from the file ``credentials``. "expired" refuses the access key until the
    outage is over, and then takes only another one, which stands in the file by then.
    """

    def __init__(self, port: int, folder: Path, outages: Sequence[Outage] = ()) -> None:
        self.credentials = folder / "credentials"
        self.requests = 0
        self.met = list[Outage]()
        self._behind, self._waiting = port, sorted(outages, key=lambda outage: outage.after)
        self._now: Outage | None = None
        self._until, self._key = 0.0, 0
        self._lock = threading.Lock()
        self._renew_key()
        self._start(0)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """What a run needs to know of it, without the keys that tests have otherwise."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        file = str(self.credentials)
        return {**kept, "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_DEFAULT_REGION": REGION}

    def close(self) -> None:
        self._stop()

    def mode(self) -> Mode | None:
        """Count a request and say how it fails, if it does."""
        with self._lock:
            self.requests += 1
            if self._now and time.monotonic() > self._until:
                self._end()
            if not self._now and self._waiting and self.requests >= self._waiting[0].after:
                self._now = self._waiting.pop(0)
                self._until = time.monotonic() + self._now.seconds
                self.met.append(self._now)
                if self._now.mode == "stopped":
                    threading.Thread(target=self._stop_for, args=(self._now.seconds,)).start()
                if self._now.mode == "expired":
                    self._key += 1
                    threading.Timer(self._now.seconds, self._renew_key).start()
            return self._now.mode if self._now else None

    def accepts(self, signed: str) -> bool:
        return f"key{self._key}/" in urllib.parse.unquote(signed)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        behind = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=60)
        behind.request(method, path, body or None, headers)
        return behind.getresponse()

    def _end(self) -> None:
        self._now = None

    def _renew_key(self) -> None:
        text = f"[default]\naws_access_key_id = key{self._key}\naws_secret_access_key = secret\n"
        part = self.credentials.with_suffix(".part")
        part.write_text(text)
        part.rename(self.credentials)

    def _stop_for(self, seconds: float) -> None:
        self._stop()
        time.sleep(seconds)
        self._start(self._port)

    def _start(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away in the middle of things here."""


def _handler(s3: FaultyS3) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            mode = s3.mode()
            if not s3.accepts(self.headers.get("Authorization", "") + self.path):
                self.refuse(400, "ExpiredToken")  # as Amazon does
            elif mode in REFUSALS:
                self.refuse(int(mode), REFUSALS[mode])
            elif mode == "stopped":
                self.close_connection = True
            else:
                time.sleep(1.5 if mode == "slow" else 0)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
                found = s3.forward(self.command, self.path, headers, body)
                self.give(found, cut=mode == "cut")

        def give(self, found: http.client.HTTPResponse, cut: bool) -> None:
            data = found.read()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            told = found.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", told or str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            if cut:
                self.close_connection = True
                self.connection.close()

        def refuse(self, status: int, code: str) -> None:
            data = f"<Error><Code>{code}</Code><Message>for a while</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


REFUSALS = {
    "503": "SlowDown",
    "500": "InternalError",
    "429": "TooManyRequests",
    "403": "AccessDenied",
}
HOP = ("connection", "transfer-encoding", "content-length", "server", "date", "accept-encoding")


@contextmanager
def failing(port: int, folder: Path, outages: Sequence[Outage] = ()) -> Iterator[FaultyS3]:
    """Put a store that fails in front of another, for as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    s3 = FaultyS3(port, folder, outages)
    try:
        yield s3
    finally:
        s3.close()


def index(
    s3: FaultyS3, *arguments: str, outage_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run `index` on the store, in a process of its own."""
    command = [sys.executable, "-c", INDEX, str(outage_s), *arguments]
    options = ["--endpoint-url", s3.endpoint, "--fps", "3", "--progress", "lines"]
    return subprocess.run(
        [*command, *options], env=s3.env, capture_output=True, text=True, timeout=550, check=False
    )


def parts(objects: Objects) -> dict[str, bytes]:
    """Read every part that readers see."""
    assert isinstance(objects, (Bucket, Folder))
    found = {}
    for name in SCHEMAS:
        for entry in objects.list(f"{name}/"):
            with suppress(FileNotFoundError):
                found[entry.key] = objects.read(entry.key)
    return found
