"""Draw a session of several cameras: all views side by side, and its people from all around.

Joints are shown as they were placed in the world: in every view projected back through its lens,
and in a picture of their own by a camera that circles around them over a grid of metres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray
from PIL import Image

from muybridge.errors import InputError
from muybridge.geometry.cameras import ARRAYS, Camera
from muybridge.geometry.skeletons import SKELETONS, Skeleton
from muybridge.render.draw import draw
from muybridge.render.layer import Colour, Layer
from muybridge.render.movie import Movie
from muybridge.render.overlay import Shown, Written, clock, indexed, nothing, pictures
from muybridge.render.rows import Seen, find, hold, known, upright
from muybridge.render.sound import begins
from muybridge.store import query
from muybridge.store.inputs import locate
from muybridge.store.query import Output
from muybridge.store.tables import LEARNED
from muybridge.video.process import Decoder

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

LARGEST = (1920, 1080)  # pixels of the movie
ASIDE = 0.75  # of the movie's height is the width of the picture in space
GROUND: Colour = (30, 34, 43)
GRID: Colour = (110, 120, 142)
TURN = 12.0  # seconds in which the camera in space goes round once
ABOVE = np.radians(12)  # how far it looks down
AWAY = 4.0  # how far off it is, in times of how far people reach from their middle
GRIDDED = 1.8  # how far the grid reaches, likewise
MOST_LINES = 12  # metres up to which the grid is one of metres
FOLLOWED = 2.0  # seconds over which the place it looks at is smoothed
MARGIN = 0.1  # of a skeleton's size around it, above which its number stands


@dataclass(frozen=True, eq=False)
class View:
    """Be one camera of a session: its file, its video's row, and what to add to its times."""

    name: str
    row: dict[str, Any]
    camera: Camera
    offset: float


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold a session's views, and its people in the world: P rows by frames of the first view.

    ``joints`` (P, J, 3) are metres, ``scores`` (P, J) from 0 to 1, ``errors`` (P, J) pixels;
    ``upright`` (3, 3) turns the world to axes whose y is down. Each frame stands for others up to
    ``hold`` seconds away.
    """

    views: Sequence[View]
    frames: NDArray[np.int64]
    times: Array
    tracks: NDArray[np.int64]
    joints: Array
    scores: Array
    errors: Array
    skeleton: Skeleton | None
    upright: Array
    hold: float

    def seen_by(self, camera: Camera) -> Seen:
        """Say who is where in a camera's pictures, by their joints."""
        pixels = camera.project(self.joints)
        there = np.isfinite(pixels).all(-1) & (self.scores > 0)
        inside = there & (pixels >= 0).all(-1) & (pixels < camera.size).all(-1)
        rows = np.flatnonzero(inside.any(1))
        pixels, there = pixels[rows], there[rows]
        low = np.where(there[..., None], pixels, np.inf).min(1, initial=np.inf)
        high = np.where(there[..., None], pixels, -np.inf).max(1, initial=-np.inf)
        around = MARGIN * (high - low).max(1, keepdims=True, initial=0)
        scores = np.where(there, self.scores[rows], 0)[..., None]
        return Seen(
            self.frames[rows],
            self.times[rows],
            self.tracks[rows],
            np.concatenate([low - around, high + around], 1),
            np.concatenate([np.nan_to_num(pixels), scores], -1),
            self.skeleton,
            self.hold,
        )

    @cached_property
    def middles(self) -> tuple[Array, Array]:
        """Say where people's middle is (T, 3), smoothly, and at which times (T,) they are seen."""
        times, at = np.unique(self.times, return_inverse=True)
        people = np.nanmean(self._upright, 1)
        middles = np.stack([np.bincount(at, axis) for axis in people.T], 1)
        middles = middles / np.bincount(at)[:, None]
        sums = np.concatenate([np.zeros((1, 3)), np.cumsum(middles, 0)])
        low = np.searchsorted(times, times - FOLLOWED / 2)
        high = np.searchsorted(times, times + FOLLOWED / 2, "right")
        return (sums[high] - sums[low]) / (high - low)[:, None], times

    def middle(self, seconds: float) -> Array:
        """Say where people's middle is at a time (3,), in upright axes."""
        middles, times = self.middles
        return np.array([np.interp(seconds, times, axis) for axis in middles.T])

    @cached_property
    def floor(self) -> float:
        """Say where the floor is, along y: where the lowest joints are."""
        return float(np.percentile(np.nanmax(self._upright[..., 1], 1), 95))

    @cached_property
    def reach(self) -> float:
        """Say how far joints are from people's middle, in metres, all but a few."""
        middles, times = self.middles
        away = self._upright - middles[np.searchsorted(times, self.times)][:, None]
        return float(np.nanpercentile(np.linalg.norm(away, axis=-1), 98))

    @cached_property
    def _upright(self) -> Array:
        return np.where(self.scores[..., None] > 0, self.joints @ self.upright.T, np.nan)

    def circling(self, seconds: float, size: tuple[int, int]) -> Camera:
        """Give the camera that circles around people, for pictures of a size (w, h)."""
        turn = 2 * np.pi * seconds / TURN
        (c, s), (ca, sa) = ((np.cos(a), np.sin(a)) for a in (turn, ABOVE))
        level = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        rotation = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]]) @ level
        focal = 0.92 * min(size) / 2 * np.sqrt(AWAY**2 - 1)
        return Camera(
            "",
            size,
            np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]]),
            np.zeros(5),
            rotation @ self.upright,
            np.array([0, 0, AWAY * self.reach]) - rotation @ self.middle(seconds),
        )


