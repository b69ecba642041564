"""Pools: which stages share an actor, and how many actors there are. A setting of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from muybridge.errors import InputError, listed
from muybridge.graph import Graph, waves


@dataclass(frozen=True)
class Pool:
    """Name the stages that run in one actor, what an actor needs, and how many there may be.

    ``largest`` = None lets the pool grow as far as the cluster goes.
    """

    stages: tuple[str, ...]
    cpus: float = 1.0
    gpus: float = 0.0
    smallest: int = 1
    largest: int | None = None


Grouped = list[tuple[Pool, Graph]]
OPTIONS = {"cpus": float, "gpus": float, "smallest": int, "largest": int}


def parse(text: str) -> tuple[Pool, ...]:
    """Read pools as written on a command line: ``decode:cpus=2 | people:gpus=0.5,largest=4``.

    Stages of one pool are joined with ``+``; pools are parted by ``|``.
    """
    return tuple(_parse_pool(part.strip()) for part in text.split("|"))


def _parse_pool(text: str) -> Pool:
    names, _, options = text.partition(":")
    try:
        pairs = dict(pair.split("=") for pair in re.split(r"\s*,\s*", options.strip()) if pair)
        values = {key: OPTIONS[key](value) for key, value in pairs.items()}
    except (KeyError, ValueError):
        raise InputError(
            f"--pools: cannot read {text!r}; write for example "
            "'decode:cpus=2 | people:gpus=0.5,smallest=1,largest=4' "
            f"(options: {', '.join(OPTIONS)})"
        ) from None
    return Pool(tuple(name.strip() for name in names.split("+")), **values)


def group(graph: Graph, given: Iterable[str], pools: tuple[Pool, ...] = ()) -> Grouped:
    """Give each pool its stages, in an order in which they can run; no pools means one for all."""
    ordered = [stage for wave in waves(graph, given) for stage in wave]
    if not pools:
        pools = (Pool(tuple(stage.name for stage in ordered)),)
    position = {name: at for at, pool in enumerate(pools) for name in pool.stages}
    found = _faults([stage.name for stage in ordered], pools)
    if not found:
        writer = {column: stage.name for stage in ordered for column in stage.writes}
        found = [
            f"{stage.name} stands before {writer[column]}, whose {column!r} it reads"
            for stage in ordered
            for column in stage.reads
            if column in writer and position[writer[column]] > position[stage.name]
        ]
    if found:
        raise InputError(listed("these pools cannot run the graph", found))
    return [(p, tuple(s for s in ordered if s.name in p.stages)) for p in pools]


def columns(
    grouped: Grouped, given: Iterable[str]
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Yield for each pool what its clips hold, and what nobody reads after it."""
    given = tuple(given)
    for at, (_, stages) in enumerate(grouped):
        later = {
            column for _, rest in grouped[at + 1 :] for stage in rest for column in stage.reads
        }
        yield given, frozenset({"frames"} - later)
        given += tuple(column for stage in stages for column in stage.writes)


def most_clips(stages: Graph) -> int:
    """Tell how many clips a pool takes at a time: as many as its hungriest stage."""
    return max((stage.clips_per_call for stage in stages), default=1)


def _faults(stages: list[str], pools: tuple[Pool, ...]) -> list[str]:
    named = [name for pool in pools for name in pool.stages]
    found = [
        f"no stage is called {n!r}; there are {', '.join(stages)}" for n in named if n not in stages
    ]
    found += [f"{name} is in no pool" for name in stages if name not in named]
    found += [f"{name} is in more than one pool" for name in set(named) if named.count(name) > 1]
    return found
