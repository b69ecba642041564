"""Draw what an output knows of a video onto its frames, as a movie or as one picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray
from PIL import Image

from muybridge.errors import InputError
from muybridge.render.draw import draw
from muybridge.render.movie import Movie
from muybridge.render.rows import Seen, find, seen
from muybridge.render.sound import begins
from muybridge.store import query
from muybridge.store.inputs import locate
from muybridge.video.clips import clips
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder

CHUNK = 8  # frames at a time
Shown = tuple[int, float, NDArray[np.uint8]]  # number of the frame, its time in seconds, picture


@dataclass(frozen=True)
class Written:
    """Say what was written: how many frames of how many, and what became of the sound."""

    path: Path
    frames: int
    frames_indexed: int
    sound: str


def _nothing(done: int, of: int) -> None:
    pass


def overlay(
    out: str,
    video: str,
    output: Path,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] = _nothing,
) -> Written:
    """Draw boxes with track ids, skeletons and the time onto a video; write H.264 in MP4.

    ``video`` is a path, an address or a file name that ``out`` knows. Frames keep their times; the
    movie begins with 0 where the file begins. ``progress`` is told frames done and of how many.
    """
    row, people, source = _open(out, video, endpoint)
    if os.path.exists(output) and os.path.exists(source) and os.path.samefile(output, source):
        raise InputError(f"{output}: is the video itself; name another file to write")
    with Decoder() as decoder:
        index = _index(decoder, source, row)
        origin = min(float(index.times[0]), begins(source))
        sound = source if index.has_audio else None
        with Movie(output, index.fps, sound, origin) as movie:
            done = 0
            for frame, seconds, picture in _pictures(decoder, index):
                movie.show(draw(picture, *_on(people, frame, seconds)), seconds)
                progress(done := done + 1, len(index.pts))
    return Written(output, done, len(index.pts), movie.sound)


def still(out: str, video: str, output: Path, endpoint: str | None = None) -> int:
    """Write the frame on which most can be seen as a picture; return its number."""
    row, people, source = _open(out, video, endpoint)
    with Decoder() as decoder:
        index = _index(decoder, source, row)
        best = _best(people)
        for frame, seconds, picture in _pictures(decoder, index, best, best + 1):
            Image.fromarray(draw(picture, *_on(people, frame, seconds))).save(output)
    return best


def _open(out: str, video: str, endpoint: str | None) -> tuple[dict[str, Any], Seen, str]:
    """Find a video's row, its people, and what to open to read it."""
    opened = query.open(out, endpoint)
    row = find(opened.videos, video)
    of_video = ds.field("video_id") == row["video_id"]
    people, keypoints = (
        opened.parts(name).to_table(filter=of_video) for name in ("people", "keypoints")
    )
    source = video if os.path.exists(video) else locate(row["uri"], endpoint)
    return row, seen(row, people, keypoints), source


def _index(decoder: Decoder, source: str, row: dict[str, Any]) -> VideoIndex:
    index = decoder.probe(source, row["uri"])
    if len(index.pts) != row["frames"]:
        raise InputError(
            f"{source}: has {len(index.pts)} frames, but {row['frames']} were indexed: it is "
            "another video or has changed; index it again"
        )
    return index


def _pictures(
    decoder: Decoder, index: VideoIndex, first: int = 0, stop: int | None = None
) -> Iterator[Shown]:
    """Decode frames in order, from a number up to another; those that are damaged are left out."""
    for clip in clips(index, index.source, ""):
        wanted = np.clip(clip["core"], first, stop)
        start, end = np.searchsorted(clip["frame_index"], wanted).tolist()
        for rows, pictures in decoder.frames(clip).chunks(CHUNK, start, end):
            for row, picture in zip(rows.tolist(), pictures, strict=True):
                yield int(clip["frame_index"][row]), float(clip["times"][row]), picture


def _on(people: Seen, frame: int, seconds: float) -> tuple[list[Any], str]:
    """Say who is drawn on a frame and what is written below."""
    known, persons = people.at(frame, seconds)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    clock = f"{hours}:{minutes:02d}:{rest:06.3f}" if hours else f"{minutes}:{rest:06.3f}"
    return persons, f"{clock}   frame {frame}" + (
        f"   people of frame {known}" if known != frame else ""
    )


def _best(people: Seen) -> int:
    """Choose the frame whose people and joints are surest, all in all; 0 if there is nobody."""
    if not len(people.frames):
        return 0
    frames, row = np.unique(people.frames, return_inverse=True)
    sure = np.bincount(row, 1 + people.joints[:, :, 2].sum(axis=1))
    return int(frames[np.argmax(sure)])
