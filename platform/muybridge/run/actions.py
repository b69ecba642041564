"""Make segments of what people do from how it looks frame by frame, over all of a video."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from muybridge.labels import KINETICS, OTHER
from muybridge.labels import named as labels_of
from muybridge.store import tables
from muybridge.tracking.segments import Rule, Segment, segments

LIKELIER = Rule(opens=0.6, holds=0.4, gap=0.5, shortest=0.5)
RULES = {  # by label set: with "other" in it where nine in ten are right; of the rest one label is
    # always likely, and it must be likelier than all the others
    "motion": Rule(opens=0.9, holds=0.5, gap=0.5, shortest=1.0),
    "penn15": LIKELIER,
    "ntu60": LIKELIER,
    KINETICS: LIKELIER,
}
BEST = 3  # labels that a segment names
GROUP = ("video_id", "track_id", "system", "label_set")


def actions(parts: Iterable[pa.Table]) -> pa.Table:
    """Make the table ``actions`` of the ``moments`` of a video's clips, as linked.

    Nobody is said to do what is none of a label set.
    """
    moments = pa.concat_tables([tables.MOMENTS.empty_table(), *parts])
    order = [(name, "ascending") for name in (*GROUP, "frame")]
    rows = moments.sort_by(order).to_pydict()
    keys = list(zip(*(rows[name] for name in GROUP), strict=True))
    starts = [i for i, key in enumerate(keys) if i == 0 or keys[i - 1] != key]
    made = list[dict[str, Any]]()
    for start, stop in pairwise([*starts, len(keys)]):
        named = dict(zip(GROUP, keys[start], strict=True))
        labels = labels_of(named["label_set"])
        times, scores = (np.array(rows[name][start:stop]) for name in ("time_s", "scores"))
        for segment in segments(times, scores, RULES[named["label_set"]]):
            if labels[segment.label] != OTHER:
                frames = rows["frame"][start:stop]
                made.append({**named, **_row(segment, labels, frames, times)})
    return tables.table("actions", made)


def _row(segment: Segment, labels: tuple[str, ...], frames: list[int], times: Any) -> Any:
    best = np.argsort(-segment.scores, kind="stable")[:BEST]
    return {
        "first_frame": frames[segment.first],
        "last_frame": frames[segment.last],
        "first_time_s": float(times[segment.first]),
        "last_time_s": float(times[segment.last]),
        "label": labels[segment.label],
        "score": float(segment.scores[segment.label]),
        "labels": [labels[i] for i in best],
        "scores": [float(segment.scores[i]) for i in best],
    }
