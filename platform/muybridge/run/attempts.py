"""Lead clips through loaded stages, and retry those that met a surprise or a transient error."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from muybridge.columns import Clip
from muybridge.errors import is_transient
from muybridge.graph import Loaded, apply
from muybridge.retry import attempts, outage_delays


def through(
    loaded: Loaded,
    clips: Sequence[Clip],
    spent: defaultdict[str, float] | None = None,
    reopen: Callable[[Clip], Clip] = lambda clip: clip,
) -> list[Clip]:
    """Apply the stages; a clip that met a surprise or a transient error is retried
    (``retry.attempts``).

    What a stage says on purpose is final. An exception is not, nor is what a store, a disk or the
    death of a decoder has caused: ``reopen`` finds such a clip's video again.
    """
    done = apply(loaded, clips, spent)
    return [
        _retry(loaded, clip, out, spent, reopen) if _worth(out) and not clip.get("error") else out
        for clip, out in zip(clips, done, strict=True)
    ]


def _worth(out: Clip) -> bool:
    """Tell whether another attempt may go better; a file that was replaced stays replaced."""
    kind = out["error_kind"]
    return bool(out["error_traceback"]) or (is_transient(kind) and kind != "changed")


def _retry(
    loaded: Loaded,
    clip: Clip,
    out: Clip,
    spent: defaultdict[str, float] | None,
    reopen: Callable[[Clip], Clip],
) -> Clip:
    """Try one clip by itself until it goes well or was tried often enough."""

    delays_s, attempt = outage_delays(0.5), 1
    while _worth(out) and attempt < attempts(out["error_kind"]):
        if is_transient(out["error_kind"]):
            time.sleep(next(delays_s))
            clip = reopen(clip)
        attempt += 1
        out = apply(loaded, [clip], spent)[0]
    return {**out, "error_attempts": attempt if out["error"] else 0}
