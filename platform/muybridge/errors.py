"""What Muybridge raises on purpose. A message says what was asked, found, and is to be done."""

from __future__ import annotations

from collections.abc import Sequence


class MuybridgeError(Exception):
    """Be the root of every error that Muybridge raises on purpose.

    ``kind`` is a short word that stands in the ``errors`` table, so that rows can be grouped by it.
    """

    kind = "error"


class InputError(MuybridgeError):
    """Say that what the user gave cannot be used: no such file, an unknown table, a bad option."""

    kind = "input"


class VideoError(MuybridgeError):
    """Say that one video cannot be read, with its name and the cause.

    ``kind`` is one of ``unreadable`` (not a video, cut off, unknown codec), ``no_video`` (no
    picture stream), ``empty`` (no frame), ``missing`` (no such file), ``damaged`` (frames could not
    be decoded), ``timeout`` (the decoder hung) and ``crashed`` (the decoder's process died). It
    belongs to the stage ``decode``, though it shows only when a later one asks for frames.
    """

    stage = "decode"

    def __init__(self, kind: str, uri: str, cause: str) -> None:
        super().__init__(f"{uri}: {cause}")
        self.kind = kind
        self.uri = uri
        self.cause = cause

    def __reduce__(self) -> tuple[type[VideoError], tuple[str, str, str]]:
        return type(self), (self.kind, self.uri, self.cause)


class ClipError(MuybridgeError):
    """Say that a stage cannot work on a clip because of what the clip holds."""

    kind = "clip"


class GraphError(MuybridgeError):
    """List every fault in the wiring of a graph."""

    kind = "graph"


class WeightsError(MuybridgeError):
    """Say that a model's weights are not there or do not fit, and how to get them."""

    kind = "weights"


class CheckpointError(WeightsError):
    """Say that a checkpoint is refused (it asks for code, is too large) or does not fit a model."""

    kind = "checkpoint"


class OutputError(MuybridgeError):
    """Say that an output cannot be used: made by another graph, or not an output at all."""

    kind = "output"


class LockedError(OutputError):
    """Say that another run is writing to the output."""

    kind = "locked"


def listed(title: str, faults: Sequence[str]) -> str:
    """Write all faults of a kind under one title, one a line."""
    return "\n  ".join([title, *faults])
