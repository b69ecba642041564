"""Merge what windows of time say into segments: who does what from when to when.

Windows overlap, and each is judged by itself, so their scores flicker. A moment's score is the mean
of those of all windows that cover it. A segment of a label opens where its score reaches one bound
and lasts while it stays above a lower one (hysteresis: Canny, "A Computational Approach to Edge
Detection", 1986, section VIII); short gaps are closed, and what is short is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Spans = NDArray[np.int64]

TICK = 1e-6  # seconds that are nothing


@dataclass(frozen=True)
class Rule:
    """Say when a segment is one: it ``opens`` at a score, ``holds`` down to another.

    Two of one label that are at most ``gap`` seconds apart are one; one that takes less than
    ``shortest`` seconds is none.
    """

    opens: float = 0.6
    holds: float = 0.4
    gap: float = 0.5
    shortest: float = 0.5


@dataclass(frozen=True)
class Segment:
    """Hold a segment: its ``label``, its ``first`` and ``last`` moment, and mean scores (A,)."""

    label: int
    first: int
    last: int
    scores: Floats


def timed(times: Floats, length: int, stride: int, apart: float) -> tuple[Spans, Spans]:
    """Cut frames at ``times`` (T,), seconds, rising, into clips (M, length) of moments.

    Moments are ``apart`` seconds from one to the next, clips ``stride`` moments, and the last one
    ends with the last frame; each moment has the frame that is nearest. Of frames with long gaps
    between them each part is cut by itself. Comes with the frames that each clip covers (M, 2), end
    excluded.
    """
    clips, spans = [np.empty((0, length), np.int64)], [np.empty((0, 2), np.int64)]
    steps = np.diff(times)
    gaps = np.flatnonzero(steps > 2 * max(apart, float(np.median(steps)) if len(steps) else 0))
    for part in np.split(np.arange(len(times)), gaps + 1):
        if len(part):
            seen = times[part]
            last = max(float(seen[-1] - seen[0]) - (length - 1) * apart, 0.0)
            starts = np.unique(np.append(np.arange(0, last, stride * apart), last))
            at = seen[0] + starts[:, None] + np.arange(length) * apart
            near = np.searchsorted((seen[1:] + seen[:-1]) / 2, at)
            clips.append(part[near])
            spans.append(part[near[:, [0, -1]]] + [0, 1])
    return np.concatenate(clips), np.concatenate(spans)


def covered(windows: Spans, scores: Floats, count: int) -> Floats:
    """Give each of ``count`` moments the mean score (count, A) of the windows that cover it.

    ``windows`` (N, 2) are moments, end excluded, with scores (N, A). What no window covers gets 0.
    """
    total = np.zeros((count + 1, scores.shape[1]))
    many = np.zeros(count + 1)
    for sign, moments in ((1, windows[:, 0]), (-1, windows[:, 1])):
        np.add.at(total, moments, sign * scores)
        np.add.at(many, moments, sign)
    many = np.cumsum(many)[:count, None]
    return np.where(many > 0, np.cumsum(total, 0)[:count] / np.maximum(many, 1), 0)


def segments(times: Floats, scores: Floats, rule: Rule = Rule()) -> list[Segment]:
    """Find the segments of each label in moments at ``times`` (T,), seconds, with scores (T, A).

    They come in order of their first moment. Segments of several labels may overlap. A moment lasts
    until the next, the last one as long as is usual; nothing lasts through more than ``rule.gap``.
    """
    if not len(times):
        return []
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    length = np.append(np.diff(times), usual)
    length = np.where(length > max(rule.gap, usual), usual, length)
    found = [
        Segment(label, first, last, scores[first : last + 1].mean(0))
        for label in range(scores.shape[1])
        for first, last in _spans(times, length, scores[:, label], rule)
        if times[last] + length[last] - times[first] >= rule.shortest - TICK
    ]
    return sorted(found, key=lambda segment: (segment.first, segment.label))


def _spans(times: Floats, length: Floats, score: Floats, rule: Rule) -> list[tuple[int, int]]:
    """Find the spans of one label, first and last moment: open, hold, and close short gaps."""
    held = np.flatnonzero(score >= rule.holds)
    ends = times[held] + length[held]
    apart = np.flatnonzero(times[held][1:] - ends[:-1] > TICK) + 1  # not one moment after the other
    runs = [run for run in np.split(held, apart) if (score[run] >= rule.opens).any()]
    spans: list[tuple[int, int]] = []
    for run in runs:
        first, last = int(run[0]), int(run[-1])
        if spans and times[first] - times[spans[-1][1]] - length[spans[-1][1]] <= rule.gap + TICK:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans
