"""Measure what is lost when people are looked for at every k-th frame only, as JSON.

python tests/benchmarks/detect_every.py [VIDEO ...] [--mot FOLDER ...]

Boxes and identities at every frame are taken from the default graph's people in each VIDEO, and
from those marked by hand in each FOLDER (MOT challenge: seqinfo.ini, gt/gt.txt). Every k-th frame's
boxes are given to the tracker, without identities, and carried over the frames between; there they
are compared with the boxes known: IoU with the best partner (0 without one), how often a person's
partner changes its number, and how many boxes have no partner.
"""

from __future__ import annotations

import argparse
import configparser
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muybridge import graphs
from muybridge.geometry.boxes import iou
from muybridge.run import local
from muybridge.stages.looking import people
from muybridge.tracking.assign import assign
from muybridge.tracking.carry import carry
from muybridge.video.clips import clips
from muybridge.video.probe import probe

STEPS = (1, 2, 3, 5, 10)
SAME = 0.5  # IoU from which a box counts as found


@dataclass(frozen=True)
class Sequence:
    """Hold the people of T frames: ``times`` (T,); ``row``, ``track`` (P,) and ``box`` (P, 4)."""

    name: str
    times: np.ndarray
    row: np.ndarray
    track: np.ndarray
    box: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*")
    parser.add_argument("--mot", nargs="*", default=[])
    options = parser.parse_args()
    parts = {
        "videos": [part for video in options.videos for part in seen(video)],
        "marked_by_hand": [marked(Path(folder)) for folder in options.mot],
    }
    print(json.dumps({name: report(each) for name, each in parts.items() if each}, indent=1))


def report(sequences: list[Sequence]) -> dict[str, Any]:
    """Compare for every step, all sequences together."""
    return {
        "from": sorted({sequence.name for sequence in sequences}),
        "frames": sum(len(sequence.times) for sequence in sequences),
        "boxes": sum(len(sequence.row) for sequence in sequences),
        **{f"every {k}": total([compared(s, k) for s in sequences]) for k in STEPS[1:]},
    }


def total(parts: list[dict[str, Any]]) -> dict[str, Any]:
    overlaps = np.concatenate([part["iou"] for part in parts])
    return {
        "boxes_carried": len(overlaps),
        "mean_iou": round(float(overlaps.mean()), 3),
        "share_above_half": round(float((overlaps > SAME).mean()), 4),
        "boxes_without_partner": sum(part["alone"] for part in parts),
        "identity_switches": sum(part["switches"] for part in parts),
        "identity_switches_at_every_frame": sum(part["switches_before"] for part in parts),
    }


def compared(known: Sequence, k: int) -> dict[str, Any]:
    """Carry over the frames between looks, and compare there."""
    found = carried(known, k)
    overlaps, alone, who = list[float](), 0, list[tuple[int, int]]()
    for row in range(len(known.times)):
        ours, theirs = np.flatnonzero(found.row == row), np.flatnonzero(known.row == row)
        overlap = iou(known.box[theirs], found.box[ours])
        pairs = assign(np.where(overlap > 0, 1 - overlap, np.inf)).tolist()
        who += [(int(known.track[theirs[i]]), int(found.track[ours[j]])) for i, j in pairs]
        if row % k:
            best = np.zeros(len(theirs))
            for i, j in pairs:
                best[i] = overlap[i, j]
            overlaps += best.tolist()
            alone += len(ours) - len(pairs)
    before = 0 if k == 1 else compared(known, 1)["switches"]
    return {
        "iou": np.array(overlaps),
        "alone": alone,
        "switches": switches(who),
        "switches_before": before,
    }


def carried(known: Sequence, k: int) -> Sequence:
    """Look at every k-th frame and the last, forget who is who, and carry."""
    rows = range(len(known.times))
    looks = sorted({*rows[::k], rows[-1]})
    boxes = [known.box[known.row == row] for row in looks]
    made = people(looks, known.times, boxes, [np.ones(len(box)) for box in boxes])
    plan = carry(rows, known.times, looks, made["person_frame"], made["person_track"])
    track = made["person_track"][plan.before]
    return Sequence(known.name, known.times, plan.row, track, plan.places(made["person_box"]))


def switches(who: list[tuple[int, int]]) -> int:
    """Count how often a person's partner has another number than the time before."""
    last: dict[int, int] = {}
    count = 0
    for person, number in who:
        count += last.get(person, number) != number
        last[person] = number
    return count


def seen(video: str) -> list[Sequence]:
    """See the people of a video with the default graph, clip by clip."""
    found = []
    for clip in local.run(graphs.see_people(), clips(probe(video), video, video)):
        assert not clip["error"], clip["error"]
        rows = np.flatnonzero(clip["frame_seen"])
        row = np.searchsorted(rows, clip["person_frame"])
        name, times = Path(video).name, clip["times"][rows]
        found.append(Sequence(name, times, row, clip["person_track"], clip["person_box"]))
    return found


def marked(folder: Path) -> Sequence:
    """Read people marked by hand."""
    settings = configparser.ConfigParser(defaults={"frameRate": "25"})  # MOT15 has it outside
    settings.read(folder / "seqinfo.ini")
    rows = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",")
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    rows = rows[rows[:, 6] > 0]
    times = np.arange(int(settings["Sequence"]["seqLength"])) / float(
        settings["Sequence"]["frameRate"]
    )
    box = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    return Sequence(folder.name, times, rows[:, 0].astype(int) - 1, rows[:, 1].astype(int), box)


if __name__ == "__main__":
    main()
