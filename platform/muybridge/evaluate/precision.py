"""Count average precision and recall of people found, as COCO DensePose does (rules of 2019).

Whoever is found counts as right if a measure says that they are similar enough to somebody
annotated; the thresholds are COCO's, from 0.5 to 0.95.

Letters: F people found, G people annotated, T thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

NAMES = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")
THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)  # at which precision is read
SIZES = {"all": (0.0, 1e10), "m": (32.0**2, 96.0**2), "l": (96.0**2, 1e10)}  # square pixels
SAME_BOX = 0.8  # overlap with somebody who does not count, above which one found does not either


@dataclass(frozen=True)
class Picture:
    """Hold how alike the people of one picture are: arrays (F, G), found by falling score.

    ``measures`` has the three similarities by name, ``boxes`` the overlap of boxes. Of those
    annotated ``area`` (G,) is in square pixels; somebody with no points, or in a ``crowd``, does
    not count.
    """

    scores: Numbers
    found_area: Numbers
    measures: Mapping[str, Numbers]
    boxes: Numbers
    area: Numbers
    uncounted: Mask
    crowd: Mask


def statistics(pictures: Sequence[Picture], measure: str) -> dict[str, float]:
    """Count average precision and recall of one measure, by ``NAMES``; -1 for nobody of a size."""
    counted = [_counted(pictures, measure, size) for size in SIZES.values()]
    values = list[float]()
    for all_sizes, medium, large in zip(*counted, strict=True):  # precision, then recall
        parts = (all_sizes, all_sizes[:1], all_sizes[5:6], medium, large)
        values += [_mean(part) for part in parts]
    return dict(zip(NAMES, values, strict=True))


def _mean(values: Numbers) -> float:
    """Average what is known: -1 if nothing is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0


def _counted(
    pictures: Sequence[Picture], measure: str, size: tuple[float, float]
) -> tuple[Numbers, Numbers]:
    """Count people of a size: precision (T, 101) at each recall, and recall (T,); -1 for nobody."""
    people = sum(int((~_left_out(p, size)).sum()) for p in pictures)
    precision, recall = np.full((len(THRESHOLDS), len(RECALLS)), -1.0), -np.ones(len(THRESHOLDS))
    if not people:
        return precision, recall
    order = np.argsort(-np.concatenate([p.scores for p in pictures]), kind="stable")
    judged = [_matched(p, measure, size) for p in pictures]
    right = np.concatenate([r for r, _ in judged], axis=1)[:, order]
    out = np.concatenate([o for _, o in judged], axis=1)[:, order]
    true, false = (right & ~out).cumsum(axis=1), (~right & ~out).cumsum(axis=1)
    for t in range(len(THRESHOLDS)):
        reached = true[t] / people
        sure = true[t] / np.maximum(true[t] + false[t], np.spacing(1))
        best = np.maximum.accumulate(sure[::-1])[::-1]
        at = np.searchsorted(reached, RECALLS, side="left")
        precision[t] = np.append(best, 0.0)[np.minimum(at, len(best))]
        recall[t] = reached[-1] if len(reached) else 0.0
    return precision, recall


def _left_out(picture: Picture, size: tuple[float, float]) -> Mask:
    """Say who of those annotated does not count among people of this size: (G,)."""
    return picture.uncounted | (picture.area < size[0]) | (picture.area > size[1])


def _matched(picture: Picture, measure: str, size: tuple[float, float]) -> tuple[Mask, Mask]:
    """Give those found to those annotated, the best scored first, at each threshold.

    Returns (T, F): who was given to somebody, and who does not count. Somebody unmatched at the
    lowest threshold whose box is that of somebody who does not count, does not count either.
    """
    out = _left_out(picture, size)
    order = np.argsort(out, kind="stable")  # those who count first
    similar, boxes = picture.measures[measure][:, order], picture.boxes[:, order]
    out, crowd = out[order], picture.crowd[order]
    pairs = [_assigned(similar, t, out, crowd) for t in THRESHOLDS]
    matched = np.array([given >= 0 for given, _ in pairs]).reshape(len(THRESHOLDS), -1)
    uncounted = matched & np.array([np.append(out, False)[given] for given, _ in pairs])
    free = ~pairs[0][1]
    for f in np.flatnonzero(~matched[0]):
        g = _last_best(np.where(free, boxes[f], 0))
        if g >= 0 and boxes[f, g] >= SAME_BOX:
            uncounted[:, f] = out[g]
            free[g] &= ~out[g]
            matched[0, f] = out[g]
    small = (picture.found_area < size[0]) | (picture.found_area > size[1])
    return matched, uncounted | (~matched & small)


def _assigned(
    similar: Numbers, threshold: float, out: Mask, crowd: Mask
) -> tuple[NDArray[np.int64], Mask]:
    """Give each found (F,) the most similar annotated one that is free, -1 for nobody.

    Those who count come first and are preferred. The second result says who was taken (G,).
    """
    given, taken = np.full(len(similar), -1, np.int64), np.zeros(len(out), bool)
    for f, row in enumerate(similar):
        fit = np.where((row >= min(threshold, 1 - 1e-10)) & (~taken | crowd), row, 0)
        counting = _last_best(np.where(out, 0, fit))
        given[f] = counting if counting >= 0 else _last_best(fit)
        if given[f] >= 0:
            taken[given[f]] = True
    return given, taken


def _last_best(values: Numbers) -> int:
    """Find the largest of positive values, the last of equals; -1 if none is positive."""
    best = values.max(initial=0)
    return int(np.flatnonzero(values == best)[-1]) if best > 0 else -1
