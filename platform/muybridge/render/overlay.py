"""Draw what an output knows of a video onto its frames, as a movie or as one picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray
from PIL import Image

from muybridge.errors import InputError
from muybridge.render.bodies import Bodies, from_the_side
from muybridge.render.draw import Person, draw
from muybridge.render.mesh import paint as modelled
from muybridge.render.movie import Movie
from muybridge.render.rows import Seen, Surfaces, find, seen
from muybridge.render.sound import begins
from muybridge.render.surface import Show as Surfaced
from muybridge.render.surface import paint
from muybridge.store import query
from muybridge.store.inputs import locate
from muybridge.video.clips import clips
from muybridge.video.probe import VideoIndex
from muybridge.video.process import Decoder

CHUNK = 8  # frames at a time
Shown = tuple[int, float, NDArray[np.uint8]]  # number of the frame, its time in seconds, picture
Show = Literal["people", "densepose", "uv", "mesh", "side"]
SURFACES: dict[Show, Surfaced] = {"densepose": "densepose", "uv": "uv"}


@dataclass(frozen=True)
class Written:
    """Say what was written: how many frames of how many, and what became of the sound."""

    path: Path
    frames: int
    frames_indexed: int
    sound: str


def nothing(done: int, of: int) -> None:
    """Take no notice of how far it is."""


@dataclass(frozen=True)
class Source:
    """Be one video of an output: its ``row`` of ``videos``, who is seen in it, and what to open."""

    row: dict[str, Any]
    people: Seen
    surfaces: Surfaces
    bodies: Bodies
    name: str

    def shows(self) -> Show:
        """Say what there is to show: joints, else the parts, else bodies, else boxes only."""
        if self.people.skeleton is None and self.surfaces.tracks():
            return "densepose"
        return "mesh" if self.people.skeleton is None and self.bodies.any() else "people"

    def check(self, show: Show) -> None:
        """Raise InputError if there is none of it, WeightsError if it cannot be drawn here."""
        if show in ("mesh", "side") and self.bodies.any():
            self.bodies.load()
        elif show in ("mesh", "side"):
            raise InputError(
                f"{self.name}: --show {show} was asked for, and the output holds no bodies of it; "
                "index it with --graph vibe"
            )
        elif show != "people" and not self.surfaces.tracks():
            raise InputError(
                f"{self.name}: --show {show} was asked for, and the output holds no surfaces of "
                "it; index it with --graph densepose"
            )


def overlay(
    out: str,
    video: str,
    output: Path,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] = nothing,
    show: Show | None = None,
    weights: Path | None = None,
) -> Written:
    """Draw people onto a video; write H.264 in MP4.

    Beside boxes, track ids and the time: skeletons (``people``), the parts of the body's surface
    (``densepose``), U and V on it (``uv``), bodies (``mesh``), or bodies with how they look from
    the side beside the picture (``side``); None shows what there is. ``video`` is a path, an
    address or a file name that ``out`` knows. Frames keep their times; the movie begins with 0
    where the file begins. ``progress`` is told frames done and of how many. ``weights`` is where
    the user has the files of body models.
    """
    source = opened(out, video, endpoint, weights)
    show = show or source.shows()
    if (
        os.path.exists(output)
        and os.path.exists(source.name)
        and os.path.samefile(output, source.name)
    ):
        raise InputError(f"{output}: is the video itself; name another file to write")
    source.check(show)
    with Decoder() as decoder:
        index = indexed(decoder, source.name, source.row)
        origin = min(float(index.times[0]), begins(source.name))
        sound = source.name if index.has_audio else None
        with Movie(output, index.fps, sound, origin) as movie:
            done = 0
            for frame, seconds, picture in pictures(decoder, index):
                movie.show(drawn(source, picture, frame, seconds, show), seconds)
                progress(done := done + 1, len(index.pts))
    return Written(output, done, len(index.pts), movie.sound)


def still(
    out: str,
    video: str,
    output: Path,
    endpoint: str | None = None,
    weights: Path | None = None,
) -> int:
    """Write the frame on which most can be seen as a picture; return its number."""
    source = opened(out, video, endpoint, weights)
    with Decoder() as decoder:
        index = indexed(decoder, source.name, source.row)
        best = _best(source.people)
        for frame, seconds, picture in pictures(decoder, index, best, best + 1):
            shown = drawn(source, picture, frame, seconds, source.shows())
            Image.fromarray(shown).save(output)
    return best


def drawn(
    source: Source, picture: NDArray[np.uint8], frame: int, seconds: float, show: Show
) -> NDArray[np.uint8]:
    """Draw what is known of a frame into a copy of its picture."""
    known, people, caption = _on(source.people, frame, seconds)
    if show == "people":
        return draw(picture, people, caption)
    boxes = [replace(person, skeleton=None) for person in people]
    if show in SURFACES:
        return draw(paint(picture, source.surfaces.at(known), SURFACES[show]), boxes, caption)
    bodies = source.bodies.at(known)
    front = draw(modelled(picture, [body.mesh for body in bodies]), boxes, caption)
    return np.hstack([front, from_the_side(bodies, front.shape)]) if show == "side" else front


def opened(out: str, video: str, endpoint: str | None, weights: Path | None = None) -> Source:
    """Find a video in an output: its row, its people, their surfaces and bodies, what to open."""
    tables = query.open(out, endpoint)
    row = find(tables.videos, video)
    of_video = ds.field("video_id") == row["video_id"]
    people, keypoints = (
        tables.parts(name).to_table(filter=of_video) for name in ("people", "keypoints")
    )
    name = video if os.path.exists(video) else locate(row["uri"], endpoint)
    surfaces = Surfaces(tables.parts("densepose").filter(of_video))
    bodies = Bodies(tables.parts("bodies").filter(of_video), weights)
    return Source(row, seen(row, people, keypoints), surfaces, bodies, name)


def indexed(decoder: Decoder, name: str, row: Mapping[str, Any]) -> VideoIndex:
    """Index a video's frames, or raise InputError if it is not the one of a row of ``videos``."""
    index = decoder.probe(name, row["uri"])
    if len(index.pts) != row["frames"]:
        raise InputError(
            f"{name}: has {len(index.pts)} frames, but {row['frames']} were indexed: "
            "it is another video or has changed; index it again"
        )
    return index


