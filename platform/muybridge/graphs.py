"""The product's graphs, by name."""

from __future__ import annotations

from muybridge.graph import Graph
from muybridge.stages.decode import decode
from muybridge.stages.people import people
from muybridge.stages.watch import Options


def embedded(timeout_s: float = 60.0, options: Options = Options()) -> Graph:
    """See people, their tracks and joints with the models that come with the extra ``embedded``.

    ``timeout_s`` is how long the decoder may take for the next few frames.
    """
    return (decode(timeout_s=timeout_s), people(options))
