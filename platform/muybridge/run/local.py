"""The meaning of a graph: load its stages, run the clips through them in order. No Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from muybridge.columns import GIVEN, Clip
from muybridge.graph import Graph, apply, gathered, load, parted


def run(graph: Graph, clips: Iterable[Clip], given: Iterable[str] = GIVEN) -> Iterator[Clip]:
    """Yield each clip with all that the graph writes for it, in the order given."""
    loaded = load(graph, given)
    for clip in clips:
        yield from gathered([clip], apply(loaded, parted([clip])))
