"""Compare surfaces found with surfaces annotated, as COCO DensePose does (its rules of 2019).

Of an annotated and a found person three similarities are taken, each 0 to 1: GPS, how near the
found surface coordinates are to the annotated ones, along the body and in parts of the body part's
extent; the overlap of their masks; and GPSm, the geometric mean of both. Average precision and
recall are then counted in ``precision``.

Letters: F people found, G people annotated, P annotated points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from muybridge.errors import InputError
from muybridge.evaluate.precision import Picture, statistics
from muybridge.evaluate.surface import Surface
from muybridge.geometry.boxes import iou
from muybridge.models.densepose.annotations import POINTS, drawn, loaded, person

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

MEASURES = ("GPS", "GPSm", "IoU")
IMAGE, BARE = ("id", "width", "height"), ("image_id", "bbox", "area")  # what records must have
MOST = 20  # people that count in a picture
IN_REGION = 0.9  # share of a found person in a picture's ignored regions, from which it is dropped
# How far apart two points of a body part are on average, in metres along the surface: torso, hands,
# feet, upper legs, lower legs, upper arms, lower arms, head.
EXTENT = np.array([0.351, 0.107, 0.126, 0.237, 0.173, 0.142, 0.128, 0.150])
OF_PART = np.array([0, 0, 1, 1, 2, 2, *[3] * 4, *[4] * 4, *[5] * 4, *[6] * 4, 7, 7])  # part 1 to 24


@dataclass(frozen=True)
class Found:
    """Hold somebody found in picture ``image``.

    ``box`` (4,) is left, top, width, height in pixels; ``iuv`` (3, h, w) uint8 says of the box's
    pixels the part (0 to 24), and U and V times 255.
    """

    image: int
    box: Numbers
    score: float
    iuv: NDArray[np.uint8]


def annotated(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Read an annotation file; also say which records were left out, and why.

    Somebody without points stays in, as does somebody whose points are of no use, so that whoever
    is found there does not count as wrong.
    """
    content = loaded(path)
    told = [
        *_told(content["images"], "picture", IMAGE),
        *_told(content["annotations"], "annotation", BARE),
    ]
    people = [_person(record) for record in _whole(content["annotations"], BARE)]
    told += [fault for _, fault in people if fault]
    images = _whole(content["images"], IMAGE)
    return {**content, "images": images, "annotations": [p for p, _ in people]}, told


