"""Lead clips through loaded stages, and try those again that met a surprise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from muybridge.columns import Clip
from muybridge.graph import Loaded, apply

MOST = 3


def through(
    loaded: Loaded, clips: Sequence[Clip], spent: defaultdict[str, float] | None = None
) -> list[Clip]:
    """Apply the stages; a clip over which something unforeseen happened is tried ``MOST`` times.

    What a stage says on purpose is final. An exception is not, nor is the death of a decoder, which
    somebody else may have caused.
    """
    done = apply(loaded, clips, spent)
    return [
        _again(loaded, clip, out, spent) if _unforeseen(out) and not clip.get("error") else out
        for clip, out in zip(clips, done, strict=True)
    ]


def _unforeseen(clip: Clip) -> bool:
    return bool(clip["error_traceback"]) or clip["error_kind"] == "crashed"


def _again(loaded: Loaded, clip: Clip, out: Clip, spent: defaultdict[str, float] | None) -> Clip:
    """Try one clip by itself until it goes well or was tried often enough."""
    attempt = 1
    while _unforeseen(out) and attempt < MOST:
        attempt += 1
        out = apply(loaded, [clip], spent)[0]
    return {**out, "error_attempts": attempt if out["error"] else 0}
