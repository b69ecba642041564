"""Cut a video into clips and choose the frames to look at, by integer arithmetic on timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError
from muybridge.video.probe import VideoIndex

DecoderName = Literal["pyav", "decord"]

CORE_S = 8
CONTEXT_S = 1


@dataclass(frozen=True)
class Span:
    """Hold a clip's frame numbers: its core, and ``start`` to ``stop`` with context."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def cut(
    pts: NDArray[np.int64],
    keyframes: NDArray[np.int64],
    time_base: Fraction,
    core_s: int = CORE_S,
    context_s: int = CONTEXT_S,
) -> list[Span]:
    """Cut N frames at ``pts`` into cores of about ``core_s`` seconds that tile them exactly.

    A core ends at the key frame nearest to ``core_s`` if one lies within half of it, else at
    ``core_s`` sharp. Context reaches ``context_s`` beyond on both sides.
    """
    core, context = round(core_s / time_base), round(context_s / time_base)
    edges = [0, *_edges(pts, keyframes, core)]
    return [
        Span(
            start=int(np.searchsorted(pts, pts[first] - context)),
            stop=int(np.searchsorted(pts, pts[last - 1] + context, "right")),
            core_start=first,
            core_stop=last,
        )
        for first, last in pairwise(edges)
    ]


def _edges(pts: NDArray[np.int64], keyframes: NDArray[np.int64], core: int) -> Iterator[int]:
    """Yield where each core stops; the last is the number of frames."""
    at, keys = 0, pts[keyframes]
    while at < len(pts):
        begin, left = int(pts[at]), int(pts[-1] - pts[at])
        if 2 * left <= 3 * core:
            at = len(pts)
        else:
            low, high = begin + core // 2, begin + min(3 * core // 2, left - core // 2)
            near = keys[(keys >= low) & (keys <= high)]
            wanted = near[np.argmin(abs(near - begin - core))] if len(near) else begin + core
            at = max(int(np.searchsorted(pts, wanted)), at + 1)
        yield at


def sample(pts: NDArray[np.int64], time_base: Fraction, fps: float) -> NDArray[np.int64]:
    """Choose for each wanted time, first + k / fps, the frame shown nearest to it: (n,) numbers.

    The earlier of two equally near frames is taken, and none twice. Exact for any ``fps`` that can
    be written as a decimal number.
    """
    if not fps > 0:
        raise InputError(f"fps is {fps}; it must be more than 0 frames a second")
    step = 1 / (Fraction(str(fps)) * time_base)  # between wanted times, in ticks
    ticks = (pts - pts[:1]).astype(object)  # Python's integers: products never overflow
    until = np.append(ticks[:-1] + ticks[1:], 2 * ticks[-1:])  # twice the last time nearest to it
    wanted = until * step.denominator // (2 * step.numerator)  # wanted times up to there, less one
    return np.flatnonzero(np.diff(np.append([-1], wanted)) > 0)


def clips(
    index: VideoIndex,
    uri: str,
    video_id: str,
    fps: float | None = None,
    decoder: DecoderName = "pyav",
) -> list[dict[str, Any]]:
    """Make the given columns (``columns.GIVEN``) of each clip of a video.

    With ``fps``, a clip holds sampled frames only, and one whose core has none is left out. decord
    decodes only where it is asked for and known to find the right frames.
    """
    spans, frames = cut(index.pts, index.keyframes, index.time_base), chosen(index, fps)
    made = (filled(index, uri, video_id, span, frames, decoder) for span in spans)
    return [clip for clip in made if clip]


def chosen(index: VideoIndex, fps: float | None) -> NDArray[np.int64]:
    """Choose the frames to look at, by their numbers: ``fps`` a second, or all of them."""
    if fps is None:
        return np.arange(len(index.pts))
    return sample(index.pts, index.time_base, fps)


def filled(
    index: VideoIndex,
    uri: str,
    video_id: str,
    span: Span,
    wanted: NDArray[np.int64],
    decoder: DecoderName = "pyav",
) -> dict[str, Any] | None:
    """Make the given columns of one clip with those of the ``wanted`` frames that are in its span.

    There is no clip if none is in its core.
    """
    first, last = np.searchsorted(wanted, (span.core_start, span.core_stop))
    if first == last:
        return None
    frames = wanted[slice(*np.searchsorted(wanted, (span.start, span.stop)))]
    return {
        "video_id": video_id,
        "clip_id": _clip_id(video_id, index, span),
        "uri": uri,
        "source": index.source,
        "stream": index.stream,
        "size": index.size,
        "tag": index.tag,
        "decoder": "decord" if decoder == "decord" and index.plain else "pyav",
        "width": index.width,
        "height": index.height,
        "rotation": index.rotation,
        "core": np.array([span.core_start, span.core_stop], np.int64),
        "frame_index": frames,
        "pts": index.pts[frames],
        "times": index.times[frames],
    }


def _clip_id(video_id: str, index: VideoIndex, span: Span) -> str:
    first, last = index.pts[span.core_start], index.pts[span.core_stop - 1]
    return sha256(f"{video_id} {index.stream} {first} {last}".encode()).hexdigest()[:16]
