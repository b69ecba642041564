"""Write where a person's joints are as CSV: a line a joint of a system in a frame.

``x_px``, ``y_px`` are pixels of the picture as shown; ``x_m``, ``y_m``, ``z_m`` metres in the
camera's axes (x right, y down, z forward), around the hips' middle, or where the camera sees them
if they are a body's. Cells are empty where a system says nothing of a joint or did not find it. A
frame in which the person was not seen has no lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from muybridge.export import motion
from muybridge.export.tracks import Track
from muybridge.geometry.skeletons import SKELETONS

FLAT = ("x_px", "y_px", "score_px")
SPACE = ("x_m", "y_m", "z_m", "score_m")
HEADER = ("frame", "time_s", "system", "joint", *FLAT, *SPACE)
Values = dict[tuple[int, str], NDArray[np.float64]]  # of a frame and a joint


def text(tracks: Sequence[Track]) -> str:
    """Write one person as each system saw them."""
    made = io.StringIO()
    lines = csv.writer(made, lineterminator="\n")
    lines.writerow(HEADER)
    for system in dict.fromkeys(track.system for track in tracks):
        own = {track.table: track for track in tracks if track.system == system}
        lines.writerows(_lines(system, own))
    return made.getvalue()


def _lines(system: str, own: dict[str, Track]) -> Iterator[list[str | int]]:
    """Yield the lines of one system, whose tracks are given by their tables."""
    flat = _flat(own["keypoints"]) if "keypoints" in own else {}
    space: Values = {}
    for table in ("joints3d", "bodies"):
        space |= _space(own[table]) if table in own else {}
    times = {
        frame: time
        for track in own.values()
        for frame, time in zip(track.column("frame"), track.column("time_s"), strict=True)
    }
    none, nowhere = np.full(len(FLAT), np.nan), np.full(len(SPACE), np.nan)
    keys = dict.fromkeys([*flat, *space])
    for frame, joint in sorted(keys, key=lambda key: key[0]):
        values = [*flat.get((frame, joint), none), *space.get((frame, joint), nowhere)]
        yield [frame, f"{times[frame]:.6f}", system, joint, *map(_cell, values)]


def _flat(track: Track) -> Values:
    values = np.stack([track.column(name) for name in ("x", "y", "score")], axis=-1)
    values = values.astype(np.float64)
    values[values[..., 2] <= 0, :2] = np.nan
    return _named(track, SKELETONS[track.rows["skeleton"][0].as_py()].joints, values)


def _space(track: Track) -> Values:
    joints = motion.seen(track)
    scores = np.full(joints.places.shape[:2], np.nan)
    if track.table == "joints3d":
        scores = track.column("score")
    return _named(track, joints.names, np.dstack([joints.places, scores]))


def _named(track: Track, names: Sequence[str], values: NDArray[np.float64]) -> Values:
    return {
        (frame, name): row
        for frame, rows in zip(track.column("frame").tolist(), values, strict=True)
        for name, row in zip(names, rows, strict=True)
    }


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
