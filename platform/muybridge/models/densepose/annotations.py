"""Read COCO DensePose annotations: body parts drawn by hand, and points set on the surface.

An annotated person has a box in the picture, fourteen hand-drawn part masks on a square of 256
stretched over the box, and about a hundred points (0 to 256 in that square) of which the body part
(1 to 24) and the place on it, U and V from 0 to 1, are known.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError, listed

SQUARE = 256  # cells of the square that is stretched over a person's box
PARTS = 24  # of the surface; 0 is the background
DRAWN = 14  # parts drawn by hand
POINTS = ("dp_x", "dp_y", "dp_I", "dp_U", "dp_V")


@dataclass(frozen=True)
class Person:
    """Hold what was annotated of one person.

    ``box`` (4,) is left, top, right, bottom in pixels; ``drawn`` (256, 256) uint8 the part drawn by
    hand, 0 to 14; of N points ``x``, ``y`` (N,) lie from 0 to 256 in the box, ``part`` (N,) int64
    is 0 to 24, ``u``, ``v`` (N,) are 0 to 1.
    """

    box: NDArray[np.float32]
    drawn: NDArray[np.uint8]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    part: NDArray[np.int64]
    u: NDArray[np.float32]
    v: NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """Name one picture file and the records of the people annotated in it (``person``)."""

    id: int
    file: str
    people: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Annotated:
    """Hold the pictures that have annotated people; ``skipped`` tells of records left out."""

    pictures: tuple[Picture, ...]
    skipped: tuple[str, ...]


def read(path: Path) -> Annotated:
    """Read an annotation file; a record that cannot be used is left out and told of.

    People without DensePose annotations are passed over in silence, as are pictures of such people
    only. InputError says that the file is no annotation file or that nothing in it can be used.
    """
    content = loaded(path)
    people, skipped = defaultdict[int, list[Mapping[str, Any]]](list), list[str]()
    for record in content["annotations"]:
        if any(key in record for key in POINTS):
            try:
                person(record)
                people[record["image_id"]].append(record)
            except InputError as error:
                skipped.append(str(error))
    known = {image["id"]: image["file_name"] for image in content["images"]}
    skipped += [
        f"picture {n}: annotated, but not among the images" for n in people if n not in known
    ]
    pictures = tuple(
        Picture(number, file, tuple(people[number]))
        for number, file in known.items()
        if people.get(number)
    )
    if not pictures:
        title = f"{path}: nobody in it has DensePose annotations ({', '.join(POINTS)}, dp_masks)"
        raise InputError(listed(title, skipped[:10]))
    return Annotated(pictures, tuple(skipped))


def loaded(path: Path) -> dict[str, Any]:
    """Read a COCO file's ``images`` and ``annotations``; InputError says what is wrong with it."""
    advice = "give COCO DensePose annotations, for example densepose_coco_2014_minival.json"
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}; {advice}") from error
    absent = [key for key in ("images", "annotations") if key not in _keys(content)]
    if absent:
        raise InputError(f"{path}: has no {' and no '.join(absent)}; {advice}")
    return content


def person(record: Mapping[str, Any]) -> Person:
    """Take one record of ``annotations`` apart; InputError lists everything wrong with it."""
    faults = _faults(record)
    if faults:
        raise InputError(listed(f"annotation {record.get('id', 'without id')}", faults))
    left, top, width, height = record["bbox"]
    x, y, u, v = (np.array(record[f"dp_{letter}"], np.float32) for letter in "xyUV")
    box = np.array([left, top, left + width, top + height], np.float32)
    return Person(box, drawn(record["dp_masks"]), x, y, np.array(record["dp_I"], np.int64), u, v)


def drawn(masks: Sequence[Any]) -> NDArray[np.uint8]:
    """Decode ``dp_masks`` into one map (256, 256) of parts 1 to 14; later parts lie on top.

    A part that was not drawn is an empty list.
    """
    from pycocotools import mask as coder

    parts = np.zeros((SQUARE, SQUARE), np.uint8)
    for number, mask in enumerate(masks, start=1):
        if mask:
            parts[coder.decode(mask) > 0] = number
    return parts


def _faults(record: Mapping[str, Any]) -> list[str]:
    """List what is wrong with a record: fields that are not there, else values that cannot be."""
    absent = [key for key in ("bbox", "image_id", "dp_masks", *POINTS) if key not in record]
    if absent:
        return [f"{key} is missing" for key in absent]
    columns = {key: _numbers(record[key]) for key in ("bbox", *POINTS)}
    faults = [f"{key} is no list of finite numbers" for key, n in columns.items() if n is None]
    if faults:
        return faults
    values = {key: n for key, n in columns.items() if n is not None}
    if len({values[key].size for key in POINTS}) > 1:
        counts = ", ".join(f"{key} {values[key].size}" for key in POINTS)
        faults.append(f"the numbers of points differ: {counts}")
    if values["bbox"].size != 4 or min(values["bbox"][2:]) <= 0:
        faults.append(f"bbox {record['bbox']} is not left, top, width, height of some extent")
    for key, most in zip(POINTS, (SQUARE, SQUARE, PARTS, 1, 1), strict=True):
        if np.any((values[key] < 0) | (values[key] > most)):
            faults.append(f"{key} leaves 0 to {most}")
    if np.any(values["dp_I"] % 1):
        faults.append("dp_I is not whole")
    return faults + _mask_faults(record["dp_masks"])


def _mask_faults(masks: Any) -> list[str]:
    if not isinstance(masks, list) or len(masks) > DRAWN:
        return [f"dp_masks is no list of at most {DRAWN}"]
    square = [SQUARE, SQUARE]
    return [
        f"mask {number} is no run-length code of {SQUARE} by {SQUARE}"
        for number, mask in enumerate(masks, start=1)
        if mask and not (isinstance(mask, dict) and mask.get("size") == square and "counts" in mask)
    ]


def _numbers(values: Any) -> NDArray[np.float64] | None:
    """Make an array (N,) of a list of finite numbers; None if it is none."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 1 and np.isfinite(array).all() else None


def _keys(content: Any) -> Sequence[str]:
    return list(content) if isinstance(content, dict) else []
