"""Know what of an output is done, and make it appear whole: stage a clip, commit a shard, resume.

Everything but the tables lies below ``_muybridge/``, where no reader looks:

    manifest.json                 what made the output; another run must agree
    lock.json                     who is writing (lock.py)
    index/, plan/<shard>.parquet  what is to be done (plan.py)
    attempts/<shard>/<clip>       how often a run has tried a clip
    staging/<shard>/<clip>        the rows of one clip
    prepared/<shard>/<table>      a shard's parts, complete but not published
    commits/<shard>.json          from here on the shard counts: its videos, rows, checksums

A commit prepares all parts, writes the record, then moves the parts to where readers see them. A
run that finds a record and prepared parts that fit it moves them; prepared parts without it go. So
a killed commit is finished or forgotten, and doing it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from muybridge.errors import OutputError, listed
from muybridge.store import plan, tables
from muybridge.store.objects import ASIDE, PRIVATE, Objects
from muybridge.store.tables import SCHEMAS, Tables

MANIFEST = PRIVATE + "manifest.json"
STAGING = PRIVATE + "staging/"
PREPARED = PRIVATE + "prepared/"
COMMITS = PRIVATE + "commits/"
ATTEMPTS = PRIVATE + "attempts/"


@dataclass(frozen=True)
class Ledger:
    """Be the state of one output; ``identity`` says what makes it (graph, weights, sampling)."""

    objects: Objects
    identity: Mapping[str, Any] = field(default_factory=dict)

    def staged(self, shard: str) -> set[str]:
        """Name the clips of a shard whose rows are there."""
        folder = f"{STAGING}{shard}/"
        return {entry.key.removeprefix(folder) for entry in self.objects.list(folder)}

    def stage(self, shard: str, clip_id: str, made: Tables) -> None:
        """Keep the rows of one clip until its shard is committed."""
        self.objects.write(f"{STAGING}{shard}/{clip_id}", _packed(made))
        self.settle(shard, clip_id)

    def load_staged(self, shard: str, clip_id: str) -> Tables:
        """Read the rows of one clip."""
        return _unpacked(self.objects.read(f"{STAGING}{shard}/{clip_id}"))

    def attempt(self, shard: str, clip_id: str, run: str) -> int:
        """Note that a run takes up a clip, and say how often it has done so, this time included."""
        key = f"{ATTEMPTS}{shard}/{clip_id}"
        before = json.loads(self.objects.read(key)) if self.objects.exists(key) else {}
        count = 1 + (before["count"] if before.get("run") == run else 0)
        self.objects.write(key, _text({"run": run, "count": count}))
        return count

    def settle(self, shard: str, clip_id: str) -> None:
        """Forget the attempts at a clip."""
        self.objects.delete([f"{ATTEMPTS}{shard}/{clip_id}"])

    def records(self) -> dict[str, dict[str, Any]]:
        """Read the records of all committed shards."""
        keys = [entry.key for entry in self.objects.list(COMMITS)]
        with ThreadPoolExecutor(16) as threads:
            records = threads.map(lambda key: json.loads(self.objects.read(key)), keys)
            return {record["shard"]: record for record in records}

    def pending(self, shards: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        """Name the planned shards (``Plan.shards()``) to be done, each with its videos to be done.

        A shard in which a video has changed is to be done, but its other videos are not: their rows
        are taken from the part that is there.
        """
        records = self.records()
        todo = {}
        for shard, wanted in shards.items():
            done = frozenset(records.get(shard, {}).get("videos", ()))
            if done != wanted:
                todo[shard] = wanted - done
        return todo

    def commit(self, shard: str, made: Tables) -> dict[str, Any]:
        """Make a shard's rows appear, all at once in the record and then to readers.

        ``made`` has all rows of the shard's videos that were to be done, but for ``tracks``, which
        follow from ``people``. Returns the record: the videos, and each table's rows, size in bytes
        and sha256.
        """
        wanted = {video.video_id: video.ids for video in plan.load(self.objects, shard)}
        done = set(self._record(shard).get("videos", ()))
        kept = frozenset[str]().union(*(ids for name, ids in wanted.items() if name in done))
        _refuse_strangers(shard, made, frozenset[str]().union(*wanted.values()) - kept)
        made = {**tables.joined([made]), "tracks": tables.tracks(made["people"])}
        parts = {}
        for name in SCHEMAS:
            rows = pa.concat_tables([made[name], self._kept(shard, name, kept)])
            data = tables.write(name, rows, self.identity)
            self.objects.write(f"{PREPARED}{shard}/{name}.parquet", data)
            parts[name] = {"rows": len(rows), "bytes": len(data), "sha256": _sum(data)}
        record = {"shard": shard, "videos": sorted(wanted), "tables": parts}
        self.objects.write(f"{COMMITS}{shard}.json", _text(record))
        self._publish(shard, record)
        self._clear(shard)
        return record

    def recover(self, shards: Mapping[str, frozenset[str]]) -> None:
        """Finish the commits that were cut off, and remove what is left over; needs the lock."""
        for shard in sorted(self._shards_below(PREPARED)):
            self._publish(shard, self._record(shard))
        for shard in self._shards_below(STAGING) | self._shards_below(ATTEMPTS):
            done = frozenset(self._record(shard).get("videos", ()))
            if shards.get(shard) == done:
                self._clear(shard)
        self.objects.delete(entry.key for entry in self.objects.list(ASIDE))

    def _record(self, shard: str) -> dict[str, Any]:
        key = f"{COMMITS}{shard}.json"
        return json.loads(self.objects.read(key)) if self.objects.exists(key) else {}

    def _kept(self, shard: str, name: str, kept: frozenset[str]) -> pa.Table:
        """Read the rows of videos that stay as they are from the part that readers see."""
        if not kept:
            return SCHEMAS[name].empty_table()
        data = io.BytesIO(self.objects.read(_part(shard, name)))
        rows = pq.read_table(data, schema=SCHEMAS[name])
        return rows.filter(pc.is_in(rows["video_id"], pa.array(sorted(kept), pa.string())))

    def _publish(self, shard: str, record: Mapping[str, Any]) -> None:
        """Move prepared parts to where readers see them; those that no record names are removed."""
        folder = f"{PREPARED}{shard}/"
        waiting = {entry.key for entry in self.objects.list(folder)}
        for name in SCHEMAS:
            key = f"{folder}{name}.parquet"
            if key in waiting and _sum(self.objects.read(key)) == _wanted(record, name):
                self.objects.move(key, _part(shard, name))
                waiting.remove(key)
        self.objects.delete(waiting)

    def _clear(self, shard: str) -> None:
        for folder in (STAGING, ATTEMPTS):
            self.objects.delete([entry.key for entry in self.objects.list(f"{folder}{shard}/")])

    def _shards_below(self, folder: str) -> set[str]:
        keys = (entry.key for entry in self.objects.list(folder))
        return {key.removeprefix(folder).partition("/")[0] for key in keys}


def start(objects: Objects, identity: Mapping[str, Any]) -> Ledger:
    """Begin or take up an output, or raise OutputError if something else made what is there."""
    made = json.loads(_text({"schema": tables.VERSION, **identity}))
    if not objects.exists(MANIFEST):
        if any(not entry.key.startswith(PRIVATE) for entry in objects.list()):
            raise OutputError(
                f"{objects.root}: is not empty and was not made by muybridge;"
                " name a new or an empty folder"
            )
        objects.create(MANIFEST, _text(made))
    found = json.loads(objects.read(MANIFEST))
    if differing := _differences(found, made):
        raise OutputError(
            listed(f"{objects.root}: was made otherwise; name another folder", differing)
        )
    return Ledger(objects, made)


def _differences(found: Mapping[str, Any], asked: Mapping[str, Any], path: str = "") -> list[str]:
    """List the values that differ, old and new, by their path in the manifest."""
    lines = []
    for key in sorted({*found, *asked}):
        old, new = found.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{path}{key}.")
        elif old != new:
            lines.append(f"{path}{key}: made with {json.dumps(old)}, now {json.dumps(new)}")
    return lines


def _refuse_strangers(shard: str, made: Tables, videos: frozenset[str]) -> None:
    strange = {
        f"{name}: {video}"
        for name, rows in made.items()
        for video in pc.unique(rows["video_id"]).to_pylist()
        if video not in videos
    }
    if strange:
        raise OutputError(listed(f"shard {shard}: rows of videos not to be done", sorted(strange)))


def _part(shard: str, name: str) -> str:
    return f"{name}/{shard}.parquet"


def _wanted(record: Mapping[str, Any], name: str) -> str:
    return record.get("tables", {}).get(name, {}).get("sha256", "")


def _packed(made: Tables) -> bytes:
    """Write several tables into one file: one row a table, with its name and its rows."""
    packed = pa.table({"name": list(made), "rows": [_ipc(rows) for rows in made.values()]})
    return _ipc(packed)


def _unpacked(data: bytes) -> Tables:
    packed = pa.ipc.open_stream(data).read_all()
    names, parts = packed["name"].to_pylist(), packed["rows"]
    return {
        name: pa.ipc.open_stream(part.as_buffer()).read_all()
        for name, part in zip(names, parts, strict=True)
    }


def _ipc(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, rows.schema, options=options) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1).encode()