def knows(out: str, video: str, endpoint: str | None = None) -> bool:
    """Tell whether a name means a session of an output, and no video."""
    tables = query.open(out, endpoint)
    try:
        return bool(find(_sessions(tables), video))
    except InputError:
        return False


def opened(out: str, session: str, endpoint: str | None = None) -> Scene:
    """Find a session in an output: its cameras, and its people in the world."""
    tables = query.open(out, endpoint)
    sessions = _sessions(tables)
    if not len(sessions):
        raise InputError(
            f"{session}: --show views draws a session of several cameras, and the output holds "
            "none; index one with: muybridge index --sessions"
        )
    row = find(sessions, session)
    videos = {each["video_id"]: each for each in tables.videos.to_pylist()}
    own = pc.field("session_id") == row["video_id"]
    views = [
        View(
            locate(videos[each["video_id"]]["uri"], endpoint),
            videos[each["video_id"]],
            Camera(
                each["view"],
                (each["width"], each["height"]),
                *(np.array(each[name], float).reshape(SHAPES[name]) for name in ARRAYS),
            ),
            each["offset_s"],
        )
        for each in tables.sessions.filter(own).sort_by("position").to_pylist()
    ]
    of_session = ds.field("video_id") == row["video_id"]
    rows = tables.parts("joints3d").to_table(filter=of_session)
    turned = upright(tables.sessions, row["video_id"])
    return Scene(views, **_world(rows), upright=turned, hold=hold(row))


SHAPES = {"matrix": (3, 3), "distortion": (5,), "rotation": (3, 3), "translation": (3,)}


def _sessions(tables: Output) -> pa.Table:
    rows = known(tables.videos, tables.sessions)
    return rows.slice(len(tables.videos))


def _world(rows: pa.Table) -> dict[str, Any]:
    """Take the rows of one system that placed joints, the network's if it did, by frames."""
    systems = sorted(set(rows["system"].to_pylist()), key=lambda name: (name != LEARNED, name))
    rows = rows.filter(pc.field("system") == next(iter(systems), ""))
    rows = rows.sort_by([("frame", "ascending"), ("track_id", "ascending")])
    skeleton = SKELETONS[rows["skeleton"][0].as_py()] if len(rows) else None
    joints = len(skeleton.joints) if skeleton else 0
    x, y, z, scores, errors = (
        np.asarray(pc.list_flatten(rows[name]), float).reshape(len(rows), joints)
        for name in ("x", "y", "z", "score", "error")
    )
    return {
        "frames": np.asarray(rows["frame"]),
        "times": np.asarray(rows["time_s"]),
        "tracks": np.asarray(rows["track_id"]),
        "joints": np.stack([x, y, z], -1),
        "scores": scores,
        "errors": errors,
        "skeleton": skeleton,
    }


def views(
    out: str,
    session: str,
    output: Path,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] = nothing,
) -> Written:
    """Draw a session's views with joints projected back, and people in space; write an MP4.

    ``session`` is an address, a folder or a name that ``out`` knows. Frames and their times are the
    first view's, with those of the others that are nearest in time; where a view has none, it is
    dark.
    """
    scene = opened(out, session, endpoint)
    first = scene.views[0]
    with ExitStack() as held:
        decoders = [held.enter_context(Decoder()) for _ in scene.views]
        indexes = [
            indexed(decoder, view.name, view.row)
            for decoder, view in zip(decoders, scene.views, strict=True)
        ]
        grid = Grid([view.camera.size for view in scene.views])
        seen = [
            scene.seen_by(view.camera.cropped((0, 0, *view.camera.size), size))
            for view, size in zip(scene.views, grid.sizes, strict=True)
        ]
        streams = [
            _small(pictures(decoder, index), size, view.offset)
            for decoder, index, view, size in zip(
                decoders, indexes, scene.views, grid.sizes, strict=True
            )
        ]
        others = [
            Beside(stream, 1 / index.fps)
            for stream, index in zip(streams[1:], indexes[1:], strict=True)
        ]
        origin = min(float(indexes[0].times[0]) + first.offset, begins(first.name))
        sound = first.name if indexes[0].has_audio else None
        with Movie(output, indexes[0].fps, sound, origin) as movie:
            done = 0
            for frame, seconds, picture in streams[0]:
                shown = [(frame, seconds, picture), *(other.at(seconds) for other in others)]
                panels = [
                    _panel(each, people, view.camera.name, frame, seconds)
                    for each, people, view in zip(shown, seen, scene.views, strict=True)
                ]
                space = _space(scene, frame, seconds, grid.space)
                movie.show(grid.joined(panels, space), seconds)
                progress(done := done + 1, len(indexes[0].pts))
    return Written(output, done, len(indexes[0].pts), movie.sound)


