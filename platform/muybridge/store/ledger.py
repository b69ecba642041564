"""Know what of an output is done, and make it appear whole: stage a clip, commit a shard, resume.

Everything but the tables lies below ``_muybridge/``, where no reader looks:

    manifest.json                 what made the output; another run must agree
    lock.json                     who is writing (lock.py)
    index/, plan/<shard>.parquet  what is to be done (plan.py)
    attempts/<shard>/<clip>       how often a run has tried a clip
    staging/<shard>/<clip>        the rows of one clip; <clip>.transient if it met such an error
    prepared/<shard>/<token>/     a shard's parts, complete but not published
    commits/<shard>.json          from here on the shard counts: its videos, rows, checksums

A commit prepares all parts, writes the record, then moves the parts to where readers see them. A
run that finds a record and prepared parts that fit it moves them; prepared parts without it go. So
a killed commit is finished or forgotten, and doing it twice changes nothing.

A run may be overtaken: it was stopped or cut off for so long that another took the lock. Its commit
carries its token of the lock and is refused once another run holds it. What it may have done an
instant before does no harm: its parts lie below its token, where nobody else looks, and a record
counts only while the parts that it speaks of are there.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from muybridge.errors import LockedError, OutputError, listed
from muybridge.store import lock, plan, tables
from muybridge.store.objects import ASIDE, PRIVATE, Objects
from muybridge.store.tables import SCHEMAS, Tables

MANIFEST = PRIVATE + "manifest.json"
STAGING = PRIVATE + "staging/"
PREPARED = PRIVATE + "prepared/"
COMMITS = PRIVATE + "commits/"
ATTEMPTS = PRIVATE + "attempts/"
TRANSIENT = ".transient"  # ends the name of a staged clip that the next run tries again


@dataclass(frozen=True)
class Ledger:
    """Be the state of one output; ``identity`` says what makes it (graph, weights, sampling).

    ``token`` is that of the lock which the run holds; without one, a commit takes that of whoever
    holds the lock when it begins. With ``retry_errors``, what ended in an error is to be done again
    whatever its kind.
    """

    objects: Objects
    identity: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""
    retry_errors: bool = False

    def staged(self, shard: str) -> set[str]:
        """Name the clips of a shard whose rows are there, but for those with transient errors."""
        folder = f"{STAGING}{shard}/"
        names = (entry.key.removeprefix(folder) for entry in self.objects.list(folder))
        return {name for name in names if not name.endswith(TRANSIENT)}

    def stage(self, shard: str, clip_id: str, made: Tables) -> None:
        """Keep the rows of one clip until its shard is committed."""
        name = clip_id + (TRANSIENT if _met_transient(made) else "")
        self.objects.write(f"{STAGING}{shard}/{name}", _packed(made))
        self.settle(shard, clip_id)

    def load_staged(self, shard: str, clip_id: str) -> Tables:
        """Read the rows of one clip."""
        key = f"{STAGING}{shard}/{clip_id}"
        try:
            return _unpacked(self.objects.read(key))
        except FileNotFoundError:
            return _unpacked(self.objects.read(key + TRANSIENT))

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

        A shard in which a video has changed, or met a transient error, is to be done, but its other
        videos are not: their rows are taken from the part that is there.
        """
        records, sizes = self.records(), self._published()
        todo = {}
        for shard, wanted in shards.items():
            done = self._done(shard, records.get(shard, {}), sizes)
            if done != wanted:
                todo[shard] = wanted - done
        return todo

    def commit(
        self, shard: str, made: Tables, todo: frozenset[str] | None = None
    ) -> dict[str, Any]:
        """Make a shard's rows appear, all at once in the record and then to readers.

        ``made`` has all rows of the shard's videos that were ``todo`` (as ``pending`` names them;
        it is asked if they are not given), but for ``tracks``, which follow from ``people``.
        Returns the record: the videos, which of them met transient and which permanent errors, and
        each table's rows, size in bytes and sha256. Raises LockedError if another run has taken the
        lock.
        """
        token = self.token or lock.token(self.objects)
        planned = plan.load(self.objects, shard)
        wanted = {video.key: video.ids for video in planned}
        if todo is None:
            todo = self.pending({shard: frozenset(wanted)}).get(shard, frozenset())
        kept = frozenset[str]().union(*(ids for key, ids in wanted.items() if key not in todo))
        _refuse_strangers(shard, made, frozenset[str]().union(*wanted.values()) - kept)
        made = {**tables.joined([made]), "tracks": tables.tracks(made["people"])}
        parts: dict[str, dict[str, Any]] = {}
        failed: dict[str, list[str]] = {}
        for name in SCHEMAS:
            rows = pa.concat_tables([made[name], self._kept(shard, name, kept)])
            data = tables.write(name, rows, self.identity)
            self.objects.write(_prepared(shard, token, name), data)
            parts[name] = {"rows": len(rows), "bytes": len(data), "sha256": _sum(data)}
            if name == "errors":
                failed = _failed(rows, wanted)
                parts[name]["transient"] = pc.sum(rows["transient"]).as_py() or 0
        named = {"shard": shard, "token": token, "videos": sorted(wanted)}
        record = {**named, **failed, "tables": parts}
        self._check(token)
        self.objects.write(f"{COMMITS}{shard}.json", _text(record))
        self._check(token)
        self._publish(shard, record)
        again = {c["clip_id"] for v in planned if v.key in failed["transient"] for c in v.clips}
        self._clear(shard, again)
        return record

    def _check(self, token: str) -> None:
        """Raise LockedError unless the lock is still held under this token."""
        if lock.token(self.objects) != token:
            raise LockedError(
                f"{self.objects.root}: this run was overtaken: another one has taken the lock since"
                " it began to write; nothing is lost, that run does what was left"
            )

    def _done(
        self, shard: str, record: Mapping[str, Any], sizes: Mapping[str, int]
    ) -> frozenset[str]:
        """Name the videos that need not be done again: none if a part of the record is gone."""
        parts = record.get("tables", {})
        if any(sizes.get(_part(shard, name)) != part["bytes"] for name, part in parts.items()):
            return frozenset()
        again = {*record.get("transient", ()), *(record.get("permanent", ()) * self.retry_errors)}
        return frozenset(record.get("videos", ())) - again

    def _published(self) -> dict[str, int]:
        """Say how many bytes each part has that readers see."""
        return {entry.key: entry.size for n in SCHEMAS for entry in self.objects.list(f"{n}/")}

    def finished(self, shard: str) -> dict[str, Any]:
        """Finish a commit that this very run has begun before, and give its record; {} if none."""
        record = self._record(shard)
        if not self.token or record.get("token") != self.token:
            return {}
        self._publish(shard, record)
        return record

    def recover(self, shards: Mapping[str, frozenset[str]]) -> None:
        """Finish the commits that were cut off, and remove what is left over; needs the lock."""
        for shard in sorted(self._shards_below(PREPARED)):
            self._publish(shard, self._record(shard))
        left = self._shards_below(STAGING) | self._shards_below(ATTEMPTS)
        for shard in left - self.pending(shards).keys():
            if shard in shards:
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
            key = _prepared(shard, record.get("token", ""), name)
            if key in waiting and _sum(self.objects.read(key)) == _wanted(record, name):
                self.objects.move(key, _part(shard, name))
                waiting.remove(key)
        self.objects.delete(waiting)

    def _clear(self, shard: str, kept: Collection[str] = ()) -> None:
        """Remove what was staged of a shard but for the ``kept`` clips, and the attempts at it."""
        for folder in (f"{STAGING}{shard}/", f"{ATTEMPTS}{shard}/"):
            keys = (entry.key for entry in self.objects.list(folder))
            self.objects.delete([k for k in keys if k.removeprefix(folder) not in kept])

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
    return Ledger(objects.kept(), made)


def _met_transient(made: Tables) -> bool:
    """Tell whether rows have a transient error among them."""
    return bool(pc.any(made["errors"]["transient"]).as_py())


def _failed(errors: pa.Table, videos: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """Name the videos (ids by key) whose clips met transient errors, and those that met others.

    What could not even be probed stands in the plan.
    """
    errors = errors.filter(pc.field("stage") != "probe")
    found = {}
    for kind, transient in (("transient", True), ("permanent", False)):
        rows = errors.filter(pc.field("transient") == transient)
        ids = set(rows["video_id"].to_pylist())
        found[kind] = sorted(key for key, own in videos.items() if own & ids)
    return found


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


def _prepared(shard: str, token: str, name: str) -> str:
    return f"{PREPARED}{shard}/{token or 'unlocked'}/{name}.parquet"


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