def pictures(
    decoder: Decoder, index: VideoIndex, first: int = 0, stop: int | None = None
) -> Iterator[Shown]:
    """Decode frames in order, from a number up to another; those that are damaged are left out."""
    for clip in clips(index, index.source, ""):
        wanted = np.clip(clip["core"], first, stop)
        start, end = np.searchsorted(clip["frame_index"], wanted).tolist()
        for rows, shown in decoder.frames(clip).chunks(CHUNK, start, end):
            for row, picture in zip(rows.tolist(), shown, strict=True):
                yield int(clip["frame_index"][row]), float(clip["times"][row]), picture


def _on(people: Seen, frame: int, seconds: float) -> tuple[int, list[Person], str]:
    """Say of which frame is known who is drawn on one, who that is, and what is written below."""
    known, persons = people.at(frame, seconds)
    other = f"   people of frame {known}" if known != frame else ""
    return known, persons, f"{clock(seconds)}   frame {frame}{other}"


def clock(seconds: float) -> str:
    """Write a time as minutes and seconds, or hours before them."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:06.3f}" if hours else f"{minutes}:{rest:06.3f}"


def _best(people: Seen) -> int:
    """Choose the frame whose people and joints are surest, all in all; 0 if there is nobody."""
    if not len(people.frames):
        return 0
    frames, row = np.unique(people.frames, return_inverse=True)
    sure = np.bincount(row, 1 + people.joints[:, :, 2].sum(axis=1))
    return int(frames[np.argmax(sure)])
