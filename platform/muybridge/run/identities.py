"""Give the people of a video one number each, from the rows of its clips in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from muybridge.tracking.link import Linker, in_core

SIDES = ("left", "top", "right", "bottom")
Core = NDArray[np.int64]


def linked(
    clips: Iterable[tuple[Core, Mapping[str, pa.Table]]],
) -> Iterator[dict[str, pa.Table]]:
    """Yield each clip's tables with the video's track ids and without rows outside its core.

    ``clips`` are all clips of one video in order: the core (2,) in frame numbers and the tables
    with the clip's own track ids.
    """
    linker = Linker()
    for core, tables in clips:
        numbers = _numbers(linker, tables["people"], core)
        yield {name: _renamed(rows, numbers, core) for name, rows in tables.items()}


def _numbers(linker: Linker, people: pa.Table, core: Core) -> dict[int, int]:
    track = people["track_id"].to_numpy()
    box = np.stack([people[side].to_numpy() for side in SIDES], axis=1)
    ids = linker.next(people["frame"].to_numpy(), people["time_s"].to_numpy(), track, box, core)
    return dict(zip(track.tolist(), ids.tolist(), strict=True))


def _renamed(rows: pa.Table, numbers: Mapping[int, int], core: Core) -> pa.Table:
    if "track_id" not in rows.column_names or not len(rows):
        return rows
    rows = rows.filter(pa.array(in_core(rows["frame"].to_numpy(), core)))
    at = rows.column_names.index("track_id")
    tracks = rows["track_id"].to_pylist()  # null is nobody: the whole picture
    ids = pa.array([None if track is None else numbers[track] for track in tracks], pa.int32())
    return rows.set_column(at, rows.schema.field(at), ids)
