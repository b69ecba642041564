"""Every column a clip may carry: its shape, type and unit.

A clip is a mapping from these names to values. Letters: T frames of the clip, P people-in-frames
(one row is one person in one frame), J joints, H and W the picture's height and width. A shape of
() is a single value; type "frames" is pictures to be decoded, "bytes" an array of bytes objects.
Nobody in the clip means P = 0, never a missing column. A clip of several synchronised videos has,
beside the given columns, ``views``: a clip of each of them, and ``cameras`` (``run.sessions``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from muybridge.errors import ClipError, listed

Clip = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """Describe one column: shape in letters and numbers, numpy type, unit, meaning."""

    shape: tuple[str | int, ...]
    dtype: str
    unit: str
    meaning: str


# fmt: off
COLUMNS: dict[str, Column] = {
    # where the clip comes from (given by the plan)
    "video_id":    Column((), "str", "", "the video, by where it is and what it holds"),
    "clip_id":     Column((), "str", "", "the clip, by its video, stream and span"),
    "uri":         Column((), "str", "", "where the video is, as the user named it"),
    "source":      Column((), "str", "", "what to open to read it: a local path or a URL"),
    "size":        Column((), "int", "bytes", "of the file when it was planned"),
    "tag":         Column((), "str", "", "changes when the file is written; \"\" if not known"),
    "stream":      Column((), "int", "", "index of the picture stream in the container"),
    "decoder":     Column((), "str", "", "decord or pyav"),
    "width":       Column((), "int", "pixels", "of a frame as shown, after rotation"),
    "height":      Column((), "int", "pixels", "of a frame as shown, after rotation"),
    "rotation":    Column((), "int", "degrees", "counter-clockwise turn of the stored picture"),
    "core":        Column((2,), "int64", "frames", "the frames it answers for, end excluded"),
    "frame_index": Column(("T",), "int64", "frames", "number in the video, presentation order"),
    "pts":         Column(("T",), "int64", "time base", "presentation timestamp of each frame"),
    "times":       Column(("T",), "float64", "seconds", "presentation time of each frame"),
    # pictures: RGB uint8, decoded as they are asked for (video/frames.py)
    "frames":      Column(("T", "H", "W", 3), "frames", "", "the pictures of the clip"),
    "frame_seen":  Column(("T",), "bool", "", "whether the frame was decoded and looked at"),
    # people
    "person_frame": Column(("P",), "int32", "", "row of frame_index in which the person is"),
    "person_track": Column(("P",), "int32", "", "who it is, within this clip"),
    "person_score": Column(("P",), "float32", "", "confidence, 0 to 1"),
    "person_box":   Column(("P", 4), "float32", "pixels", "left, top, right, bottom"),
    "person_appearance": Column(("P", 15), "float32", "", "colours of five body parts, nan if not known"),  # noqa: E501
    # MoveNet: x, y, score
    "movenet_joints": Column(("P", 17, 3), "float32", "pixels", "joints in the picture"),
    # BlazePose: x, y, score; and x right, y down, z forward from the hips' middle, score
    "blazepose_joints":   Column(("P", 33, 3), "float32", "pixels", "joints in the picture"),
    "blazepose_joints3d": Column(("P", 33, 4), "float32", "metres", "joints around the hips"),
    # joints by other systems: x, y, score; one that was not found is 0, 0, 0
    "coco17_joints": Column(("P", 17, 3), "float32", "pixels", "Keypoint R-CNN's joints"),
    "coco18_joints": Column(("P", 18, 3), "float32", "pixels", "OpenPose's joints, COCO layout"),
    "body25_joints": Column(("P", 25, 3), "float32", "pixels", "OpenPose's joints, BODY_25 layout"),
    # the multi-task network: joints, of NTU's in space too, and scores of labels.py's sets
    "pa16_joints":   Column(("P", 16, 3), "float32", "pixels", "joints in the picture (Penn)"),
    "pa17_joints":   Column(("P", 17, 3), "float32", "pixels", "joints in the picture (NTU)"),
    "pa17_joints3d": Column(("P", 17, 4), "float32", "metres", "joints around the hips (NTU)"),
    "penn_scores":   Column(("P", 15), "float32", "", "probability of each label of penn15"),
    "ntu_scores":    Column(("P", 60), "float32", "", "probability of each label of ntu60"),
    # what is done around W moments, by Kinetics' classes; track -1 is the whole picture
    "kinetics_model":  Column((), "str", "", "the network, by the name of its weights"),
    "kinetics_frame":  Column(("W",), "int32", "", "row of frame_index of the moment"),
    "kinetics_track":  Column(("W",), "int32", "", "who it is, within this clip"),
    "kinetics_scores": Column(("W", 400), "float32", "", "probability of each class"),
    # DensePose: pictures as large as the integer box, encoded as PNG
    "densepose_model": Column((), "str", "", "the variant, by the name of its weights"),
    "densepose_box":   Column(("P", 4), "int32", "pixels", "left, top, right, bottom"),
    "densepose_parts": Column(("P",), "bytes", "", "PNG, 8 bit: body part 1 to 24, 0 for none"),
    "densepose_uv":    Column(("P",), "bytes", "", "PNG, 2 channels of 8 bit: U and V times 255"),
    # lifted from joints in the picture: x right, y down, z forward from the hips' middle, score
    "lifter_joints3d": Column(("P", 18, 4), "float32", "metres", "joints around the hips"),
    # what is done around each frame, as the label set "motion" of labels.py has it
    "motion_scores":   Column(("P", 5), "float32", "", "probability of each label"),
    # joints in the world, of a session's clip: M people at frames of the first view
    "placed_moment":   Column(("M",), "int32", "", "row of the first view's frame_index"),
    "placed_view":     Column(("M",), "int32", "", "a view that shows the person, from 0"),
    "placed_person":   Column(("M",), "int32", "", "row of that view's people"),
    "placed_joints3d": Column(("M", 17, 4), "float32", "metres", "joints in the calibration's axes, score"),  # noqa: E501
    "placed_spread":   Column(("M", 17), "float32", "metres", "standard deviation along each axis, nan if not known"),  # noqa: E501
    "placed_error":    Column(("M", 17), "float32", "pixels", "from where views see the joint, nan if not known"),  # noqa: E501
    "placed_views":    Column(("M", 17), "int32", "", "1 for the session's first view, 2, 4, … of those used"),  # noqa: E501
    # SMPL bodies: x right, y down, z forward
    "smpl_model":       Column((), "str", "", "the variant, by the name of its weights"),
    "smpl_body":        Column((), "str", "", "the body model, by the name of its file"),
    "smpl_betas":       Column(("P", 10), "float32", "", "shape, in standard deviations"),
    "smpl_rotations":   Column(("P", 24, 3), "float32", "radians", "axis-angle of each joint in its parent's axes"),  # noqa: E501
    "smpl_camera":      Column(("P", 4), "float32", "", "weak perspective in the picture: sx, sy, tx, ty"),  # noqa: E501
    "smpl_translation": Column(("P", 3), "float32", "metres", "from the body's origin to the camera"),  # noqa: E501
    "smpl_focal":       Column(("P",), "float32", "pixels", "focal length that the translation holds for"),  # noqa: E501
    "smpl_joints3d":    Column(("P", 49, 3), "float32", "metres", "joints around the origin"),
    # what went wrong ("" for nothing)
    "error":           Column((), "str", "", "what went wrong, in a sentence"),
    "error_stage":     Column((), "str", "", "the stage in which it went wrong"),
    "error_kind":      Column((), "str", "", "a word to group errors by"),
    "error_attempts":  Column((), "int", "", "how many times it was tried"),
    "error_traceback": Column((), "str", "", "for a surprise, where in the code"),
}
# fmt: on

NUMPY = {"frames": "uint8", "bytes": "object"}  # the types of columns that numpy names otherwise
ERROR = ("error", "error_stage", "error_kind", "error_attempts", "error_traceback")
PLACING = tuple(name for name in COLUMNS if name.startswith("placed_"))
GIVEN = tuple(COLUMNS)[: tuple(COLUMNS).index("times") + 1]


def check(clip: Clip, names: Iterable[str]) -> None:
    """Raise ClipError with every column that is missing or has another shape or type."""
    sizes: dict[str, int] = {}
    faults = [fault for name in names if (fault := _fault(clip, name, sizes))]
    if faults:
        raise ClipError(listed("the clip's columns are not as declared in columns.py", faults))


def empty(names: Iterable[str]) -> dict[str, Any]:
    """Make the columns of a clip with nobody in it and no frames: every T and P is 0."""
    return {name: _empty(COLUMNS[name]) for name in names}


def _empty(column: Column) -> Any:
    if not column.shape:
        return "" if column.dtype == "str" else 0
    shape = tuple(size if isinstance(size, int) else 0 for size in column.shape)
    return np.zeros(shape, NUMPY.get(column.dtype, column.dtype))


def _fault(clip: Clip, name: str, sizes: dict[str, int]) -> str:
    column = COLUMNS[name]
    if name not in clip:
        return f"{name}: missing"
    value = clip[name]
    if not column.shape:
        kind = str if column.dtype == "str" else (int, np.integer)
        return (
            "" if isinstance(value, kind) else f"{name}: {type(value).__name__}, not {column.dtype}"
        )
    shape = tuple(value.shape)
    if column.dtype != "frames" and value.dtype != NUMPY.get(column.dtype, column.dtype):
        return f"{name}: type {value.dtype}, not {column.dtype}"
    wanted = tuple(
        sizes.setdefault(size, got) if isinstance(size, str) else size
        for size, got in zip(column.shape, shape, strict=False)
    )
    return (
        ""
        if shape == wanted and len(shape) == len(column.shape)
        else (
            f"{name}: shape {shape}, not {column.shape}"
            + (f" with {', '.join(f'{k} = {v}' for k, v in sizes.items())}" if sizes else "")
        )
    )
