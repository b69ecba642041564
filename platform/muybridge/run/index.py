"""Index a corpus: plan it, lead its clips through the graph on Ray Data, commit its tables.

Every step can be cut off anywhere. What is planned, staged and committed is kept with the output,
so a run looks at what is there, does what is missing, and needs no memory of the run before.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import ray
import ray.data

from muybridge.columns import GIVEN, Clip
from muybridge.errors import OUTAGE, InputError
from muybridge.graph import Graph, parted, ready
from muybridge.retry import outage_delays
from muybridge.run import offline, planning
from muybridge.run.cluster import cluster, stream, workers
from muybridge.run.commit import clip_rows, commit, todo
from muybridge.run.planned import Planned
from muybridge.run.pools import Pool, group
from muybridge.run.report import Progress, Summary
from muybridge.run.sessions import Session, read
from muybridge.store import ledger as ledgers
from muybridge.store import lock, tables
from muybridge.store.inputs import Input, inputs, locate, relocate
from muybridge.store.ledger import Ledger
from muybridge.store.objects import at
from muybridge.store.plan import Plan
from muybridge.tracking.link import in_core
from muybridge.video.clips import DecoderName

READERS = 4  # shards of the plan that are read at a time


def index(
    uris: Sequence[str],
    out: str,
    graph: Graph,
    *,
    sessions: Sequence[str] = (),
    fps: float | None = None,
    pools: tuple[Pool, ...] = (),
    decoder: DecoderName = "pyav",
    retry_errors: bool = False,
    endpoint: str | None = None,
    address: str | None = None,
    verbose: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Summary:
    """Write tables of the people in videos to ``out``, a folder or s3://bucket/prefix.

    ``uris`` are files, folders, globs, s3:// prefixes or manifests, ``sessions`` files or folders
    that describe synchronised videos (``run.sessions``); ``fps`` looks at that many
    frames a second, None at every frame. Faults of the graph, missing weights and pools that cannot
    work are raised before anything starts. What cannot be read becomes rows of ``errors``; the next
    run tries again what met a transient error, and with ``retry_errors`` what met any.
    """
    ready(graph, GIVEN)
    group(graph, GIVEN, pools)
    if not sessions and (idle := [stage.name for stage in graph if stage.across]):
        raise InputError(
            f"{', '.join(idle)} works on sessions of several cameras, and none is named; give "
            "--sessions, or another --graph"
        )
    found: list[Input | Session] = [
        *inputs(uris, endpoint),
        *(session for uri in sessions for session in read(uri, endpoint)),
    ]
    if not found:
        raise InputError(
            f"no video in {', '.join(uris)}: folders and prefixes give what is named like a video "
            "(.mp4, .mov, .mkv …) or a picture; name other files one by one"
        )
    ledger = ledgers.start(at(out, endpoint), identity(graph, fps, decoder))
    start = time.monotonic()
    report(Progress("starting Ray"))
    with lock.held(ledger.objects) as held, cluster(address, verbose), ExitStack() as ending:
        ending.callback(
            held.release
        )  # before Ray ends, which takes a while: its writes are refused
        ledger = replace(ledger, token=held.token, retry_errors=retry_errors)
        plan = Plan(ledger.objects)
        planning.update(
            plan,
            found,
            fps,
            endpoint,
            lambda done, total: report(Progress("planning", done, total)),
            decoder=decoder,
            retry_errors=retry_errors,
        )
        shards = plan.shards()
        ledger.recover(shards)
        run = _Run(ledger, endpoint, ledger.pending(shards), report)
        for receipt in run.receipts(graph, pools, verbose):
            held.check()
            run.take(receipt)
        run.finish()
        summary = run.summary
    records = ledger.records().values()
    summary.rows = rows(records)
    summary.transient = sum(record["tables"]["errors"]["transient"] for record in records)
    summary.elapsed_s = time.monotonic() - start
    return summary


def identity(graph: Graph, fps: float | None, decoder: DecoderName) -> dict[str, Any]:
    """Say what the rows depend on: another value is another output."""
    stages = {stage.name: dict(stage.identity) for stage in graph}
    return {"graph": stages, "fps": fps, "decoder": decoder}


def rows(records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the rows of each table that records of shards speak of."""
    total: Counter[str] = Counter(dict.fromkeys(tables.SCHEMAS, 0))
    for record in records:
        total.update({name: part["rows"] for name, part in record["tables"].items()})
    return dict(total)


