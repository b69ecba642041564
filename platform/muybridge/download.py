"""Fetch a file over HTTP: goes on where it broke off, is checked, and appears whole or not at all.

What has come so far stands beside the target as ``.part``, and what the server called this version
of the file as ``.version``: if the server's file has changed since, the part is thrown away.
Several processes that want the same file fetch it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.errors import WeightsError, listed

CHUNK = 1 << 20  # bytes
LARGEST = 4 << 30  # bytes
TIMEOUT_S = 30.0  # without a byte
TRIES = 5  # in a row that bring nothing
WAIT_S = 1.0  # before the second try; doubled before each other

Report = Callable[[int, int], None]  # bytes that are there, bytes in all (0: not told)


class BrokenError(Exception):
    """Say that a try failed and another may succeed."""


@dataclass(frozen=True)
class Part:
    """Name what stands beside a target while it is fetched."""

    target: Path

    @property
    def data(self) -> Path:
        """Be the file of what has come so far."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def version(self) -> Path:
        """Be the file of what the server calls the version that the data is of."""
        return self.target.with_name(self.target.name + ".version")

    def size(self) -> int:
        """Count the bytes that can be gone on from: none where the version is not known."""
        there = self.data.is_file() and self.version.is_file()
        return self.data.stat().st_size if there else 0

    def drop(self) -> None:
        """Forget what has come."""
        self.data.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def fetch(
    urls: Sequence[str],
    target: Path,
    sha256: str = "",
    check: Callable[[Path], None] = lambda path: None,
    report: Report = lambda done, total: None,
) -> None:
    """Fetch a file from the first address that gives it, unless it is there; WeightsError if none.

    ``sha256`` is the whole sum, its first digits, or "" if it is not known; ``check`` raises
    WeightsError if the file is not what was wanted.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(target):
        faults = list[str]()
        for url in urls:
            if target.is_file():
                return
            try:
                _fetch(url, Part(target), report)
                _checked(Part(target), sha256, check)
            except (BrokenError, WeightsError) as error:
                faults.append(f"{url}: {error}")
            else:
                os.replace(Part(target).data, target)
                Part(target).drop()
        if not target.is_file():
            raise WeightsError(listed(f"{target.name} cannot be fetched", faults))


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Keep other processes of this machine from making the same file; a dead one's hold ends."""
    with target.with_name(f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256_of(path: Path) -> str:
    """Compute a file's sha256."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while data := file.read(CHUNK):
            digest.update(data)
        return digest.hexdigest()


def _fetch(url: str, part: Part, report: Report) -> None:
    """Try until the whole file is there; what fails without bringing a byte fails five times."""
    failed = 0
    while True:
        before = part.size()
        try:
            return _try(url, part, report)
        except BrokenError as error:
            failed = 0 if part.size() > before else failed + 1
            if failed == TRIES:
                raise BrokenError(f"{error}; tried {TRIES} times") from error
            time.sleep(WAIT_S * 2 ** max(failed - 1, 0))


def _try(url: str, part: Part, report: Report) -> None:
    have = part.size()
    headers = {"User-Agent": "muybridge", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part.version.read_text()}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        ) as response:
            _receive(response, part, have, report)
    except urllib.error.HTTPError as error:
        _judge(error, part)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", "")
        if isinstance(reason, socket.gaierror):  # a second question gets the same answer
            raise WeightsError(f"{reason.strerror}; is this machine online?") from error
        raise BrokenError(str(reason or error or type(error).__name__)) from error


def _judge(error: urllib.error.HTTPError, part: Part) -> None:
    """Tell an answer that may be another next time from one that will not."""
    if error.code == 416:  # there is nothing behind what we have
        if error.headers.get("Content-Range") == f"bytes */{part.size()}":
            return
        part.drop()
    again = error.code in (408, 416, 425, 429) or error.code >= 500
    raise (BrokenError if again else WeightsError)(
        f"the server answers {error.code} {error.reason}"
    )


def _receive(response: Any, part: Part, have: int, report: Report) -> None:
    """Write what comes to the part: behind what is there if the server goes on there."""
    start, total = _range(response, have)
    if start == 0:
        part.drop()
    if total > LARGEST:
        raise WeightsError(f"the file has {total:,} bytes, and at most {LARGEST:,} are fetched")
    version = response.headers.get("ETag", "")
    if version.startswith("W/"):  # a weak one does not promise the same bytes
        version = ""
    if version := version or response.headers.get("Last-Modified", ""):
        if start and version != part.version.read_text():
            part.drop()
            raise BrokenError("the server's file has changed meanwhile")
        part.version.write_text(version)
    done = start
    with part.data.open("r+b" if start else "wb") as file:
        file.seek(start)
        while data := response.read1(CHUNK):
            file.write(data)
            done += len(data)
            if done > LARGEST:
                raise WeightsError(f"more than {LARGEST:,} bytes came")
            report(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total and done != total:
        raise BrokenError(f"the connection broke off after {done:,} of {total:,} bytes")


def _range(response: Any, have: int) -> tuple[int, int]:
    """Read where the answer starts and how long the whole file is, 0 if that is not told."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != have:
            raise BrokenError("the server sent another part than was asked for")
        return have, 0 if found[2] == "*" else int(found[2])
    return 0, int(response.headers.get("Content-Length") or 0)


def _checked(part: Part, sha256: str, check: Callable[[Path], None]) -> None:
    """Throw away what is not the file that was wanted."""
    try:
        if sha256 and not (found := sha256_of(part.data)).startswith(sha256):
            raise WeightsError(f"what came has the sha256 {found}, and {sha256} is published")
        check(part.data)
    except WeightsError:
        part.drop()
        raise
