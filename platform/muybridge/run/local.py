"""The meaning of a graph: load its stages, run the clips through them in order. No Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from muybridge.columns import GIVEN, Clip
from muybridge.graph import Graph, apply, divided, gathered, load, parted


def run(graph: Graph, clips: Iterable[Clip], given: Iterable[str] = GIVEN) -> Iterator[Clip]:
    """Yield each clip with all that the graph writes for it, in the order given."""
    within, across, written = divided(graph, given)
    loaded, together = load(within, given), load(across, written)
    for clip in clips:
        (done,) = gathered([clip], apply(loaded, parted([clip])))
        yield apply(together, [done])[0] if "views" in clip else done