class _Run:
    """Keep count of what is pending, and commit a shard when its last clip is there."""

    def __init__(
        self,
        ledger: Ledger,
        endpoint: str | None,
        pending: Mapping[str, frozenset[str]],
        report: Callable[[Progress], None],
    ) -> None:
        self.summary = Summary(ledger.objects.root)
        self._ledger, self._endpoint, self._pending = ledger, endpoint, pending
        self._report, self._errors, self._start = report, 0, time.monotonic()
        self._spent: defaultdict[str, float] = defaultdict(float)
        with ThreadPoolExecutor(16) as threads:  # one listing a shard: on S3 they wait, not work
            self._staged = dict(zip(pending, threads.map(ledger.staged, pending), strict=True))
        self._left: dict[str, int] = {}
        self._clips_left: dict[str, int] = {}
        self._videos = self._seconds = self._seconds_total = 0.0
        self._commits: list[ray.ObjectRef[Any]] = []
        self._awaited: list[Mapping[str, Any]] = []
        for shard in pending:
            self._count(shard)

    def _count(self, shard: str) -> None:
        self._left[shard] = 0
        for video in todo(self._ledger, shard, self._pending[shard]):
            left = [clip for clip in video.clips if clip["clip_id"] not in self._staged[shard]]
            self._left[shard] += len(left)
            self._clips_left[video.video_id] = len(left)
            self._videos += not left
            self._errors += bool(video.error)
            self._seconds_total += sum(duration(clip) for clip in left)

    def receipts(
        self, graph: Graph, pools: tuple[Pool, ...], verbose: bool
    ) -> Iterator[tuple[Mapping[str, Any], Mapping[str, float]]]:
        """Lead all clips that are not staged through the graph, and yield what is told of each."""
        for shard, left in self._left.items():
            if not left:
                self._commit(shard)
        shards = [shard for shard, left in self._left.items() if left]
        self._tell("starting workers")
        if not shards:
            return
        stream(verbose)
        for delay_s in (0.0, *outage_delays(5.0)):
            if delay_s:
                self._tell("waiting for what cannot be read")
                time.sleep(delay_s)
            yield from self._pass(graph, pools)
            if not any(self._left.values()):
                return
        self._give_up()

    def _pass(
        self, graph: Graph, pools: tuple[Pool, ...]
    ) -> Iterator[tuple[Mapping[str, Any], Mapping[str, float]]]:
        """Lead the clips that are left through the graph once."""
        shards = [shard for shard, left in self._left.items() if left]
        ledger, endpoint = self._ledger, self._endpoint
        clips = ray.data.read_datasource(
            Planned(
                ledger, {shard: (self._pending[shard], self._staged[shard]) for shard in shards}
            ),
            num_cpus=0,  # a cluster that lost a node may have none to spare beside its workers
            compute=ray.data.TaskPoolStrategy(min(READERS, len(shards))),
            override_num_blocks=len(shards),
        )
        run = uuid.uuid4().hex
        rows = offline.compile(
            graph,
            clips,
            GIVEN,
            pools or _whole(graph, sum(self._left.values())),
            locate=lambda uri: locate(uri, endpoint),
            relocate=lambda uri: relocate(uri, endpoint),
            finish=lambda clip: stage(ledger, clip),
            deaths=lambda clip, pool: (
                ledger.attempt(clip["shard"], clip["clip_id"], f"{run} {pool}") - 1
            ),
        )
        for row in rows.iter_rows():
            yield offline.unpack(row)

    def take(self, told: tuple[Mapping[str, Any], Mapping[str, float]]) -> None:
        """Count a clip that is staged, and commit its shard if it was the last one.

        One that an outage kept from being read is left for another pass.
        """
        receipt, spent = told
        for name, seconds in spent.items():
            self._spent[name] += seconds
        if receipt["outage"]:
            self._awaited.append(receipt)
        else:
            self._count_done(receipt)
        self._tell()

    def _give_up(self) -> None:
        """Take what an outage has kept from being read for this run as it is."""
        for receipt in {each["clip_id"]: each for each in self._awaited}.values():
            if receipt["clip_id"] not in self._staged[receipt["shard"]]:
                self._count_done(receipt)
        self._tell()

    def _count_done(self, receipt: Mapping[str, Any]) -> None:
        shard, video = receipt["shard"], receipt["video_id"]
        self._staged[shard].add(receipt["clip_id"])
        self.summary.clips += 1
        self.summary.frames += receipt["frames"]
        self.summary.decoded_bytes += receipt["decoded_bytes"]
        self._seconds += receipt["seconds"]
        self._errors += receipt["errors"]
        self._clips_left[video] -= 1
        self._videos += not self._clips_left[video]
        self._left[shard] -= 1
        if not self._left[shard]:
            self._commit(shard)

    def finish(self) -> None:
        """Wait for the commits that are under way."""
        self._tell("writing tables")
        ray.get(self._commits)
        self.summary.spent = dict(self._spent)

    def _commit(self, shard: str) -> None:
        remote = ray.remote(num_cpus=0, max_retries=3, scheduling_strategy="SPREAD")(commit)
        self._commits.append(remote.remote(self._ledger, shard, self._pending[shard]))

    def _tell(self, phase: str = "analysing") -> None:
        self._report(
            Progress(
                phase,
                int(self._videos),
                len(self._clips_left),
                self._seconds,
                self._seconds_total,
                self.summary.frames,
                self._errors,
                time.monotonic() - self._start,
            )
        )


def stage(ledger: Ledger, clip: Clip) -> dict[str, Any]:
    """Keep all rows of a clip as one file, and make the receipt that goes to the driver."""
    made = clip_rows(clip)
    ledger.stage(clip["shard"], clip["clip_id"], made)
    return {
        "shard": clip["shard"],
        "video_id": clip["video_id"],
        "clip_id": clip["clip_id"],
        "outage": not set(OUTAGE).isdisjoint(made["errors"]["kind"].to_pylist()),
        "frames": sum(made["videos"]["frames_analysed"].to_pylist()),
        "seconds": duration(clip),
        "errors": len(made["errors"]),
        "decoded_bytes": sum(
            int(view["frame_seen"].sum()) * view["width"] * view["height"] * 3
            for view in parted([clip])
        ),
    }


def duration(clip: Clip) -> float:
    """Give the seconds of video that a clip answers for."""
    times = clip["times"]
    inside = np.count_nonzero(in_core(clip["frame_index"], clip["core"]))
    return float((times[-1] - times[0]) / max(len(times) - 1, 1) * inside)


def _whole(graph: Graph, clips: int) -> tuple[Pool, ...]:
    """Put all stages into one pool, of as many workers as there are CPUs or clips."""
    most = min(workers(), clips)
    return (Pool(tuple(stage.name for stage in graph), smallest=most, largest=most),)
