"""Say how much people's joints shake and how late they are, and write it as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muybridge.errors import InputError
from muybridge.evaluate.jitter import SHOULDERS, WRISTS, Motion, jitter, lag, shared
from muybridge.evaluate.outputs import Person, motions, tracks
from muybridge.evaluate.text import table
from muybridge.evaluate.tracking import identities, paired
from muybridge.store.query import Output

PARTS = {"shoulders": SHOULDERS, "wrists": WRISTS}
RATIOS = {part: f"{part}_ratio" for part in PARTS}
Parts = Mapping[str, Motion]
Row = dict[str, Any]


def shaking(out: Output, against: Output | None = None) -> dict[str, Any]:
    """Say of each video, track and system of ``keypoints`` how shoulders and wrists shake.

    ``against`` is another output of the same videos: from the frames in which both see a person
    come the ratios of jitter, and by how many frames wrists are later. The report has ``rows``,
    ``all`` (means by system, weighted by frames) and ``text``; what cannot be told is None.
    InputError says if the outputs have no video in common.
    """
    videos = {row["video_id"]: row["uri"] or "" for row in out.videos.to_pylist()}
    if against is not None:
        others = set(against.videos["video_id"].to_pylist())
        videos = {key: uri for key, uri in videos.items() if key in others}
        if not videos:
            raise InputError("the outputs have no video in common; index the same files into both")
    made = [row for key, uri in videos.items() for row in _video(out, against, key, uri)]
    means = [_mean(system, made) for system in sorted({row["system"] for row in made})]
    return {"rows": made, "all": means, "text": _text(made, means, against is not None)}


def _video(out: Output, against: Output | None, video_id: str, uri: str) -> list[Row]:
    mine = motions(out, video_id, PARTS)
    theirs = {} if against is None else _counterparts(mine, out, against, video_id)
    return [
        {
            "video": uri.rpartition("/")[2],
            "track": track,
            "system": system,
            "frames": len(parts["wrists"].frames),
            **{part: _known(jitter(motion)) for part, motion in parts.items()},
            **_compared(parts, theirs.get((track, system))),
        }
        for (track, system), parts in mine.items()
    ]


def _counterparts(
    mine: Mapping[Person, Parts], out: Output, against: Output, video_id: str
) -> dict[Person, Parts]:
    """Find who is who by their boxes; of several systems the same is taken, else the first."""
    one, two = tracks(out, video_id), tracks(against, video_id)
    rows, columns, _ = identities(paired(one, two))
    names = np.unique(one.ids)[rows].tolist(), np.unique(two.ids)[columns].tolist()
    same, theirs = dict(zip(*names, strict=True)), motions(against, video_id, PARTS)
    found = dict[Person, Parts]()
    for track, system in mine:
        near = [key for key in theirs if key[0] == same.get(track)]
        if near:
            found[track, system] = theirs[min(near, key=lambda key: key[1] != system)]
    return found


def _compared(parts: Parts, other: Parts | None) -> Row:
    """Give ratios of jitter, and lag, of the frames in which both outputs see somebody."""
    both = {part: shared(parts[part], other[part]) for part in PARTS} if other else {}
    ratios = {
        RATIOS[part]: _ratio(*(jitter(each) for each in both[part])) if both else None
        for part in PARTS
    }
    return {**ratios, "lag": lag(parts["wrists"], other["wrists"]) if other else None}


def _ratio(mine: float, other: float) -> float | None:
    return _known(mine / other) if other > 0 else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(system: str, rows: Sequence[Row]) -> Row:
    """Average a system's rows: the lag is their median."""
    own = [row for row in rows if row["system"] == system]
    mean = {key: _weighted(own, key) for key in (*PARTS, *RATIOS.values())}
    lags = [row["lag"] for row in own if row["lag"] is not None]
    return {
        **{"video": "all", "track": None, "system": system},
        **{"frames": sum(row["frames"] for row in own), **mean},
        "lag": float(np.median(lags)) if lags else None,
    }


def _weighted(rows: Sequence[Row], key: str) -> float | None:
    known = [row for row in rows if row[key] is not None]
    if not known:
        return None
    frames = [row["frames"] for row in known]
    return float(np.average([row[key] for row in known], weights=frames))


def _text(rows: Sequence[Row], means: Sequence[Row], compared: bool) -> str:
    heads = ["video", "track", "system", "frames", *PARTS]
    heads += [*(name.replace("_", " ") for name in RATIOS.values()), "lag"] if compared else []
    cells = [[_cell(row[head.replace(" ", "_")]) for head in heads] for row in (*means, *rows)]
    told = "mean acceleration of a body 1000 pixels long, in pixels per (1/30 s)²"
    return f"{table([heads, *cells])}\n({told}{'; lag in frames' if compared else ''})"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
