"""Give the people of a video one number each, from the rows of its clips in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from muybridge.tracking.appearance import DIMENSIONS
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
        numbers = _numbers(linker, tables["people"], tables.get("appearances"), core)
        yield {name: _renamed(rows, numbers, core) for name, rows in tables.items()}


def _numbers(
    linker: Linker, people: pa.Table, appearances: pa.Table | None, core: Core
) -> dict[int, int]:
    frame, track = people["frame"].to_numpy(), people["track_id"].to_numpy()
    box = np.stack([people[side].to_numpy() for side in SIDES], axis=1)
    looks = None if appearances is None else _looks(frame, track, appearances)
    ids = linker.next(frame, people["time_s"].to_numpy(), track, box, core, looks)
    return dict(zip(track.tolist(), ids.tolist(), strict=True))


def _looks(
    frame: NDArray[np.int64], track: NDArray[np.int32], appearances: pa.Table
) -> NDArray[np.float32]:
    """Lay what people look like beside the rows of ``people``: (P, D), nan where not known."""
    made = np.full((len(frame), DIMENSIONS), np.nan, np.float32)
    row = {key: at for at, key in enumerate(zip(frame.tolist(), track.tolist(), strict=True))}
    keys = zip(*(appearances[name].to_pylist() for name in ("frame", "track_id")), strict=True)
    at = [row[key] for key in keys]
    made[at] = np.reshape(appearances["appearance"].to_pylist(), (-1, DIMENSIONS))
    return made


def _renamed(rows: pa.Table, numbers: Mapping[int, int], core: Core) -> pa.Table:
    if "track_id" not in rows.column_names or not len(rows):
        return rows
    rows = rows.filter(pa.array(in_core(rows["frame"].to_numpy(), core)))
    at = rows.column_names.index("track_id")
    tracks = rows["track_id"].to_pylist()  # null is nobody: the whole picture
    ids = pa.array([None if track is None else numbers[track] for track in tracks], pa.int32())
    return rows.set_column(at, rows.schema.field(at), ids)
