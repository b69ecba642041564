"""Read what VIBE learns from: tracks of features with what is known of them, and motion capture.

Both are NPZ files. Of many files only the heads are read to say which windows there are; a file
that cannot be used is left out, with what is wrong with it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from muybridge.errors import InputError, listed
from muybridge.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from muybridge.models.vibe.losses import POSE
from muybridge.models.vibe.model import Config
from muybridge.models.vibe.tracks import LENGTH, windows

Example = dict[str, NDArray[np.float32]]  # features, and the fields of Labels, of one window
Row = dict[str, Any]  # where an example or a motion is to be read
Shapes = dict[str, tuple[int, ...]]
Read = TypeVar("Read")

FPS = 25.0  # frames a second of the motion that is learnt from
ARRAYS: Shapes = {  # of a track: what a frame has
    "features": (Config().features,),
    "kp_2d": (49, 3),
    "kp_3d": (49, 3),
    "theta": (85,),
    "w_3d": (),
    "w_smpl": (),
}
NEEDED = ("features", "kp_2d")
KNOWN_BY = {"w_3d": "kp_3d", "w_smpl": "theta"}  # which says where which is known
HANDS = {24: (22, 23), 52: (22, 37), 55: (25, 40)}  # the joints that stand for SMPL's hands
BARED = 22  # joints that all bodies of the SMPL family share: all but the hands
RATES = ("mocap_framerate", "mocap_frame_rate")  # AMASS's names
UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
TOLD = 10  # faults that are printed
READ_HEAD: dict[tuple[int, int], Any] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
READ_VERSION: Any = npy.read_magic


@dataclass(frozen=True)
class Found:
    """Hold what a place has: rows to read, and what is left out, each with its file and why."""

    rows: list[Row]
    skipped: list[str]


@dataclass(frozen=True)
class Motions:
    """Hold real motion: axis-angles ``frames`` (F, 69), and where windows may start (W,)."""

    frames: Tensor
    starts: Tensor
    length: int = LENGTH

    def draw(self, count: int) -> Tensor:
        """Draw windows (count, T, 69), with angles as the generator's come: of half a turn most."""
        starts = self.starts[torch.randint(len(self.starts), (count,))]
        frames = self.frames[starts[:, None] + torch.arange(self.length)]
        turned = matrix_from_axis_angle(
            frames.reshape(count, self.length, frames.shape[-1] // 3, 3)
        )
        return axis_angle_from_matrix(turned).flatten(-2)


def tracks(
    place: Path, stride: int = LENGTH, length: int = LENGTH, features: int = Config().features
) -> Found:
    """Find the windows in files of features: one file, or all in a folder and those below it.

    A file (NPZ) is a person's track, frame by frame:

        features (T, 2048)   what the backbone says of the crop
        kp_2d (T, 49, 3)     joints, from -1 to 1 over the crop, and how sure each is: 0 if unknown
        kp_3d (T, 49, 3)     joints in metres; may be missing
        theta (T, 85)        camera 3 (unused), axis-angles 72, betas 10; may be missing
        w_3d, w_smpl (T,)    1 in frames where kp_3d, where theta is known; all are if missing

    InputError if there is no window in any.
    """
    wanted = {**ARRAYS, "features": (features,)}
    found = _looked(place, lambda path: _frames(_shapes(path), wanted, length), "track of features")
    rows = [
        {"path": row["path"], "start": int(start), "length": length}
        for row in found.rows
        for start, _ in windows(np.zeros(row["frames"]), length, stride)
    ]
    return Found(rows, found.skipped)


def example(row: Mapping[str, Any]) -> Example | None:
    """Read a window; None if it cannot be read, or what it says is known is not finite."""
    count = row["length"]
    part = slice(row["start"], row["start"] + count)
    try:
        with np.load(row["path"]) as file:
            given = {n: np.asarray(file[n], np.float32)[part] for n in ARRAYS if n in file}
    except UNREADABLE:
        return None
    joints, body = (_known(given, flag, name, count) for flag, name in KNOWN_BY.items())
    points = given["kp_2d"]
    made = {
        "features": given["features"],
        "joints_2d": np.where(points[..., 2:] > 0, points, 0).astype(np.float32),
        "joints_3d": given.get("kp_3d", np.zeros((count, 49, 3), np.float32)),
        "theta": given.get("theta", np.zeros((count, 85), np.float32)),
        "has_joints": joints,
        "has_body": body,
    }
    said = (
        *(made[name] for name in ("features", "joints_2d", "has_joints", "has_body")),
        made["joints_3d"][joints > 0],
        made["theta"][body > 0][:, POSE.start :],
    )
    return made if all(np.isfinite(each).all() for each in said) else None


def mocap(place: Path, length: int = LENGTH) -> Found:
    """Find the files of motion capture: one file, or all in a folder and those below it.

    A file (NPZ) has ``poses`` (T, 72), the axis-angles of SMPL's joints; or those of SMPL-H
    (T, 156) or SMPL-X (T, 165), as in AMASS; or ``theta`` (T, 85). ``mocap_framerate`` or
    ``mocap_frame_rate`` says how many frames a second it has; without one it is taken as it is.
    InputError if there is no window in any.
    """
    return _looked(place, lambda path: _poses(_shapes(path), length), "motion capture")


def motions(rows: Sequence[Mapping[str, Any]], fps: float = FPS, length: int = LENGTH) -> Motions:
    """Read files of motion capture; InputError lists those that cannot be used."""
    read, faults = _each([row["path"] for row in rows], lambda path: motion(path, fps))
    if faults:
        raise InputError(_cut("this motion capture cannot be read; take it out", faults))
    parts = [part for part in read.values() if len(part) >= length]
    if not parts:
        raise InputError(
            f"no motion has {length} frames when there are {fps:g} a second; give longer ones, or "
            "ask for more frames a second"
        )
    ends = np.cumsum([len(part) for part in parts])
    starts = [np.arange(end - len(p), end - length + 1) for p, end in zip(parts, ends, strict=True)]
    frames = torch.from_numpy(np.concatenate(parts))
    return Motions(frames, torch.from_numpy(np.concatenate(starts)), length)


def motion(path: Path, fps: float) -> NDArray[np.float32]:
    """Read one file of motion capture: axis-angles of the joints below the root (F, 69).

    Every n-th frame is kept, n being whole, so that moves stay as even as they were: 60 frames a
    second become 30 when 25 are asked for. ValueError if not all numbers are finite.
    """
    with np.load(path) as file:
        if "poses" in file:
            poses = np.asarray(file["poses"], np.float32).reshape(len(file["poses"]), -1, 3)
        else:
            poses = np.asarray(file["theta"], np.float32)[:, POSE].reshape(-1, 24, 3)
        rate = next((file[name].item() for name in RATES if name in file), fps)
    joints = [*range(1, BARED), *HANDS[poses.shape[1]]]
    kept = poses[:: max(round(rate / fps), 1), joints].reshape(-1, 3 * len(joints))
    if not np.isfinite(kept).all():
        raise ValueError("not all numbers are finite")
    return kept


def _looked(place: Path, frames: Callable[[Path], int], what: str) -> Found:
    """Count the frames of each file; refuse a place where no file can be used, and say why."""
    if not place.exists():
        raise InputError(f"there is no {place}; give an NPZ file, or a folder of them")
    paths = [place] if place.is_file() else sorted(place.rglob("*.npz"))
    counts, faults = _each(paths, frames)
    if not counts:
        title = f"{place}: no {what} is here; --help tells what a file holds"
        raise InputError(_cut(title, faults or ["there is no NPZ file"]))
    rows = [{"path": path.resolve(), "frames": count} for path, count in counts.items()]
    return Found(rows, faults)


def _each(
    paths: Sequence[Path], read: Callable[[Path], Read]
) -> tuple[dict[Path, Read], list[str]]:
    """Read files; return what each gave, and what is wrong with those that gave nothing."""
    given, faults = dict[Path, Read](), list[str]()

    def tried(path: Path) -> None:
        try:
            given[path] = read(path)
        except UNREADABLE as error:
            faults.append(f"{path}: {error}")

    for path in paths:
        tried(path)
    return given, faults


def _cut(title: str, faults: Sequence[str]) -> str:
    more = [f"… and {len(faults) - TOLD} more"] if len(faults) > TOLD else []
    return listed(title, [*faults[:TOLD], *more])


def _shapes(path: Path) -> Shapes:
    """Read the shapes of a file's arrays of numbers, and not the numbers."""
    found = Shapes()
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            with file.open(name) as member:
                shape, _, dtype = READ_HEAD[READ_VERSION(member)](member)
            if dtype.kind in "fiub":
                found[name.removesuffix(".npy")] = shape
    return found


def _frames(found: Shapes, wanted: Shapes, length: int) -> int:
    """Count the frames of a track; ValueError lists all that is wrong with its arrays."""
    frames = (*found.get("features", ()), 0)[0]
    faults = [
        f"{name} is {found.get(name, 'missing')}, not {(frames or 'T', *shape)}"
        for name, shape in wanted.items()
        if (name in found or name in NEEDED) and found.get(name) != (frames, *shape)
    ]
    faults += [
        f"{flag} is there and {name} is not"
        for flag, name in KNOWN_BY.items()
        if flag in found and name not in found
    ]
    if faults:
        raise ValueError("; ".join(faults))
    return _long_enough(frames, length)


def _poses(found: Shapes, length: int) -> int:
    """Count the frames of a motion; ValueError says what is wrong with it."""
    name = "poses" if "poses" in found else "theta"
    if name not in found:
        raise ValueError("neither poses nor theta is in it")
    shape = found[name]
    widths = [3 * joints for joints in HANDS] if name == "poses" else [85]
    if len(shape) != 2 or shape[1] not in widths:
        raise ValueError(f"{name} is {shape}, not (T, {' or '.join(map(str, widths))})")
    return _long_enough(shape[0], length)


def _long_enough(frames: int, length: int) -> int:
    if frames < length:
        raise ValueError(f"it has {frames} frames, and a window has {length}")
    return frames


def _known(given: Example, flag: str, name: str, count: int) -> NDArray[np.float32]:
    """Say in which frames something is known (T,): 0 or 1."""
    if name not in given:
        return np.zeros(count, np.float32)
    return given.get(flag, np.ones(count, np.float32))
