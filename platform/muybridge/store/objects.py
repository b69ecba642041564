"""Read and write whole objects by key, in a folder or in a bucket: the only door to boto3.

Keys are paths below a root, parts joined by "/". What is written appears whole or not at all, under
both. A ``tag`` changes with what is written, so that a compare-and-swap can be built on it.

Every operation waits out a store that does not answer, or a disk that is away, for as long as
``retry.PATIENCE_S``; then it raises StoreError.
"""

from __future__ import annotations

import fcntl
import functools
import os
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
    TokenRetrievalError,
)

from muybridge.errors import InputError, StoreError, http_kind
from muybridge.retry import patient

PRIVATE = "_muybridge/"
ASIDE = PRIVATE + "tmp/"
ABSENT = ("404", "NoSuchKey")
REFUSED = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict", *ABSENT)


class Entry(NamedTuple):
    """Name one object, with its size in bytes and the tag that changes when it is written."""

    key: str
    size: int
    tag: str


class Objects(Protocol):
    """Be a place of objects: what is missing raises FileNotFoundError when read."""

    @property
    def root(self) -> str: ...

    def read(self, key: str) -> bytes: ...

    def fetch(self, key: str) -> tuple[bytes, str]:
        """Read an object and the tag of exactly what was read."""

    def write(self, key: str, data: bytes) -> None: ...

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one already; say whether it was written."""

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        """Write an object only if it still has this tag; say whether it was written."""

    def stat(self, key: str) -> Entry: ...

    def exists(self, key: str) -> bool: ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every object below a prefix that ends in "/" (or is ""), in no certain order."""

    def move(self, source: str, target: str) -> None:
        """Rename an object, over another one if need be."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there do not matter."""

    def url(self, key: str) -> str:
        """Say what ffmpeg can open to read the object: a path, or a URL valid for some hours."""

    def kept(self) -> Objects:
        """Give this place as one that is known to be there: if it is not, its disk is away."""


def _final(error: BaseException) -> bool:
    """Tell answers from what passes: there is no such key, or a folder is not ours to use."""
    return isinstance(error, (FileNotFoundError, PermissionError))


def _renew(error: BaseException) -> None:
    """Read credentials anew where those at hand are refused: somebody may have refreshed them."""
    if isinstance(error, StoreError):
        renew_credentials()


PATIENT = patient(_final, _renew)


def at(root: str, endpoint: str | None = None) -> Objects:
    """Open "s3://bucket/prefix" or a folder; ``endpoint`` is for stores other than Amazon's."""
    if root.startswith("s3://"):
        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        return Bucket(bucket, prefix.strip("/"), endpoint or os.environ.get("AWS_ENDPOINT_URL", ""))
    return Folder(os.path.abspath(root))


