"""Compare the numbers that index gave to people with labels, and write it as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.errors import InputError
from muybridge.evaluate.motchallenge import sequences
from muybridge.evaluate.outputs import only, some, stems, tracks
from muybridge.evaluate.text import table
from muybridge.evaluate.tracking import Counts, count, measures
from muybridge.store.query import Output

SHARES = ("IDF1", "IDP", "IDR", "MOTA", "MOTP", "HOTA", "DetA", "AssA")  # shown in percent
NUMBERS = ("switches", "fragments", "false_positives", "misses", "labelled")


def tracking(out: Output, labels: Path) -> dict[str, Any]:
    """Compare the table ``people`` with MOTChallenge labels, which are named as their videos.

    The report has ``sequences``, the ``tracking.measures`` of each by its name, those of ``all``,
    and ``text``. InputError says if no labels belong to a video, or to more than one.
    """
    videos, labelled = stems(out), sequences(labels)
    names = sorted(labelled.keys() & videos.keys())
    if not names:
        raise InputError(
            f"{labels}: has labels of {some(labelled)}, but the videos are {some(videos)}; "
            "name the labels as their videos"
        )
    chosen = {name: only(videos[name], name) for name in names}
    counts = {name: count(labelled[name], tracks(out, chosen[name]["video_id"])) for name in names}
    report = {name: measures(each) for name, each in counts.items()}
    total = measures(sum(counts.values(), Counts()))
    unseen = [line for name in names for line in _unseen(name, chosen[name])]
    return {"sequences": report, "all": total, "text": "\n".join([_text(report, total), *unseen])}


def _unseen(name: str, video: Mapping[str, Any]) -> list[str]:
    """Say that frames were not looked at, if so: who is labelled there counts as missed."""
    frames, analysed = video["frames"] or 0, video["frames_analysed"] or 0
    return [f"{name}: only {analysed} of {frames} frames were looked at"] * (analysed < frames)


def _text(report: Mapping[str, Mapping[str, float]], total: Mapping[str, float]) -> str:
    heads = ["", *SHARES, *(name.replace("_", " ") for name in NUMBERS)]
    shown = {"all": total, **report} if len(report) > 1 else report
    rows = [
        [
            name,
            *(f"{100 * values[key]:.1f}" for key in SHARES),
            *(f"{values[k]:.0f}" for k in NUMBERS),
        ]
        for name, values in shown.items()
    ]
    return (
        f"{table([heads, *rows])}\n"
        "(percent, then counts; boxes match at IoU 0.5, for HOTA at 0.05 to 0.95)"
    )
