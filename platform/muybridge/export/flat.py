"""Write where a person's joints are as CSV: a line a joint of a system in a frame.

``x_px``, ``y_px`` are pixels of the picture as shown; ``x_m``, ``y_m``, ``z_m`` metres in the
camera's axes (x right, y down, z forward), around the hips' middle, or where the camera sees them
if they are a body's; in the world they are in the calibration's axes. Cells are empty where a
system says nothing of a joint or did not find it. A frame in which the person was not seen has no
lines.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from muybridge.export import motion
from muybridge.export.tracks import Track
from muybridge.geometry.skeletons import SKELETONS

FLAT = ("x_px", "y_px", "score_px")
SPACE = ("x_m", "y_m", "z_m", "score_m")
DIGITS = 6  # after the point
PLAIN = pyarrow.csv.WriteOptions(quoting_style="none", quoting_header="none")


def text(tracks: Sequence[Track]) -> bytes:
    """Write one person as each system saw them."""
    systems = dict.fromkeys(track.system for track in tracks)
    parts = [_lines([each for each in tracks if each.system == system]) for system in systems]
    made = io.BytesIO()
    pyarrow.csv.write_csv(pa.concat_tables(parts), made, PLAIN)
    return made.getvalue()


def _lines(tracks: Sequence[Track]) -> pa.Table:
    """Lay the tables of one system beside each other, by frame and joint."""
    seen = [_values(track) for track in tracks]
    frames, first = np.unique(np.concatenate([t.column("frame") for t in tracks]), True)
    times = np.concatenate([track.column("time_s") for track in tracks])[first]
    joints = list(dict.fromkeys(name for names, *_ in seen for name in names))
    cells = np.full((len(frames), len(joints), len(FLAT) + len(SPACE)), np.nan)
    there = np.zeros(cells.shape[:2], bool)
    for track, (names, start, values) in zip(tracks, seen, strict=True):
        at = np.searchsorted(frames, track.column("frame"))
        rows = np.ix_(at, np.array([joints.index(name) for name in names]))
        there[rows] = True
        cells[(*rows, slice(start, start + values.shape[2]))] = values
    row, joint = np.nonzero(there)
    columns = zip((*FLAT, *SPACE), np.round(cells[there], DIGITS).T, strict=True)
    return pa.table(
        {
            "frame": frames[row],
            "time_s": np.round(times[row], DIGITS),
            "system": pa.repeat(tracks[0].system, len(row)),
            "joint": np.array(joints)[joint],
            **{name: pa.array(values, from_pandas=True) for name, values in columns},
        }
    )


def _values(track: Track) -> tuple[tuple[str, ...], int, NDArray[np.float64]]:
    """Give a table's joints, its first column of numbers, and these: (F, J, columns)."""
    if track.table == "keypoints":
        values = np.stack([track.column(name) for name in ("x", "y", "score")], axis=-1)
        values = values.astype(np.float64)
        values[values[..., 2] <= 0, :2] = np.nan
        return SKELETONS[track.rows["skeleton"][0].as_py()].joints, 0, values
    found = motion.seen(track)
    scores = np.full(found.places.shape[:2], np.nan)
    if track.table == "joints3d":
        scores = track.column("score")
    return found.names, len(FLAT), np.dstack([found.places, scores])