@dataclass(frozen=True)
class Folder:
    """Keep objects as files; they are written aside and renamed, and fsynced before they appear."""

    path: str
    there: bool = False  # a folder with PRIVATE in it, that is: else its disk is away

    @property
    def root(self) -> str:
        return self.path

    def kept(self) -> Folder:
        return replace(self, there=True)

    @PATIENT.wraps
    def read(self, key: str) -> bytes:
        return self._file(key).read_bytes()

    @PATIENT.wraps
    def fetch(self, key: str) -> tuple[bytes, str]:
        with self._file(key).open("rb") as file:
            return file.read(), _tag(os.fstat(file.fileno()))

    @PATIENT.wraps
    def write(self, key: str, data: bytes) -> None:
        while True:
            aside = self._file(ASIDE + uuid.uuid4().hex)
            _made(aside)
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                return self._rename(aside, self._file(key))
            except FileNotFoundError:
                if aside.exists():
                    raise  # else another run, which has taken the lock, has cleaned up here

    @PATIENT.wraps
    def create(self, key: str, data: bytes) -> bool:
        with self._alone():
            free = not self.exists(key)
            if free:
                self.write(key, data)
        return free

    @PATIENT.wraps
    def replace(self, key: str, data: bytes, tag: str) -> bool:
        with self._alone():
            same = self.exists(key) and self.stat(key).tag == tag
            if same:
                self.write(key, data)
        return same

    @PATIENT.wraps
    def stat(self, key: str) -> Entry:
        status = self._file(key).stat()
        return Entry(key, status.st_size, _tag(status))

    @PATIENT.wraps
    def exists(self, key: str) -> bool:
        try:
            return stat.S_ISREG(self._file(key).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def list(self, prefix: str = "") -> Iterator[Entry]:
        yield from self._list(prefix)

    @PATIENT.wraps
    def _list(self, prefix: str) -> Sequence[Entry]:
        listed, waiting = list[Entry](), [prefix]
        self._present()
        while waiting:
            folder = waiting.pop()
            try:
                found = os.scandir(os.path.join(self.path, folder))
            except (FileNotFoundError, NotADirectoryError):
                continue
            with found:
                for entry in found:
                    key = folder + entry.name
                    if entry.is_dir():
                        waiting.append(key + "/")
                    else:
                        listed.append(Entry(key, (status := entry.stat()).st_size, _tag(status)))
        return listed

    @PATIENT.wraps
    def move(self, source: str, target: str) -> None:
        self._rename(self._file(source), self._file(target))

    @PATIENT.wraps
    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._file(key).unlink(missing_ok=True)

    def url(self, key: str) -> str:
        return str(self._file(key))

    def _file(self, key: str) -> Path:
        self._present()
        return Path(self.path, key)

    def _present(self) -> None:
        """Raise StoreError if the folder has gone, so that nothing is written to where it was."""
        if self.there and not os.path.isdir(os.path.join(self.path, PRIVATE)):
            raise StoreError("missing", f"{self.path}: is gone; is its disk still mounted?")

    def _rename(self, source: Path, target: Path) -> None:
        _made(target)
        os.replace(source, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes and threads from creating or replacing here in the meantime."""
        path = self._file(PRIVATE + "mutex")
        _made(path)
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class Bucket:
    """Keep objects in S3, or in a store that speaks its language at another endpoint."""

    bucket: str
    prefix: str
    endpoint: str = ""

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def kept(self) -> Bucket:
        return self

    @PATIENT.wraps
    def read(self, key: str) -> bytes:
        return self.fetch(key)[0]

    @PATIENT.wraps
    def fetch(self, key: str) -> tuple[bytes, str]:
        with _told(self._full(key)):
            answer = self._client().get_object(**self._where(key))
            return answer["Body"].read(), answer["ETag"].strip('"')

    @PATIENT.wraps
    def write(self, key: str, data: bytes) -> None:
        with _told(self._full(key)):
            self._client().put_object(**self._where(key), Body=data)

    @PATIENT.wraps
    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, IfNoneMatch="*")

    @PATIENT.wraps
    def replace(self, key: str, data: bytes, tag: str) -> bool:
        return self._put_if(key, data, IfMatch=f'"{tag}"')

    @PATIENT.wraps
    def stat(self, key: str) -> Entry:
        with _told(self._full(key)):
            answer = self._client().head_object(**self._where(key))
            return Entry(key, answer["ContentLength"], answer["ETag"].strip('"'))

    @PATIENT.wraps
    def exists(self, key: str) -> bool:
        try:
            self.stat(key)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[Entry]:
        yield from self._list(prefix)

    @PATIENT.wraps
    def _list(self, prefix: str) -> Sequence[Entry]:
        listed = list[Entry]()
        pages = self._client().get_paginator("list_objects_v2")
        skip = len(self._name(""))
        with _told(f"s3://{self.bucket}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._name(prefix)):
                for item in page.get("Contents", ()):
                    tag = item["ETag"].strip('"')
                    listed.append(Entry(item["Key"][skip:], item["Size"], tag))
        return listed

    @PATIENT.wraps
    def move(self, source: str, target: str) -> None:
        copied = {"Bucket": self.bucket, "Key": self._name(source)}
        with _told(self._full(source)):
            self._client().copy_object(**self._where(target), CopySource=copied)
        self.delete([source])

    @PATIENT.wraps
    def delete(self, keys: Iterable[str]) -> None:
        names = iter(keys)
        while some := [{"Key": self._name(key)} for key in islice(names, 1000)]:
            with _told(f"s3://{self.bucket}"):
                answer = self._client().delete_objects(
                    Bucket=self.bucket, Delete={"Objects": some, "Quiet": True}
                )
            for error in answer.get("Errors", ()):
                raise OSError(f"s3://{self.bucket}/{error['Key']}: {error['Message']}")

    @PATIENT.wraps
    def url(self, key: str) -> str:
        with _told(self._full(key)):
            return self._client().generate_presigned_url(
                "get_object", Params=self._where(key), ExpiresIn=12 * 3600
            )

    def _full(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._name(key)}"

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._name(key)}

    def _client(self) -> Any:
        return _client(self.endpoint)

    def _put_if(self, key: str, data: bytes, **condition: str) -> bool:
        try:
            with _told(self._full(key)):
                self._client().put_object(**self._where(key), Body=data, **condition)
        except (InputError, FileNotFoundError) as error:
            cause = error.__cause__ or error.__context__
            if not isinstance(cause, ClientError) or _code(cause) not in REFUSED:
                raise
            # A retry finds what its own first try wrote, when the answer to that got lost.
            return self.exists(key) and self.read(key) == data
        return True


@functools.lru_cache
def _client(endpoint: str) -> Any:
    # Other stores than Amazon's often know neither buckets as host names nor the newer checksums.
    config = Config(
        signature_version="s3v4",
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=10,
        read_timeout=30,
        max_pool_connections=32,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return boto3.Session().client("s3", endpoint_url=endpoint or None, config=config)


def renew_credentials() -> None:
    """Have credentials read anew from where AWS's tools find them."""
    _client.cache_clear()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what boto3 raises into FileNotFoundError, or into a sentence that names the object."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and _code(error) in ABSENT:
            raise FileNotFoundError(name) from None
        kind, message = _kind(error), f"{name}: {error}"
        raise (StoreError(kind, message) if kind else InputError(message)) from error


def _kind(error: ClientError | BotoCoreError) -> str:
    """Give the kind of what may pass by itself; "" for what does not."""
    if isinstance(error, ClientError):
        kind = http_kind(error.response["ResponseMetadata"]["HTTPStatusCode"], _code(error))
        return kind if kind in ("unavailable", "denied") else ""
    if isinstance(error, (CredentialRetrievalError, TokenRetrievalError)):
        return "denied"
    passing = isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError))
    return "unavailable" if passing and not isinstance(error, SSLError) else ""


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _tag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"


def _made(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
