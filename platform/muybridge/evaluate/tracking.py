"""Measure how well people keep their numbers through a video: CLEAR MOT, identity and HOTA.

MOTA, MOTP, switches and fragments are those of Bernardin and Stiefelhagen, "Evaluating multiple
object tracking performance" (2008), IDF1, IDP and IDR those of Ristani et al., "Performance
measures and a data set for multi-target, multi-camera tracking" (2016), HOTA, DetA and AssA those
of Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking" (2020). They
agree with the package trackeval, which is not used: it refuses numpy 1, and brings OpenCV along.

Letters: G people labelled and F people found in a frame, A thresholds of HOTA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from muybridge.evaluate.motchallenge import Labels, Tracks
from muybridge.geometry.boxes import iou

Numbers = NDArray[np.float64]
Ids = NDArray[np.int64]

EPSILON = float(np.finfo(np.float64).eps)
SAME = 0.5 - EPSILON  # overlap (IoU) from which two boxes are of the same person
KEEP = 1000.0  # what a pair of the frame before is worth, in overlaps
THRESHOLDS = np.linspace(0.05, 0.95, 19)  # of overlap, over which HOTA is averaged


@dataclass(frozen=True)
class Frame:
    """Hold who is labelled (G,) and found (F,) in a frame, and how boxes overlap (G, F)."""

    labelled: Ids
    found: Ids
    overlap: Numbers


def _none() -> Numbers:
    return np.zeros(len(THRESHOLDS))


@dataclass(frozen=True)
class Counts:
    """Hold what measures are made of; sequences' counts can be added.

    Boxes ``labelled`` and ``found``; ``identified``, found of who they are taken for all along;
    ``matched`` in their frame, and the sum of these boxes' ``overlap``; identity ``switches`` and
    ``fragments``; by threshold (A,) how many are matched (``hits``), and the sum of how well their
    tracks are ``associated``.
    """

    labelled: int = 0
    found: int = 0
    identified: int = 0
    matched: int = 0
    overlap: float = 0.0
    switches: int = 0
    fragments: int = 0
    hits: Numbers = field(default_factory=_none)
    associated: Numbers = field(default_factory=_none)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def measures(counts: Counts) -> dict[str, float]:
    """Make the measures of counts; one of nobody is 0."""
    boxes, misses = counts.labelled + counts.found, counts.labelled - counts.matched
    mistaken = counts.found - counts.matched
    detection = counts.hits / np.maximum(boxes - counts.hits, 1)
    association = counts.associated / np.maximum(counts.hits, 1)
    right = counts.matched - mistaken - counts.switches
    return {
        "IDF1": 2 * counts.identified / max(boxes, 1),
        "IDP": counts.identified / max(counts.found, 1),
        "IDR": counts.identified / max(counts.labelled, 1),
        "MOTA": right / max(counts.labelled, 1),
        "MOTP": counts.overlap / max(counts.matched, 1),
        "HOTA": float(np.sqrt(detection * association).mean()),
        "DetA": float(detection.mean()),
        "AssA": float(association.mean()),
        "switches": counts.switches,
        "fragments": counts.fragments,
        "false_positives": mistaken,
        "misses": misses,
        "labelled": counts.labelled,
        "found": counts.found,
    }


def count(labels: Labels, found: Tracks) -> Counts:
    """Compare who was found with the labels, from the first frame to the last one labelled."""
    last = labels.tracks.frames.max(initial=-1)
    found = found.part((found.frames >= 0) & (found.frames <= last))
    if labels.distractor.any():
        found = found.part(~_distracted(labels, found))
    labelled = labels.tracks.part(labels.counted)
    frames = paired(labelled, found)
    return Counts(
        len(labelled.ids), len(found.ids), identified(frames), *_clear(frames), *_hota(frames)
    )


def paired(labelled: Tracks, found: Tracks) -> list[Frame]:
    """Put the boxes of each frame side by side; numbers count from 0 on."""
    both = [_numbered(tracks) for tracks in (labelled, found)]
    steps = np.union1d(labelled.frames, found.frames)
    cuts = [np.searchsorted(tracks.frames, steps) for tracks in both]
    parts = [
        zip(np.split(t.ids, cut)[1:], np.split(t.boxes, cut)[1:], strict=True)
        for t, cut in zip(both, cuts, strict=True)
    ]
    return [Frame(a, b, iou(here, there)) for (a, here), (b, there) in zip(*parts, strict=True)]


def _numbered(tracks: Tracks) -> Tracks:
    """Order boxes by their frames, and count ids from 0."""
    ids = np.unique(tracks.ids, return_inverse=True)[1].reshape(-1)
    order = np.argsort(tracks.frames, kind="stable")
    return Tracks(tracks.frames[order], ids[order], tracks.boxes[order])


def _distracted(labels: Labels, found: Tracks) -> NDArray[np.bool_]:
    """Say of those found (N,) whether they are distractors."""
    marked = np.zeros(len(found.ids), bool)
    for frame in np.unique(labels.tracks.frames[labels.distractor]):
        one, other = labels.tracks.frames == frame, np.flatnonzero(found.frames == frame)
        rows, columns, _ = _matched(iou(labels.tracks.boxes[one], found.boxes[other]))
        marked[other[columns]] = labels.distractor[one][rows]
    return marked


def _matched(overlap: Numbers, worth: Numbers | float = 0.0) -> tuple[Ids, Ids, Numbers]:
    """Pair rows with columns of overlaps (G, F) of ``SAME`` and above; also say these overlaps.

    As many as can be are paired by ``worth`` (G, F) and overlap.
    """
    same = overlap >= SAME
    rows, columns = linear_sum_assignment(np.where(same, overlap + worth, 0), maximize=True)
    kept = same[rows, columns]
    return rows[kept], columns[kept], overlap[rows[kept], columns[kept]]


def identities(frames: Sequence[Frame]) -> tuple[Ids, Ids, Ids]:
    """Take each labelled person for one found, so that most boxes agree over all frames.

    Gives the labelled, the found, and in how many frames their boxes are the same.
    """
    shared = np.zeros(_size(frames), np.int64)
    for frame in frames:
        shared[np.ix_(frame.labelled, frame.found)] += frame.overlap >= SAME
    rows, columns = linear_sum_assignment(shared, maximize=True)
    kept = shared[rows, columns] > 0
    return rows[kept], columns[kept], shared[rows[kept], columns[kept]]


def identified(frames: Sequence[Frame]) -> int:
    """Count the boxes that are found of who they are taken for (Ristani's IDTP)."""
    return int(identities(frames)[2].sum())


def _size(frames: Sequence[Frame]) -> tuple[int, int]:
    """Say how many people are labelled, and how many found, in all frames."""
    labelled = max((int(frame.labelled.max(initial=-1)) for frame in frames), default=-1)
    return labelled + 1, 1 + max((int(f.found.max(initial=-1)) for f in frames), default=-1)


def _clear(frames: Sequence[Frame]) -> tuple[int, float, int, int]:
    """Count matched boxes, their overlap, switches and fragments.

    Pairs of the frame before are kept while they overlap. A person who is matched again to another
    number is a switch; one who is matched again after a frame or more without is a fragment
    (trackeval passes over frames in which nobody at all is found, and counts fewer).
    """
    matched, total, switches, fragments = 0, 0.0, 0, 0
    ever, before = dict[int, int](), dict[int, int]()
    for frame in frames:
        held = np.array([before.get(person, -1) for person in frame.labelled.tolist()], np.int64)
        rows, columns, overlap = _matched(frame.overlap, KEEP * (held[:, None] == frame.found))
        now = dict(zip(frame.labelled[rows].tolist(), frame.found[columns].tolist(), strict=True))
        matched, total = matched + len(now), total + float(overlap.sum())
        switches += sum(ever.get(person, number) != number for person, number in now.items())
        fragments += sum(person in ever and person not in before for person in now)
        ever |= now
        before = now
    return matched, total, switches, fragments


def _hota(frames: Sequence[Frame]) -> tuple[Numbers, Numbers]:
    """Count matched boxes (A,), and sum how well their tracks are associated (A,)."""
    alike, labelled, found = _alike(frames)
    pairs, overlaps = [np.zeros(0, np.int64)], [np.zeros(0)]
    for frame in frames:
        worth = alike[np.ix_(frame.labelled, frame.found)] * frame.overlap
        rows, columns = linear_sum_assignment(worth, maximize=True)
        pairs.append(frame.labelled[rows] * len(found) + frame.found[columns])
        overlaps.append(frame.overlap[rows, columns])
    pair, overlap = np.concatenate(pairs), np.concatenate(overlaps)
    hits, associated = _none(), _none()
    for number, threshold in enumerate(THRESHOLDS - EPSILON):
        own, times = np.unique(pair[overlap >= threshold], return_counts=True)
        either = labelled[own // len(found)] + found[own % len(found)] - times
        hits[number], associated[number] = times.sum(), (times * times / either).sum()
    return hits, associated


def _alike(frames: Sequence[Frame]) -> tuple[Numbers, Ids, Ids]:
    """Say how alike tracks are over all frames, 0 to 1, and how many boxes each has.

    Where several people overlap, a box's overlap is shared out among them.
    """
    shape = _size(frames)
    shared, labelled, found = np.zeros(shape), *(np.zeros(length, np.int64) for length in shape)
    for frame in frames:
        overlap = frame.overlap
        either = overlap.sum(0) + overlap.sum(1, keepdims=True) - overlap
        shared[np.ix_(frame.labelled, frame.found)] += overlap / np.where(either > 0, either, 1)
        labelled[frame.labelled] += 1
        found[frame.found] += 1
    return shared / np.maximum(labelled[:, None] + found - shared, 1), labelled, found