def _whole(records: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> list[Any]:
    return [record for record in records if all(field in record for field in fields)]


def _told(records: Sequence[Mapping[str, Any]], kind: str, fields: Sequence[str]) -> list[str]:
    """Say of each record which of the fields it lacks, if it does."""
    lacks = [(r.get("id", "without id"), [f for f in fields if f not in r]) for r in records]
    return [
        f"{kind} {number}: {' and '.join(absent)} missing" for number, absent in lacks if absent
    ]


def _person(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Take the points away from a record if they are of no use, and say why."""
    if not any(key in record for key in POINTS):
        return record, ""
    try:
        person(record)
    except InputError as error:
        used = (*POINTS, "dp_masks")
        return {key: value for key, value in record.items() if key not in used}, str(error)
    return record, ""


def score(
    content: Mapping[str, Any], found: Iterable[Found], surface: Surface
) -> dict[str, dict[str, float]]:
    """Score the people found: ``precision.NAMES`` for each measure; -1 where nobody of a size is.

    ``content`` is a COCO DensePose annotation file.
    """
    pictures = compare(content, found, surface)
    return {measure: statistics(pictures, measure) for measure in MEASURES}


def compare(content: Mapping[str, Any], found: Iterable[Found], surface: Surface) -> list[Picture]:
    """Compare the people of each picture of an annotation file with those found in it."""
    true, seen = defaultdict[int, list[Any]](list), defaultdict[int, list[Found]](list)
    for record in content["annotations"]:
        true[record["image_id"]].append(record)
    for each in found:
        seen[each.image].append(each)
    return [_picture(i, true[i["id"]], seen[i["id"]], surface) for i in content["images"]]


def gps(person: Found, record: Mapping[str, Any], surface: Surface) -> float:
    """Say how near a found surface is to the annotated points of ``record``: 0 to 1."""
    got_part, got_uv = _read(person, record)
    part = np.array(record["dp_I"], np.int64)
    own, met = part > 0, got_part > 0
    if not own.any() or not met.any():
        return 0.0
    wanted = surface.nearest(part, np.stack([record["dp_U"], record["dp_V"]], axis=1))
    distance = surface.distance(wanted, surface.nearest(got_part, got_uv))[own]
    extent = EXTENT[OF_PART[part[own] - 1]]
    return float((np.exp(-(distance**2) / (2 * extent**2)) * met[own]).mean())


def _read(person: Found, record: Mapping[str, Any]) -> tuple[NDArray[np.int64], Numbers]:
    """Read a found surface at the annotated points: parts (P,), 0 outside; U and V (P, 2)."""
    true = np.array(record["bbox"], np.float64)
    place = np.stack([record["dp_x"], record["dp_y"]], axis=1) * true[2:] / 255
    x, y = (place + true[:2] - person.box[:2]).astype(np.int64).T
    width, height = np.minimum(person.box[2:].astype(np.int64), person.iuv.shape[:0:-1])
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    values = person.iuv[:, np.where(inside, y, 0), np.where(inside, x, 0)]
    return np.where(inside, values[0].astype(np.int64), 0), values[1:].T / 255


def _picture(
    image: Mapping[str, Any], true: Sequence[Any], found: Sequence[Found], surface: Surface
) -> Picture:
    size = (int(image["height"]), int(image["width"]))
    found = [each for each in found if not _ignored(each, image, size)]
    found = sorted(found, key=lambda each: -each.score)[:MOST]
    crowd = np.array([bool(record.get("iscrowd", 0)) for record in true], bool)
    uncounted = crowd | np.array(["dp_x" not in record for record in true], bool)
    near = np.zeros((len(found), len(true)))
    for g in np.flatnonzero(~uncounted):
        near[:, g] = [gps(each, true[g], surface) for each in found]
    masks = _overlap(found, true, crowd, size)
    return Picture(
        np.array([each.score for each in found], np.float64),
        np.array([each.box[2] * each.box[3] for each in found], np.float64),
        {"GPS": near, "GPSm": np.sqrt(near * masks), "IoU": masks},
        iou(_corners([each.box for each in found]), _corners([r["bbox"] for r in true])),
        np.array([record["area"] for record in true], np.float64),
        uncounted,
        crowd,
    )


def _corners(boxes: Sequence[Any]) -> Numbers:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


def _overlap(
    found: Sequence[Found], true: Sequence[Any], crowd: Mask, size: tuple[int, int]
) -> Numbers:
    """Divide the intersection of masks by their union, for a crowd by the found one's area."""
    from pycocotools import mask as coder

    if not found or not true:
        return np.zeros((len(found), len(true)))
    ours = [_coded(_pasted(each.iuv[0] > 0, each.box, size)) for each in found]
    theirs = [_true_mask(record, size) for record in true]
    return np.asarray(coder.iou(ours, theirs, crowd.astype(int).tolist()))


def _true_mask(record: Mapping[str, Any], size: tuple[int, int]) -> Any:
    """Code an annotated person's mask: the parts drawn by hand, else the segmentation."""
    from pycocotools import mask as coder

    if "dp_masks" in record:
        body = (drawn(record["dp_masks"]) > 0).astype(np.float64)
        width, height = (max(1.0, length) for length in record["bbox"][2:])
        scaled = zoom(body, (height / body.shape[0], width / body.shape[1]), order=1)
        return _coded(_pasted(scaled > 0.5, np.array(record["bbox"]), size))
    segmentation = record.get("segmentation") or []
    if isinstance(segmentation, list):
        if not segmentation:
            return _coded(np.zeros(size, bool))
        return coder.merge(coder.frPyObjects(segmentation, *size))
    if isinstance(segmentation["counts"], list):
        return coder.frPyObjects(segmentation, *size)
    return segmentation


def _pasted(mask: Mask, box: Numbers, size: tuple[int, int]) -> Mask:
    """Put a box's mask (h, w) where the box (left, top, width, height) lies in a picture."""
    whole = np.zeros(size, bool)
    left, top = int(box[0]), int(box[1])
    right = min(int(box[0] + box[2]), size[1], left + mask.shape[1])
    bottom = min(int(box[1] + box[3]), size[0], top + mask.shape[0])
    x, y = max(left, 0), max(top, 0)
    if x < right and y < bottom:
        whole[y:bottom, x:right] = mask[y - top : bottom - top, x - left : right - left]
    return whole


def _coded(mask: Mask) -> Any:
    from pycocotools import mask as coder

    return coder.encode(np.asfortranarray(mask, dtype=np.uint8))


def _ignored(person: Found, image: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Say whether somebody found lies in the regions that the picture's annotators left out."""
    from pycocotools import mask as coder

    rings = zip(image.get("ignore_regions_x", ()), image.get("ignore_regions_y", ()), strict=True)
    polygons = [[value for point in zip(x, y, strict=True) for value in point] for x, y in rings]
    if not polygons:
        return False
    region = coder.decode(coder.merge(coder.frPyObjects(polygons, *size))) > 0
    mask = _pasted(person.iuv[0] > 0, person.box, size)
    return bool(mask.any()) and (mask & region).sum() / mask.sum() >= IN_REGION
