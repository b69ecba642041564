"""Compare people found with people annotated, as COCO does for keypoints."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# Standard deviations of COCO's annotators, per joint of coco17, in parts of the square root of a
# person's area (the published ones, doubled as COCO's formula asks).
# fmt: off
SPREAD = 2 * np.array([
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
])
# fmt: on


def oks(found: Array, true: Array, area: Array) -> Array:
    """Rate joints (N, 17, 2) against annotated ones (M, 17, 3) of areas (M,): similarities (N, M).

    The last value of an annotated joint is its visibility, 0 for not annotated; somebody without
    annotated joints is similar to nobody.
    """
    square = ((found[:, None] - true[None, :, :, :2]) ** 2).sum(axis=3)
    alike = np.exp(-square / (2 * SPREAD**2 * area[None, :, None]))
    labelled = np.broadcast_to(true[None, :, :, 2] > 0, alike.shape)
    count = labelled.sum(axis=2)
    return np.divide(
        (alike * labelled).sum(axis=2), count, out=np.zeros(count.shape), where=count > 0
    )


def coco_keypoints(annotations: dict[str, Any], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Score found people with pycocotools' COCOeval, keypoints, all areas, at most 20 a picture.

    ``annotations`` is a COCO keypoint file; ``found`` has COCO's result form. Gives recall,
    precision and AP at OKS 0.5, AP over OKS 0.5 to 0.95, and the counts they come from. Nobody
    found scores 0.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        truth = COCO()
        truth.dataset = annotations
        truth.createIndex()
        if not found:
            people = sum(a["num_keypoints"] > 0 for a in annotations["annotations"])
            return _report(people, 0, 0, 0.0, 0.0)
        scorer = COCOeval(truth, truth.loadRes(list(found)), "keypoints")
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    everybody = scorer.params.areaRng[0]
    images = [image for image in scorer.evalImgs if image and image["aRng"] == everybody]
    people = sum(int((np.asarray(image["gtIgnore"]) == 0).sum()) for image in images)
    counted = sum(int((~image["dtIgnore"][0].astype(bool)).sum()) for image in images)
    right = sum(
        int(((image["dtMatches"][0] > 0) & ~image["dtIgnore"][0].astype(bool)).sum())
        for image in images
    )
    return _report(people, counted, right, float(scorer.stats[1]), float(scorer.stats[0]))


def _report(people: int, found: int, right: int, ap50: float, ap: float) -> dict[str, Any]:
    return {
        "people": people,
        "found": found,
        "right": right,
        "recall": right / people if people else 0.0,
        "precision": right / found if found else 0.0,
        "ap50": ap50,
        "ap": ap,
        "by": "pycocotools COCOeval, keypoints, at most 20 people a picture",
    }