class Grid:
    """Lay V pictures of some sizes (w, h) out in rows, and one more beside them.

    ``sizes`` are those at which they fit, ``space`` that of the one beside them.
    """

    def __init__(self, given: Sequence[tuple[int, int]]) -> None:
        wide, high = given[0]
        ways = list[tuple[float, int, int]]()  # height of a row, how far from square, columns
        for columns in range(1, len(given) + 1):
            rows = -(-len(given) // columns)
            width = columns * wide / high + ASIDE * rows  # in heights of a row
            height = min(high, LARGEST[0] / width, LARGEST[1] / rows)
            ways.append((height, -abs(rows - columns), columns))
        height, _, self.columns = max(ways)
        self.rows = -(-len(given) // self.columns)
        self.cell = int(height * wide / high), int(height)
        scales = [min(self.cell[0] / w, self.cell[1] / h) for w, h in given]
        self.sizes = [(round(w * s), round(h * s)) for (w, h), s in zip(given, scales, strict=True)]
        height = self.rows * self.cell[1]
        self.space = round(ASIDE * height), height

    def joined(self, panels: Sequence[Picture | None], space: Picture) -> Picture:
        """Put pictures of ``sizes`` (h, w, 3) in their places; None stays dark."""
        wide, high = self.cell
        made = np.full((self.space[1], self.columns * wide + self.space[0], 3), GROUND, np.uint8)
        for number, panel in enumerate(panels):
            if panel is not None:
                row, column = divmod(number, self.columns)
                top = row * high + (high - len(panel)) // 2
                left = column * wide + (wide - panel.shape[1]) // 2
                made[top : top + len(panel), left : left + panel.shape[1]] = panel
        made[:, self.columns * wide :] = space
        return made


class Beside:
    """Give of pictures in order of time the one nearest to a time, if it is less than ``apart``."""

    def __init__(self, shown: Iterator[Shown], apart: float) -> None:
        self._shown, self._apart = shown, apart
        self._held, self._next = next(shown, None), next(shown, None)

    def at(self, seconds: float) -> Shown | None:
        """Give the picture nearest to a time, later than that of the last call."""
        while self._held and self._next and _nearer(self._next, self._held, seconds):
            self._held, self._next = self._next, next(self._shown, None)
        there = self._held is not None and abs(self._held[1] - seconds) < self._apart
        return self._held if there else None


def _nearer(one: Shown, other: Shown, seconds: float) -> bool:
    return abs(one[1] - seconds) <= abs(other[1] - seconds)


def _small(shown: Iterator[Shown], size: tuple[int, int], late: float) -> Iterator[Shown]:
    """Bring pictures to a size (w, h), and their times to those of the session."""
    for frame, seconds, picture in shown:
        small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        yield frame, seconds + late, np.asarray(small)


def _panel(
    shown: Shown | None, people: Seen, name: str, frame: int, seconds: float
) -> Picture | None:
    """Draw into one view's picture who was there at a frame and time of the first view."""
    if shown is None:
        return None
    own, _, picture = shown
    return draw(picture, people.at(frame, seconds)[1], f"{name}   frame {own}", boxes=False)


def _space(scene: Scene, frame: int, seconds: float, size: tuple[int, int]) -> Picture:
    """Draw people from the camera that circles around them, over a grid of metres."""
    image = Image.new("RGB", size, GROUND)
    if scene.skeleton is None:
        return draw(np.asarray(image), [], clock(seconds))
    camera = scene.circling(seconds, size)
    _ground(image, scene, camera, seconds)
    known, people = scene.seen_by(camera).at(frame, seconds)
    errors = scene.errors[scene.frames == known]
    error = f"   joints {np.nanmean(errors):.1f} px off" if np.isfinite(errors).any() else ""
    return draw(np.asarray(image), people, f"{clock(seconds)}{error}", boxes=False)


def _ground(image: Image.Image, scene: Scene, camera: Camera, seconds: float) -> None:
    """Draw a round grid on the floor about people's middle: of metres, or of tens of them."""
    x, _, z = scene.middle(seconds)
    radius = GRIDDED * scene.reach
    step = 1.0 if radius <= MOST_LINES else 10.0
    low, high = np.zeros(2), np.array(image.size, float)
    layer = Layer(image, low, high)
    for axis, middle in enumerate((x, z)):
        for at in step * np.arange(np.ceil((middle - radius) / step), (middle + radius) / step):
            half = np.sqrt(max(radius**2 - (at - middle) ** 2, 0))
            ends = np.full((2, 3), scene.floor)
            ends[:, 2 * axis] = at
            ends[:, 2 - 2 * axis] = (z, x)[axis] + np.array([-half, half])
            layer.line(camera.project(ends @ scene.upright), 1.6, GRID, 1)
    layer.lay(image)
