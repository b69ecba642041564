"""Carry people over frames at which nobody looked for them.

Between two looks that both saw somebody, what is known of them changes evenly with time. Where only
one of two neighbouring looks saw them, they came or went in between: half of the time is theirs,
in which they go on as they moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Carried:
    """Say for P people-in-frames from which two of those seen at looks each follows, and how.

    ``row`` (P,), ``before`` and ``after`` (P,) positions among those seen, ``share`` (P,) of the
    way from the one to the other; below 0 or above 1 where somebody goes on beyond what was seen.
    """

    row: Numbers
    before: Numbers
    after: Numbers
    share: Floats

    def places(self, seen: Floats) -> Floats:
        """Work out places (P, …) from those at looks (N, …)."""
        return _mixed(seen[self.before], seen[self.after], self.share)

    def scores(self, seen: Floats) -> Floats:
        """Work out scores (P, …) from those at looks (N, …); they never leave their range."""
        return _mixed(seen[self.before], seen[self.after], np.clip(self.share, 0, 1))


def carry(
    rows: Sequence[int], times: Floats, looks: Sequence[int], frame: Numbers, track: Numbers
) -> Carried:
    """Find everybody in all ``rows``, rising, from those seen at ``looks``, some of these rows.

    Row i is shown at ``times[i]`` seconds. Those seen are in row ``frame`` (N,), rising, under the
    number ``track`` (N,). The answer is in order of rows, then of tracks.
    """
    found = [(int(frame[at]), int(track[at]), at, at, 0.0) for at in range(len(frame))]
    between = np.setdiff1d(np.asarray(rows, int), np.asarray(looks, int))
    for id in np.unique(track).tolist():
        found += _one(id, np.flatnonzero(track == id), frame, times, looks, between)
    columns = np.array(sorted(found)).reshape(-1, 5).T
    row, _, before, after = columns[:4].astype(np.int64)
    return Carried(row, before, after, columns[4])


def _one(
    id: int, mine: Numbers, frame: Numbers, times: Floats, looks: Sequence[int], between: Numbers
) -> list[tuple[int, int, int, int, float]]:
    """Carry one track, seen at positions ``mine`` (K,), over the rows between looks."""
    at_row = dict(zip(frame[mine].tolist(), mine.tolist(), strict=True))
    order = {at: n for n, at in enumerate(mine.tolist())}
    found = []
    for row in between.tolist():
        place = int(np.searchsorted(looks, row))
        if not 0 < place < len(looks):
            continue
        low, high = looks[place - 1], looks[place]
        first, last = at_row.get(low), at_row.get(high)
        half = (times[low] + times[high]) / 2
        if first is not None and last is not None:
            pair = first, last
        elif first is not None and times[row] <= half:
            pair = int(mine[max(order[first] - 1, 0)]), first
        elif last is not None and times[row] > half:
            pair = last, int(mine[min(order[last] + 1, len(mine) - 1)])
        else:
            continue
        found.append((row, id, *pair, _share(times, row, *(int(frame[p]) for p in pair))))
    return found


def _share(times: Floats, row: int, low: int, high: int) -> float:
    span = float(times[high] - times[low])
    return float(times[row] - times[low]) / span if span else 0.0


def _mixed(first: Floats, last: Floats, share: Floats) -> Floats:
    share = share.reshape(-1, *[1] * (first.ndim - 1))
    return first * (1 - share) + last * share
