"""Read COCO keypoint labels of any tool as people with all that the scoring wants of them.

Tools number the category of people as they like and leave out what follows from the rest. So people
become category 1, and what is missing is worked out: ``num_keypoints`` of the keypoints, ``bbox``
of those that are labelled, ``area`` of the box, and nobody is a crowd who is not said to be one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.errors import InputError, listed
from muybridge.geometry.skeletons import COCO17

PERSON = 1  # our number of the category
NUMBERS = 3 * len(COCO17.joints)  # of somebody's keypoints: x, y, visibility of each
FRAME = re.compile(r"(?:.*/)?(?P<video>[^/]+)[_/](?P<frame>\d+)\.\w+")
MAX_FAULTS = 10  # in a message


def labels(path: Path) -> dict[str, Any]:
    """Read keypoint labels; InputError says what is wrong with them."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        images, records = content["images"], content["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        cause = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: is no file of COCO keypoints: {cause}") from error
    person = _person(path, content.get("categories") or [], records)
    own = [record for record in records if record.get("category_id", person) == person]
    faults = [*_lacking("picture", images, ("id", "file_name")), *_faults(own)]
    if faults:
        title = f"{path}: {len(faults)} records cannot be used; correct them"
        raise InputError(listed(title, faults[:MAX_FAULTS]))
    return {
        "info": {},
        "images": images,
        "annotations": [_whole(record, number) for number, record in enumerate(own, 1)],
        "categories": [{"id": PERSON, "name": "person"}],
    }


def _person(path: Path, categories: Sequence[Any], records: Sequence[Any]) -> Any:
    """Find the number of the category of people: by its name, or because it is the only one."""
    named = {category["id"]: str(category.get("name", "")) for category in categories}
    people = [number for number, name in named.items() if name.lower() == "person"]
    known = people or list(named) or sorted({record.get("category_id", 1) for record in records})
    if not people and len(known) > 1:
        raise InputError(
            f"{path}: none of its categories {', '.join(named.values()) or known} is named person; "
            "name the one that is"
        )
    return known[0] if known else PERSON


def _lacking(kind: str, records: Sequence[Any], fields: Sequence[str]) -> list[str]:
    lacks = [(r.get("id", "without id"), [f for f in fields if f not in r]) for r in records]
    return [f"{kind} {number}: no {' and no '.join(absent)}" for number, absent in lacks if absent]


def _faults(records: Sequence[Mapping[str, Any]]) -> list[str]:
    wrong = [r for r in records if len(r.get("keypoints") or []) not in (0, NUMBERS)]
    return [
        *_lacking("annotation", records, ("image_id",)),
        *(
            f"annotation {r.get('id')}: {len(r['keypoints'])} keypoint values, not {NUMBERS}"
            for r in wrong
        ),
    ]


def _whole(record: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Fill in what a record lacks; ids are counted anew, as COCOeval takes 0 for nobody."""
    keypoints = record.get("keypoints") or [0] * NUMBERS
    joints = np.array(keypoints, np.float64).reshape(-1, 3)
    seen = joints[joints[:, 2] > 0, :2] if (joints[:, 2] > 0).any() else np.zeros((1, 2))
    box = record.get("bbox") or [*seen.min(0).tolist(), *np.ptp(seen, axis=0).tolist()]
    area, count = record.get("area"), record.get("num_keypoints")
    return {
        "id": number,
        "image_id": record["image_id"],
        "category_id": PERSON,
        "keypoints": list(keypoints),
        "num_keypoints": int((joints[:, 2] > 0).sum()) if count is None else count,
        "bbox": box,
        "area": float(box[2] * box[3]) if area is None else area,
        "iscrowd": int(record.get("iscrowd") or 0),
    }


def frame_of(file_name: str) -> tuple[str, int] | None:
    """Tell of which video's stem and frame a picture is, by its name: walk_000012.jpg, walk/12.png.

    Frames count from 0, as in `muybridge export`.
    """
    match = FRAME.fullmatch(file_name)
    return (match["video"], int(match["frame"])) if match else None


def result(image: int, joints: Any, score: float) -> dict[str, Any]:
    """Write somebody's joints (17, 3) in COCO's result form."""
    return {
        "image_id": image,
        "category_id": PERSON,
        "keypoints": [float(value) for value in joints.ravel()],
        "score": float(score),
    }
