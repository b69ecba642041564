"""Read surfaces found: COCO DensePose results (JSON), and the clips of our own graphs."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from muybridge.columns import Clip
from muybridge.errors import InputError
from muybridge.evaluate.densepose import Found

UNREADABLE = (
    *(binascii.Error, UnidentifiedImageError, Image.DecompressionBombError),
    *(OSError, ValueError, TypeError),
)
FIELDS = ("image_id", "bbox", "score", "uv_shape", "uv_data")


def read(path: Path) -> tuple[list[Found], list[str]]:
    """Read a file of results; also say what was wrong with those that were left out.

    InputError says that the file is no list of results, or that none of them can be used.
    """
    advice = f"results are a list of records with {', '.join(FIELDS)}"
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}; {advice}") from error
    if not isinstance(content, list):
        raise InputError(f"{path}: holds no list but a {type(content).__name__}; {advice}")
    each = [_taken(number, record) for number, record in enumerate(content)]
    found = [one for one in each if isinstance(one, Found)]
    skipped = [fault for fault in each if isinstance(fault, str)]
    if skipped and not found:
        raise InputError(f"{path}: none of {len(skipped)} results can be used; {skipped[0]}")
    return found, skipped


def seen(clip: Clip, image: int) -> list[Found]:
    """Take the people of a picture's clip as surfaces found in picture ``image``."""
    columns = ("person_box", "person_score", "densepose_parts", "densepose_uv")
    return [
        Found(image, _extent(box), float(score), _joined(parts, uv))
        for box, score, parts, uv in zip(*(clip[column] for column in columns), strict=True)
    ]


def _extent(box: NDArray[np.float32]) -> NDArray[np.float64]:
    """Turn left, top, right, bottom into left, top, width, height."""
    return np.concatenate([box[:2], box[2:] - box[:2]]).astype(np.float64)


def _joined(parts: bytes, uv: bytes) -> NDArray[np.uint8]:
    """Join two PNGs, of parts and of U and V, to (3, h, w)."""
    return np.concatenate([_picture(parts)[..., None], _picture(uv)], axis=2).transpose(2, 0, 1)


def _taken(number: int, record: Any) -> Found | str:
    """Read one record, or say what is wrong with it."""
    try:
        return _found(record)
    except InputError as error:
        return f"result {number}: {error}"


def _found(record: Any) -> Found:
    absent = [f for f in FIELDS if not isinstance(record, Mapping) or f not in record]
    if absent:
        raise InputError(f"{' and '.join(absent)} missing")
    try:
        box = np.array(record["bbox"], np.float64)
        iuv = _picture(base64.b64decode(record["uv_data"], validate=True)).transpose(2, 0, 1)
        image, score = int(record["image_id"]), float(record["score"])
    except UNREADABLE as error:
        raise InputError(f"cannot be read: {error}") from error
    if box.shape != (4,) or not np.isfinite([*box, score]).all():
        raise InputError(f"bbox {record['bbox']}, score {score}: no four numbers and one")
    if list(iuv.shape) != list(record["uv_shape"]):
        raise InputError(f"uv_shape {record['uv_shape']}, and uv_data is {list(iuv.shape)}")
    return Found(image, box, score, iuv)


def _picture(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        return np.asarray(picture)
