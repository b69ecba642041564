"""What Muybridge raises on purpose. A message says what was asked, found, and is to be done."""

from __future__ import annotations

import errno
from collections.abc import Sequence

# Kinds of errors whose cause may be gone a moment later: retried within a run, and by the next one.
# Every other kind is permanent: the same input fails in the same way.
# fmt: off
TRANSIENT = {
    "unavailable": "a store, a server or a disk did not answer, or broke off",
    "denied":      "access was refused; credentials expire and permissions change",
    "missing":     "there is no such file, or its disk is not mounted",
    "changed":     "the file was replaced while it was read, or since it was planned",
    "timeout":     "the decoder gave no sign of life",
    "crashed":     "the decoder's process died",
    "memory":      "memory ran out",
}
PERMANENT = {
    "unreadable":  "not a video, or its container is broken",
    "codec":       "no decoder for its codec is known",
    "no_video":    "it holds no video stream",
    "empty":       "its video stream holds no frame",
    "damaged":     "frames cannot be decoded",
    "views":       "a session has fewer than two views that can be read",
    "calibration": "a view's pictures do not fit its calibration",
    "offset":      "clocks of a session were found to differ too late",
    "clip":        "a stage cannot work on what the clip holds",
    "quarantined": "several processes died over the clip",
}
# fmt: on
# S3's codes of what may pass, most of which come with status 400; "400" is all that boto3 knows of
# an expired token where the answer has no body
S3_UNAVAILABLE = frozenset(
    (
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "400"),
        *("SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "Throttling"),
        "ThrottlingException",
    )
)
S3_DENIED = frozenset(("InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"))
OUTAGE = ("unavailable", "denied", "missing")  # of a store or a disk: what waiting may mend
NOT_ANSWERING = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "ESTALE", "ENOTCONN", "ENODEV", "EREMOTEIO", "EHOSTDOWN", "EHOSTUNREACH"),
        *("ENETDOWN", "ENETUNREACH", "ENETRESET", "EAGAIN", "EBUSY", "EMFILE", "ENFILE", "ENOBUFS"),
    )
    if hasattr(errno, name)
)


def is_transient(kind: str) -> bool:
    """Tell whether an error of this kind may be gone later; a surprise in our code is permanent."""
    return kind in TRANSIENT


def kind_of(error: BaseException) -> str:
    """Give the kind of any error: that of ours, a transient one, or the name of its class."""
    if isinstance(error, MuybridgeError):
        return error.kind
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return "memory"
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, PermissionError):
        return "denied"
    if isinstance(error, (ConnectionError, TimeoutError)):
        return "unavailable"
    if isinstance(error, OSError) and error.errno in NOT_ANSWERING:
        return "unavailable"
    return type(error).__name__


def http_kind(status: int, code: str = "") -> str:
    """Give the kind of error that an HTTP status tells, and S3's code of it; "" for none."""
    if code in S3_UNAVAILABLE:
        return "unavailable"
    if status in (401, 403) or code in S3_DENIED:
        return "denied"
    if status in (404, 410):
        return "missing"
    if status == 412:  # a precondition failed: it is another version by now
        return "changed"
    if status in (408, 425, 429) or status >= 500:
        return "unavailable"
    return "unreadable" if status >= 400 else ""


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

    ``kind`` is one of ``TRANSIENT`` or ``PERMANENT``. The error belongs to the stage ``decode``,
    though it shows only when a later one asks for frames.
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


class StoreError(InputError):
    """Say that a store of objects, or a disk, did not answer; ``kind`` is one of ``TRANSIENT``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[StoreError], tuple[str, str]]:
        return type(self), (self.kind, str(self))


class LockedError(OutputError):
    """Say that another run is writing to the output."""

    kind = "locked"


def listed(title: str, faults: Sequence[str]) -> str:
    """Write all faults of a kind under one title, one a line."""
    return "\n  ".join([title, *faults])
