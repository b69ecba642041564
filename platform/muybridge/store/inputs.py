"""List the videos a user asked for, and say which video is which."""

from __future__ import annotations

import csv
import fnmatch
import glob
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from muybridge.errors import InputError, listed
from muybridge.store.objects import at, renew_credentials

VIDEOS = (
    ".3g2 .3gp .asf .avi .f4v .flv .m2ts .m4a .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts"
    " .vob .webm .wmv .y4m .264 .h264 .265 .h265 .hevc .ivf"
)
PICTURES = ".bmp .gif .jpeg .jpg .png .tif .tiff .webp"
SUFFIXES = frozenset((VIDEOS + " " + PICTURES).split())
UNREAD = ("directory", "special", "missing")
MANIFESTS = (".csv", ".parquet", ".jsonl")


class Input(NamedTuple):
    """Name one video: where it is, its size in bytes, and a tag that changes when it is written.

    ``tag`` is one of ``UNREAD`` for what cannot be a video (or is a pipe, a device, a socket, which
    might be read without end); it fails when it is probed.
    """

    uri: str
    size: int
    tag: str


def inputs(uris: Sequence[str], endpoint: str | None = None) -> list[Input]:
    """List files, folders, globs, s3:// prefixes, URLs and manifests, sorted, each video once.

    Folders are searched through and give only what is named like a video or a picture; a file asked
    for by name is taken whatever its name. Raises InputError with everything that does not exist.
    """
    found: dict[str, Input] = {}
    missing = []
    for uri in uris:
        try:
            some = {item.uri: item for item in _expanded(uri, endpoint)}
        except OSError as error:
            place, cause = error.filename or uri, error.strerror or error
            raise InputError(f"{place}: cannot be listed: {cause}; name what can be read") from None
        found.update(some)
        if not some and not _exists(uri):
            missing.append(uri)
    if missing:
        raise InputError(listed("no such file or folder", missing))
    return [found[uri] for uri in sorted(found)]


def locate(uri: str, endpoint: str | None = None) -> str:
    """Say what to open to read a video: the path or URL itself, or a URL for an S3 object."""
    if not uri.startswith("s3://"):
        return uri
    folder, _, name = uri.rpartition("/")
    return at(folder, endpoint).url(name)


def relocate(uri: str, endpoint: str | None = None) -> str:
    """Locate a video again after it could not be read: a URL is signed by credentials read anew."""
    if uri.startswith("s3://"):
        renew_credentials()
    return locate(uri, endpoint)


def fingerprint(item: Input, unreadable: bool = True) -> str:
    """Say what a video holds: a hash of all of a file's bytes, size and tag of what is far away.

    A file that cannot be read holds that error; with ``unreadable`` false OSError is raised.
    """
    if "://" in item.uri or item.tag in UNREAD:
        return f"{item.size}-{item.tag}"
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(item.uri, "rb", buffering=0) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        if not unreadable:
            raise
        return f"unreadable-{error.errno}"
    return digest.hexdigest()


def video_id(uri: str, fingerprint: str) -> str:
    """Name a video by where it is and what it holds: 16 hexadecimal digits."""
    return hashlib.blake2b(f"{uri}\n{fingerprint}".encode(), digest_size=8).hexdigest()


def _expanded(uri: str, endpoint: str | None) -> Iterator[Input]:
    if uri.lower().endswith(MANIFESTS):
        return _manifest(uri, endpoint)
    if uri.startswith("s3://"):
        return _bucket(uri, endpoint)
    if "://" in uri:
        return iter([Input(uri, 0, "")])
    return _local(os.path.abspath(os.path.expanduser(uri)))


def _exists(uri: str) -> bool:
    return "://" not in uri and os.path.exists(os.path.expanduser(uri))


def _local(path: str) -> Iterator[Input]:
    if os.path.isdir(path):
        yield from _folder(path)
    elif os.path.lexists(path):
        yield _file(path)
    elif glob.has_magic(path):
        for match in glob.iglob(path, recursive=True):
            yield from _local(match)


def _file(path: str) -> Input:
    try:
        status = os.stat(path)
    except OSError:
        return Input(path, 0, "missing")
    if not stat.S_ISREG(status.st_mode):
        return Input(path, 0, "directory" if stat.S_ISDIR(status.st_mode) else "special")
    return Input(path, status.st_size, str(status.st_mtime_ns))


def _folder(path: str) -> Iterator[Input]:
    waiting, seen = [path], set[str]()
    while waiting:
        folder = waiting.pop()
        if (real := os.path.realpath(folder)) in seen:  # links may lead in a circle
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _wanted(entry.name):
                    yield _file(entry.path)
                elif entry.is_dir():
                    waiting.append(entry.path)


def _wanted(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _bucket(uri: str, endpoint: str | None) -> Iterator[Input]:
    """List an object, all below a prefix, or what fits a pattern."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    objects = at(f"s3://{bucket}", endpoint)
    if key and not key.endswith("/") and objects.exists(key):
        yield Input(uri, *objects.stat(key)[1:])
        return
    pattern = glob.has_magic(key)
    folder = key[: min(map(key.find, set(key) & set("*?[")))].rpartition("/")[0] if pattern else key
    for entry in objects.list(folder.rstrip("/") + "/" if folder else ""):
        hidden = entry.key.rpartition("/")[2].startswith(".")
        fits = fnmatch.fnmatch(entry.key, key) if pattern else _wanted(entry.key) and not hidden
        if fits and not entry.key.endswith("/"):
            yield Input(f"s3://{bucket}/{entry.key}", entry.size, entry.tag)


def _manifest(uri: str, endpoint: str | None) -> Iterator[Input]:
    """List what a manifest's ``uri`` column names; paths are relative to the manifest's folder."""
    folder, _, name = uri.rpartition("/")
    folder = folder or ("/" if uri.startswith("/") else ".")
    try:
        data = at(folder, endpoint).read(name)
    except FileNotFoundError:
        return
    uris = [_joined(folder, item) for item in _column(uri, data)]
    with ThreadPoolExecutor(16) as threads:
        yield from threads.map(lambda item: _named(item, endpoint), uris)


def _column(uri: str, data: bytes) -> list[str]:
    rows: Sequence[dict[str, str]]
    try:
        if uri.lower().endswith(".parquet"):
            return pq.read_table(io.BytesIO(data), columns=["uri"])["uri"].to_pylist()
        text = data.decode("utf-8-sig")
        if uri.lower().endswith(".csv"):
            rows = list(csv.DictReader(io.StringIO(text)))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [row["uri"] for row in rows]
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise InputError(
            f"{uri}: a manifest needs a column `uri`, found {type(error).__name__}: {error}"
        ) from error


def _joined(folder: str, uri: str) -> str:
    if "://" in uri:
        return uri
    return f"{folder}/{uri}" if "://" in folder else os.path.abspath(os.path.join(folder, uri))


def _named(uri: str, endpoint: str | None) -> Input:
    if not uri.startswith("s3://"):
        return Input(uri, 0, "") if "://" in uri else _file(uri)
    folder, _, name = uri.rpartition("/")
    try:
        return Input(uri, *at(folder, endpoint).stat(name)[1:])
    except FileNotFoundError:
        return Input(uri, 0, "missing")
