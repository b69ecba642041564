"""Read and write whole objects by key, in a folder or in a bucket: the only door to boto3.

Keys are paths below a root, parts joined by "/". What is written appears whole or not at all, under
both. A ``tag`` changes with what is written, so that a compare-and-swap can be built on it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from muybridge.errors import InputError

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

    @property
    def root(self) -> str:
        return self.path

    def read(self, key: str) -> bytes:
        return self._file(key).read_bytes()

    def fetch(self, key: str) -> tuple[bytes, str]:
        with self._file(key).open("rb") as file:
            return file.read(), _tag(os.fstat(file.fileno()))

    def write(self, key: str, data: bytes) -> None:
        aside = self._file(ASIDE + uuid.uuid4().hex)
        _made(aside)
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._rename(aside, self._file(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._alone():
            free = not self.exists(key)
            if free:
                self.write(key, data)
        return free

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        with self._alone():
            same = self.exists(key) and self.stat(key).tag == tag
            if same:
                self.write(key, data)
        return same

    def stat(self, key: str) -> Entry:
        status = self._file(key).stat()
        return Entry(key, status.st_size, _tag(status))

    def exists(self, key: str) -> bool:
        return self._file(key).is_file()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        waiting = [prefix]
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
                        yield Entry(key, (status := entry.stat()).st_size, _tag(status))

    def move(self, source: str, target: str) -> None:
        self._rename(self._file(source), self._file(target))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._file(key).unlink(missing_ok=True)

    def url(self, key: str) -> str:
        return str(self._file(key))

    def _file(self, key: str) -> Path:
        return Path(self.path, key)

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

    def read(self, key: str) -> bytes:
        return self.fetch(key)[0]

    def fetch(self, key: str) -> tuple[bytes, str]:
        with _told(self._full(key)):
            answer = self._client().get_object(**self._where(key))
            return answer["Body"].read(), answer["ETag"].strip('"')

    def write(self, key: str, data: bytes) -> None:
        with _told(self._full(key)):
            self._client().put_object(**self._where(key), Body=data)

    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, IfNoneMatch="*")

    def replace(self, key: str, data: bytes, tag: str) -> bool:
        return self._put_if(key, data, IfMatch=f'"{tag}"')

    def stat(self, key: str) -> Entry:
        with _told(self._full(key)):
            answer = self._client().head_object(**self._where(key))
            return Entry(key, answer["ContentLength"], answer["ETag"].strip('"'))

    def exists(self, key: str) -> bool:
        try:
            self.stat(key)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[Entry]:
        pages = self._client().get_paginator("list_objects_v2")
        skip = len(self._name(""))
        with _told(f"s3://{self.bucket}"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._name(prefix)):
                for item in page.get("Contents", ()):
                    yield Entry(item["Key"][skip:], item["Size"], item["ETag"].strip('"'))

    def move(self, source: str, target: str) -> None:
        copied = {"Bucket": self.bucket, "Key": self._name(source)}
        with _told(self._full(source)):
            self._client().copy_object(**self._where(target), CopySource=copied)
        self.delete([source])

    def delete(self, keys: Iterable[str]) -> None:
        names = iter(keys)
        while some := [{"Key": self._name(key)} for key in islice(names, 1000)]:
            answer = self._client().delete_objects(
                Bucket=self.bucket, Delete={"Objects": some, "Quiet": True}
            )
            for error in answer.get("Errors", ()):
                raise OSError(f"s3://{self.bucket}/{error['Key']}: {error['Message']}")

    def url(self, key: str) -> str:
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
            self._client().put_object(**self._where(key), Body=data, **condition)
        except ClientError as error:
            if _code(error) not in REFUSED:
                raise
            # A retry finds what its own first try wrote, when the answer to that got lost.
            return self.exists(key) and self.read(key) == data
        return True


@functools.lru_cache
def _client(endpoint: str) -> Any:
    # Other stores than Amazon's often know neither buckets as host names nor the newer checksums.
    config = Config(
        signature_version="s3v4",
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=32,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return boto3.Session().client("s3", endpoint_url=endpoint or None, config=config)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what boto3 raises into FileNotFoundError, or into a sentence that names the object."""
    try:
        yield
    except ClientError as error:
        if _code(error) in ABSENT:
            raise FileNotFoundError(name) from None
        raise InputError(f"{name}: {error}") from error
    except BotoCoreError as error:
        raise InputError(f"{name}: {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _tag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"


def _made(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
