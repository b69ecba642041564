"""Stages, and what follows from the columns they read and write.

A stage reads some columns of a clip and writes others. Columns are the edges of the graph: the
order, what can run side by side, which stages a request needs and when a column may be dropped all
follow from them. Nothing here knows Ray; ``run/`` executes what is described here.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muybridge.columns import COLUMNS, ERROR, Clip, check, empty
from muybridge.errors import GraphError, MuybridgeError, kind_of, listed

Run = Callable[[Sequence[Clip]], Sequence[Clip]]


def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Stage:
    """Name one step of the graph; ``load`` returns a function from clips to what it adds to each.

    ``missing`` lists, a sentence each, what must be fetched or installed before ``load`` can work.
    ``identity`` is what a result depends on (options, the weights' sha256), kept with the output.
    A stage that works ``across`` views reads columns of each of a session's views, after the other
    stages, and writes columns of the session's clip; it never sees a single video.
    """

    name: str
    load: Callable[[], Run]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    missing: Callable[[], Sequence[str]] = _nothing
    identity: Mapping[str, Any] = field(default_factory=dict)
    clips_per_call: int = 1
    across: bool = False


Graph = tuple[Stage, ...]
Loaded = Sequence[tuple[Stage, Run]]


def waves(graph: Graph, given: Iterable[str]) -> list[Graph]:
    """Order the stages: those of one wave need nothing of each other and may run side by side."""
    have, left, done = set(given), list(graph), list[Graph]()
    while left:
        ready = tuple(stage for stage in left if have.issuperset(stage.reads))
        if not ready:
            raise GraphError(listed("the graph cannot be wired", faults(graph, given)))
        done.append(ready)
        have.update(column for stage in ready for column in stage.writes)
        left = [stage for stage in left if stage not in ready]
    return done


def faults(graph: Graph, given: Iterable[str]) -> list[str]:
    """List everything wrong with the wiring; an empty list means it can run."""
    given = set(given)
    writers = Counter(column for stage in graph for column in stage.writes)
    writers.update(given)
    found = [
        f"two stages are called {n!r}" for n, k in Counter(s.name for s in graph).items() if k > 1
    ]
    found += [f"{c!r} is written {k} times" for c, k in writers.items() if k > 1]
    for stage in graph:
        for column in dict.fromkeys((*stage.reads, *stage.writes)):
            if column not in COLUMNS:
                found.append(f"{stage.name}: columns.py has no {column!r}")
        found += [f"{stage.name}: nobody writes {c!r}" for c in stage.reads if c not in writers]
    if not found:
        found = _cycle(graph, given)
    return found


def ready(graph: Graph, given: Iterable[str]) -> None:
    """Raise GraphError with all faults of the wiring and everything the stages still miss."""
    found = faults(graph, given) + [text for stage in graph for text in stage.missing()]
    if found:
        raise GraphError(listed("the graph cannot start", found))


def needed(graph: Graph, wanted: Iterable[str]) -> Graph:
    """Keep the stages that the wanted columns depend on, in the order given."""
    columns, kept = set(wanted), list[Stage]()
    while more := [s for s in graph if s not in kept and columns.intersection(s.writes)]:
        kept += more
        columns.update(column for stage in more for column in stage.reads)
    return tuple(stage for stage in graph if stage in kept)


def load(graph: Graph, given: Iterable[str]) -> Loaded:
    """Load every stage, in an order in which they can run."""
    return [(stage, stage.load()) for wave in waves(graph, given) for stage in wave]


def divided(graph: Graph, given: Iterable[str]) -> tuple[Graph, Graph, tuple[str, ...]]:
    """Tell stages of single videos from those across views, which have all these columns given."""
    within = tuple(stage for stage in graph if not stage.across)
    across = tuple(stage for stage in graph if stage.across)
    return within, across, (*given, *(column for stage in within for column in stage.writes))


def parted(clips: Sequence[Clip]) -> list[Clip]:
    """Give each clip, but of one that has ``views`` each of these: what most stages work on."""
    return [view for clip in clips for view in clip.get("views", (clip,))]


def gathered(clips: Sequence[Clip], done: Iterable[Clip]) -> list[Clip]:
    """Put what became of the ``parted`` clips back to where they came from."""
    rest = iter(done)
    return [
        {**clip, "views": [next(rest) for _ in clip["views"]]} if "views" in clip else next(rest)
        for clip in clips
    ]


def apply(
    loaded: Loaded, clips: Sequence[Clip], spent: defaultdict[str, float] | None = None
) -> list[Clip]:
    """Run loaded stages over clips; a clip that fails carries its ``error`` and the rest go on.

    ``spent`` collects the seconds each stage took, under its name.
    """
    done: list[Clip] = [{**empty(ERROR), **clip} for clip in clips]
    for stage, run in loaded:
        start = time.perf_counter()
        for first in range(0, len(done), stage.clips_per_call):
            batch = slice(first, first + stage.clips_per_call)
            done[batch] = _step(stage, run, done[batch])
        if spent is not None:
            spent[stage.name] += time.perf_counter() - start
    return done


def _step(stage: Stage, run: Run, clips: Sequence[Clip]) -> list[Clip]:
    good = [clip for clip in clips if not clip["error"]]
    try:
        written = run(good) if good else []
        for clip, columns in zip(good, written, strict=True):
            check({**clip, **columns}, stage.writes)
    except Exception as error:
        if len(good) > 1:  # one of them is bad: find it, so that it fails alone
            return [_step(stage, run, [clip])[0] for clip in clips]
        written = [_failure(stage, error)]
    results = iter(written)
    return [{**clip, **(empty(stage.writes) if clip["error"] else next(results))} for clip in clips]


def _failure(stage: Stage, error: Exception) -> Clip:
    expected = isinstance(error, MuybridgeError)
    return {
        **empty(stage.writes),
        "error": str(error) or type(error).__name__,
        "error_stage": getattr(error, "stage", stage.name),
        "error_kind": kind_of(error),
        "error_attempts": 1,
        "error_traceback": "" if expected else traceback.format_exc(),
    }


def _cycle(graph: Graph, given: set[str]) -> list[str]:
    have, left = set(given), list(graph)
    while ready := [stage for stage in left if have.issuperset(stage.reads)]:
        have.update(column for stage in ready for column in stage.writes)
        left = [stage for stage in left if stage not in ready]
    return [f"{stage.name}: waits in a circle for its own results" for stage in left]
