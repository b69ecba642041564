"""The graph over a corpus, on Ray Data: a row is a clip, a pool of actors holds the models.

A clip travels as one pickled value, because its columns are ragged and what stands in them is
decided by the graph. The first pool gets what the plan says of a clip, a few kilobytes; frames are
decoded where they are looked at, and only a pool boundary that parts ``decode`` from its readers
sends pictures through the object store.
"""

from __future__ import annotations

import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
import ray.data

from muybridge.columns import GIVEN, Clip
from muybridge.graph import Graph, Loaded, divided, gathered, load, parted
from muybridge.retry import ATTEMPTS
from muybridge.run import isolated
from muybridge.run.attempts import through
from muybridge.run.pools import Pool, columns, group, most_clips

Spent = defaultdict[str, float]  # seconds by stage, and as frames, write, idle
Finish = Callable[[Clip], Mapping[str, Any]]
Deaths = Callable[[Clip, int], int]  # of workers, by clip and pool


def compile(
    graph: Graph,
    clips: ray.data.Dataset,
    given: Iterable[str] = GIVEN,
    pools: tuple[Pool, ...] = (),
    *,
    locate: Callable[[str], str] = str,
    relocate: Callable[[str], str] | None = None,
    finish: Finish = dict,
    deaths: Deaths = lambda clip, pool: 0,
) -> ray.data.Dataset:
    """Lead a dataset of packed clips (``pack``) through the pools; unpack its rows with ``unpack``.

    ``locate`` turns a clip's uri into its source, in the actor, and ``relocate`` does so again
    after it could not be read. ``finish`` runs in the last actor and its answer is what comes out.
    ``deaths`` notes that a clip is taken up by a pool, the first being 0, and tells how many of its
    workers died over it before.
    """
    grouped = group(graph, given, pools)
    held = columns(grouped, given)
    for at, ((pool, stages), (has, drop)) in enumerate(zip(grouped, held, strict=True)):
        last = at == len(grouped) - 1
        clips = clips.map_batches(
            Worker,
            fn_constructor_kwargs={
                "graph": stages,
                "given": has,
                "locate": locate if at == 0 else None,
                "relocate": relocate or locate,
                "drop": drop,
                "finish": finish if last else None,
                "deaths": lambda clip, pool=at: deaths(clip, pool),
            },
            batch_size=most_clips(stages),
            batch_format="pyarrow",
            zero_copy_batch=True,
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            compute=ray.data.ActorPoolStrategy(min_size=pool.smallest, max_size=pool.largest),
        )
    return clips


def pack(clip: Mapping[str, Any], spent: Mapping[str, float] | None = None) -> dict[str, bytes]:
    """Make the row in which a clip and the seconds spent on it travel."""
    return {"clip": pickle.dumps(clip, 5), "spent": pickle.dumps(dict(spent or {}), 5)}


def unpack(row: Mapping[str, bytes]) -> tuple[Clip, dict[str, float]]:
    """Read a row back: the clip (or what ``finish`` made of it) and the seconds spent on it."""
    return pickle.loads(row["clip"]), pickle.loads(row["spent"])


class Worker:
    """Hold a pool's models and lead clips through them: the one place that meets surprises."""

    def __init__(
        self,
        graph: Graph,
        given: tuple[str, ...],
        locate: Callable[[str], str] | None,
        relocate: Callable[[str], str],
        drop: frozenset[str],
        finish: Finish | None,
        deaths: Callable[[Clip], int],
    ) -> None:
        self._given, self._deaths = given, deaths
        self._locate, self._relocate = locate, relocate
        self._drop, self._finish = drop, finish
        self._graph, self._across, self._written = divided(graph, given)
        self._loaded: Loaded = load(self._graph, given)
        self._together: Loaded = load(self._across, self._written)
        self._idle_since = time.perf_counter()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Lead a batch of packed clips through the pool's stages."""
        spent: Spent = defaultdict(float, idle=time.perf_counter() - self._idle_since)
        rows = [unpack(row) for row in batch.to_pylist()]
        for _, before in rows:
            for name, seconds in before.items():
                spent[name] += seconds
        clips = [clip for clip, _ in rows]
        if self._locate is not None:
            clips = [_sourced(clip, self._locate) for clip in clips]
        clips = self._through(clips, spent)
        answers = [self._close(clip, spent) for clip in clips]
        self._idle_since = time.perf_counter()
        return pa.Table.from_pylist(
            [pack(answer, {} if at else spent) for at, answer in enumerate(answers)]
        )

    def _reopen(self, clip: Clip) -> Clip:
        """Find the video of a clip again; only the first pool opens it, and knows it by its uri."""
        return _sourced(clip, self._relocate) if "frames" not in clip else clip

    def _through(self, clips: list[Clip], spent: Spent) -> list[Clip]:
        """Lead clips through the stages: of a session's clip each view, which may fail alone.

        Then the session's clip as a whole goes through what works across views.
        """
        deaths = [0 if clip.get("error") else self._deaths(clip) for clip in clips]
        views = [
            (view, died)
            for clip, died in zip(clips, deaths, strict=True)
            for view in parted([clip])
        ]
        alive = [view for view, died in views if not died]
        results = iter(through(self._loaded, alive, spent, self._reopen))
        done = [
            isolated.apply(self._graph, self._given, self._drop, view, died, ATTEMPTS)
            if died
            else next(results)
            for view, died in views
        ]
        whole = gathered(clips, done)
        if not self._across:
            return whole
        return [
            self._as_one(clip, died, spent) if "views" in clip else clip
            for clip, died in zip(whole, deaths, strict=True)
        ]

    def _as_one(self, clip: Clip, died: int, spent: Spent) -> Clip:
        if not died:
            return through(self._together, [clip], spent, self._reopen)[0]
        bare = [{n: v for n, v in view.items() if n != "frames"} for view in clip["views"]]
        (sent,) = gathered([clip], bare)  # frames would all be decoded to be sent
        done = isolated.apply(self._across, self._written, self._drop, sent, died, ATTEMPTS)
        return {**done, "views": clip["views"]}

    def _close(self, clip: Clip, spent: Spent) -> Mapping[str, Any]:
        views = parted([clip])
        spent["frames"] += sum(getattr(view.get("frames"), "waited_s", 0.0) for view in views)
        start = time.perf_counter()
        kept = [{k: v for k, v in view.items() if k not in self._drop} for view in views]
        answer = gathered([clip], kept)[0]
        answer = self._finish(answer) if self._finish else answer
        spent["write"] += time.perf_counter() - start
        return answer


def _sourced(clip: Clip, locate: Callable[[str], str]) -> Clip:
    """Say of a clip, or of each of its views, what to open to read it."""
    sourced = [{**each, "source": locate(each["uri"])} for each in parted([clip])]
    return gathered([clip], sourced)[0]
