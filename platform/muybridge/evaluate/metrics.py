"""Compare people found with people annotated, as COCO does for keypoints."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np


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
