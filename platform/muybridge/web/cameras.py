"""What is sent of several cameras: a calibration, and a video or a picture of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from muybridge.web.refusal import Refusal
from muybridge.web.upload import File, Upload

CALIBRATION = "calibration"
LARGEST = 1 << 20  # bytes of a calibration


@dataclass(frozen=True)
class Cameras:
    """Hold what was sent: texts of ``calibrations`` by file name, and ``views`` by camera.

    ``offsets`` are seconds to add to a view's times, as they were sent; ``subject`` is whose
    cameras are meant where a calibration has several.
    """

    calibrations: dict[str, str]
    views: dict[str, File]
    offsets: dict[str, Any]
    subject: str


def cameras(upload: Upload) -> Cameras:
    """Tell a form's files apart: calibrations, and the rest by the cameras that they are called."""
    texts = {f.name: _text(f) for f in upload.files if f.field == CALIBRATION}
    views = [file for file in upload.files if file.field != CALIBRATION]
    if not texts:
        raise Refusal(
            422,
            "no_calibration",
            f"send the cameras' calibration as the file '{CALIBRATION}', and a video or a picture "
            "of each camera as a file whose field is called like it",
        )
    names = [file.field for file in views]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refusal(422, "many_files", f"more than one file is of {', '.join(twice)}")
    return Cameras(
        texts,
        {file.field: file for file in views},
        _offsets(upload.fields.get("offsets", "")),
        upload.fields.get("subject", ""),
    )


def _text(file: File) -> str:
    size = file.path.stat().st_size
    if size > LARGEST:
        raise Refusal(422, "calibration", f"{file.name}: {size:,} bytes are no calibration")
    return file.path.read_text("utf-8", "replace")


def _offsets(text: str) -> dict[str, Any]:
    try:
        offsets = json.loads(text or "{}")
    except ValueError:
        offsets = None
    if not isinstance(offsets, dict):
        raise Refusal(
            422, "offsets", f'offsets is {text!r}; give seconds by camera, as {{"cam_02": 0.25}}'
        )
    return offsets
