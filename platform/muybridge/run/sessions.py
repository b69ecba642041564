"""Sessions: synchronised videos with a calibration, read, probed and cut into clips of all views.

A session is described by a table of a TOML file::

    [[session]]
    name = "balancing"
    calibration = "calibration/Calib_qualisys.toml"   # or a folder
    subject = "S1"                                    # only where a calibration has several
    views = { cam_01 = "cam01.mp4", cam_02 = "cam02.mp4" }
    offsets = { cam_02 = 0.25 }                       # seconds to add to a view's times

or it is a folder of videos, each named like one of the cameras of the calibration beside them (or
in a folder beside them whose name begins with "calib"). Paths are relative to the file. What no
offset is given for is found from the motion of joints.

Time is that of the first view that can be read. Clips are cut where that view's are; the frames of
the others belong to the clip in which they were taken.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import InputError, VideoError, is_transient, listed
from muybridge.geometry.cameras import Camera
from muybridge.store.inputs import Input, fingerprint, inputs, video_id
from muybridge.store.objects import at
from muybridge.store.plan import PlannedVideo
from muybridge.tracking.segments import TICK
from muybridge.video import calibration
from muybridge.video.clips import CONTEXT_S, DecoderName, Span, chosen, cut, filled
from muybridge.video.probe import VideoIndex

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = ("name", "calibration", "subject", "views", "offsets")
STRETCHED = 0.02  # by which the shape of a video's pictures may differ from the calibration's
MOST_OFFSET = 86_400.0  # seconds
SENT = "session"  # what a session is called that lies nowhere


@dataclass(frozen=True)
class View:
    """Be one camera of a session and its video; ``offset`` in seconds is added to its times.

    An ``offset`` of None is to be found.
    """

    camera: Camera
    input: Input
    offset: float | None = None


@dataclass(frozen=True)
class Session:
    """Be a group of synchronised videos; ``input`` says of it what it says of a video."""

    input: Input
    views: tuple[View, ...]

    @property
    def video_id(self) -> str:
        """Name the session by where it is and what it holds."""
        return video_id(self.input.uri, self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """Say what the session holds: its videos, cameras and offsets."""
        return _digest([(fingerprint(view.input), *_told(view)) for view in self.views])


def session(uri: str, views: Sequence[View]) -> Session:
    """Make a session of views; its tag changes with any of them."""
    tag = _digest([(*view.input, *_told(view)) for view in views])
    return Session(Input(uri, sum(view.input.size for view in views), tag), tuple(views))


def _told(view: View) -> tuple[Any, ...]:
    return view.input.uri, view.camera.written(), view.offset


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()


def read(uri: str, endpoint: str | None = None) -> list[Session]:
    """Read the sessions of a TOML file, or the one that a folder is; paths or s3:// addresses.

    Raises InputError with every fault.
    """
    if not uri.lower().endswith(".toml"):
        return [_folder(uri.rstrip("/"), endpoint)]
    folder, _, name = uri.rpartition("/")
    folder = folder or ("/" if uri.startswith("/") else ".")
    objects = at(folder, endpoint)
    try:
        text = objects.read(name).decode("utf-8", "replace")
    except FileNotFoundError:
        raise InputError(f"{uri}: there is no such file of sessions") from None
    try:
        tables = tomllib.loads(text).get("session")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{uri}: cannot be read as TOML: {error}") from error
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise InputError(f"{uri}: holds no session; each is a table [[session]]")
    faults = list[str]()
    made = [
        _described(objects.root, name, number, table, endpoint, faults)
        for number, table in enumerate(tables)
    ]
    names = [each.input.uri for each in made if each]
    faults += [f"two sessions are called {n}" for n in sorted(set(names)) if names.count(n) > 1]
    if faults:
        raise InputError(listed(f"{uri}: the sessions have faults", faults))
    return [each for each in made if each]


def _described(
    root: str,
    file: str,
    number: int,
    table: Mapping[str, Any],
    endpoint: str | None,
    faults: list[str],
) -> Session | None:
    """Make the session that a table describes, or add what is wrong with it to ``faults``."""
    name = str(table.get("name", number + 1))
    own = [f"{key}: means nothing; there are {', '.join(KEYS)}" for key in table if key not in KEYS]
    videos, offsets = table.get("views", {}), table.get("offsets", {})
    cameras: dict[str, Camera] = {}
    try:
        place = _joined(root, str(table["calibration"]))
        cameras = _cameras(place, str(table.get("subject", "")), endpoint)
    except KeyError:
        own.append("calibration: is missing; give the file, or the folder it is in")
    except InputError as error:
        own.append(str(error))
    if not isinstance(videos, Mapping) or len(videos) < 2:
        own.append('views: give two or more, as { cam_01 = "cam01.mp4", cam_02 = … }')
        videos = {}
    if not isinstance(offsets, Mapping):
        own.append("offsets: give seconds, as { cam_02 = 0.25 }")
        offsets = {}
    own += _unknown(cameras, videos, offsets)
    found = {view: _video(_joined(root, str(video)), endpoint) for view, video in videos.items()}
    own += [f"views: {view}: no such file: {videos[view]}" for view, v in found.items() if not v]
    faults += [f"session {name}: {fault}" for fault in own]
    if own:
        return None
    views = [View(cameras[v], item, offsets.get(v)) for v, item in found.items() if item]
    return session(f"{root}/{file}#{name}", views)


def _unknown(
    cameras: Mapping[str, Camera], views: Mapping[str, Any], offsets: Mapping[str, Any]
) -> Iterator[str]:
    """List views that no camera is called like, and offsets that are none."""
    if cameras:
        there = f"there are {', '.join(cameras)}"
        yield from (f"views: no camera is called {v}; {there}" for v in views if v not in cameras)
    for view, value in offsets.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if view not in views:
            yield f"offsets: no view is called {view}"
        if not number or not abs(value) <= MOST_OFFSET:
            yield f"offsets: {view} is {value!r}; give seconds"


def sent(
    calibrations: Mapping[str, str],
    files: Mapping[str, Input],
    offsets: Mapping[str, Any],
    subject: str,
) -> Session:
    """Make a session of files by camera, and of the texts of calibrations by their names.

    Raises InputError with every fault.
    """
    found = calibration.among(calibrations, ", ".join(calibrations), subject)
    cameras = {camera.name: camera for camera in found}
    faults = list(_unknown(cameras, files, offsets))
    if len(files) < 2:
        faults.append(f"views: there are {len(files)}; send two or more")
    if faults:
        raise InputError(listed("what was sent is no session of several cameras", faults))
    return session(SENT, [View(cameras[v], item, offsets.get(v)) for v, item in files.items()])


def _joined(root: str, place: str) -> str:
    if "://" in place or place.startswith("/"):
        return place
    return f"{root}/{PurePosixPath(place)}"


def _video(uri: str, endpoint: str | None) -> Input | None:
    try:
        found = inputs([uri], endpoint)
    except InputError:
        return None
    return found[0] if len(found) == 1 else None


def _cameras(place: str, subject: str, endpoint: str | None) -> dict[str, Camera]:
    """Read the cameras of a file or a folder, by their names."""
    folder, _, name = place.rpartition("/")
    if place.lower().endswith(calibration.SUFFIXES):
        texts = {name: _text(folder, name, endpoint)}
        return {c.name: c for c in calibration.parse(texts[name], name, subject)}
    return {c.name: c for c in calibration.among(_texts(place, "", endpoint), place, subject)}


def _texts(folder: str, below: str, endpoint: str | None) -> dict[str, str]:
    """Read what may be calibrations in a folder, or in one ``below`` it."""
    keys = [entry.key for entry in at(folder, endpoint).list(below)]
    names = [key.removeprefix(below) for key in sorted(keys)]
    place = f"{folder}/{below}".rstrip("/")
    wanted = [n for n in names if "/" not in n and n.lower().endswith(calibration.SUFFIXES)]
    return {name: _text(place, name, endpoint) for name in wanted}


def _text(folder: str, name: str, endpoint: str | None) -> str:
    objects = at(folder, endpoint)
    try:
        size = objects.stat(name).size
        if size > calibration.LARGEST:
            raise InputError(f"{folder}/{name}: {size} bytes are too many for a calibration")
        return objects.read(name).decode("utf-8", "replace")
    except FileNotFoundError:
        raise InputError(f"{folder}/{name}: there is no such calibration") from None


def _folder(folder: str, endpoint: str | None) -> Session:
    """Make the session of a folder: each video is of the camera that it is named like."""
    objects = at(folder, endpoint)
    below = {entry.key.partition("/")[0] + "/" for entry in objects.list() if "/" in entry.key}
    calibrations = sorted(b for b in below if b.lower().startswith("calib"))
    texts = _texts(objects.root, "", endpoint)
    if not any(calibration.form_of(text) for text in texts.values()) and len(calibrations) == 1:
        texts = _texts(objects.root, calibrations[0], endpoint)
    cameras = calibration.among(texts, folder)
    videos = inputs([objects.root], endpoint)
    fits = {
        video.uri: [camera for camera in cameras if _alike(camera.name, video.uri)]
        for video in videos
    }
    used = [camera.name for its in fits.values() for camera in its]
    faults = [
        f"{uri}: is named like {' and '.join(c.name for c in its) or 'no camera'}; the cameras are "
        f"{', '.join(camera.name for camera in cameras)}"
        for uri, its in fits.items()
        if len(its) != 1
    ]
    faults += [f"several videos are named like {n}" for n in sorted(set(used)) if used.count(n) > 1]
    if len(set(used)) < 2 and not faults:
        faults.append(f"it has {len(videos)} videos of the cameras; a session has two or more")
    if faults:
        title = f"{folder}: is no session as it is; describe it in a SESSIONS.toml"
        raise InputError(listed(title, faults))
    of = {its[0].name: next(v for v in videos if v.uri == uri) for uri, its in fits.items()}
    return session(objects.root, [View(c, of[c.name]) for c in cameras if c.name in of])


def _alike(camera: str, uri: str) -> bool:
    """Tell whether a file is named like a camera: its name is in it, whatever stands between."""
    name, stem = (re.sub(r"[^a-z0-9]", "", t.lower()) for t in (camera, PurePosixPath(uri).stem))
    return bool(name) and re.search(rf"{name}(?!\d)", stem) is not None


def planned(
    session: Session,
    found: Sequence[VideoIndex | VideoError],
    fps: float | None,
    decoder: DecoderName = "pyav",
) -> PlannedVideo:
    """Cut a session into clips of all views; ``found`` is what probing each view's video gave.

    A view that cannot be read is planned with its error, and the others go on if there are two.
    """
    views = [_view(session, view, index) for view, index in zip(session.views, found, strict=True)]
    good = [
        (view, index)
        for view, index in zip(views, found, strict=True)
        if isinstance(index, VideoIndex) and not view["error"]
    ]
    info: dict[str, Any] = {"views": views}
    if len(good) < 2:
        cause = f"of {len(views)} views {len(good)} can be read; a session needs two"
        transient = [view["error_kind"] for view in views if is_transient(view["error_kind"])]
        kind = transient[0] if transient else "views"
        return PlannedVideo(
            session.input, session.video_id, info, (), kind, f"{session.input.uri}: {cause}"
        )
    info["duration_s"] = float(good[0][1].times[-1] - good[0][1].times[0])
    made = _clips(session, good, fps, decoder)
    return PlannedVideo(session.input, session.video_id, info, made)


def clips(planned: PlannedVideo) -> Iterator[Mapping[str, Any]]:
    """Give the clips of what is planned; those of a session have ``cameras``, by the views' ids.

    Each is a ``camera`` as JSON has it, its ``position`` among those that can be read, and ``late``
    in seconds, which are added to its times as far as that is known beforehand.
    """
    if not planned.clips or "views" not in planned.info:
        yield from planned.clips
        return
    good = [view for view in planned.info["views"] if not view["error"]]
    cameras = {
        view["video_id"]: {
            "camera": view["camera"],
            "position": number,
            "late": _late(view, good[0]),
        }
        for number, view in enumerate(good)
    }
    yield from ({**clip, "cameras": cameras} for clip in planned.clips)


def _view(session: Session, view: View, found: VideoIndex | VideoError) -> dict[str, Any]:
    """Tell what the plan holds of a view: its video as the table ``videos`` has it, its camera."""
    name = video_id(f"{session.input.uri}\n{view.input.uri}", fingerprint(view.input))
    known: dict[str, Any] = {
        "video_id": name,
        "uri": view.input.uri,
        "size": view.input.size,
        "view": view.camera.name,
        "offset": view.offset,
        "error_kind": "",
        "error": "",
    }
    if isinstance(found, VideoError):
        return {**known, "info": {}, "error_kind": found.kind, "error": str(found)}
    size, calibrated = (found.width, found.height), view.camera.size
    stretched = size[0] * calibrated[1] / (size[1] * calibrated[0])
    if not abs(stretched - 1) <= STRETCHED:
        cause = (
            f"{view.input.uri}: its pictures are {size[0]}x{size[1]}, but the camera "
            f"{view.camera.name} was calibrated at {calibrated[0]}x{calibrated[1]}"
        )
        return {**known, "info": found.info(), "error_kind": "calibration", "error": cause}
    camera = view.camera.cropped((0, 0, *calibrated), size)
    return {**known, "info": found.info(), "camera": camera.written()}


def _late(view: Mapping[str, Any], first: Mapping[str, Any]) -> float:
    """Say what is added to a view's times to have them on the first one's clock, if known."""
    return (view["offset"] or 0.0) - (first["offset"] or 0.0)


def _clips(
    session: Session,
    good: Sequence[tuple[dict[str, Any], VideoIndex]],
    fps: float | None,
    decoder: DecoderName,
) -> list[dict[str, Any]]:
    first = good[0][1]
    times = [index.times + _late(view, good[0][0]) for view, index in good]
    cuts = cut(first.pts, first.keyframes, first.time_base)
    edges = first.times[[span.core_start for span in cuts[1:]]]
    looked = chosen(first, fps)
    wanted = [
        np.arange(len(each)) if fps is None else _nearest(each, first.times[looked], 0.5 / fps)
        for each in times
    ]
    spans = [_spans(each, edges) for each in times]
    made = list[dict[str, Any]]()
    for number in range(len(cuts)):
        views = [
            filled(index, view["uri"], view["video_id"], span, frames, decoder)
            for (view, index), its, frames in zip(good, spans, wanted, strict=True)
            if (span := its[number])
        ]
        if clips := [clip for clip in views if clip]:
            digest = _digest([session.video_id, *(clip["clip_id"] for clip in clips)])
            named = {"video_id": session.video_id, "uri": session.input.uri}
            made.append({**clips[0], **named, "clip_id": digest[:16], "views": clips})
    return made


def _spans(times: NDArray[np.float64], edges: NDArray[np.float64]) -> list[Span | None]:
    """Part a view's frames, at ``times`` (N,) of the session, at ``edges``: no span where none is.

    What lies before the first edge belongs to the first clip, what lies after the last to the last.
    """
    bounds = [0, *np.searchsorted(times, edges - TICK).tolist(), len(times)]
    return [
        Span(
            start=int(np.searchsorted(times, times[first] - CONTEXT_S)),
            stop=int(np.searchsorted(times, times[last - 1] + CONTEXT_S, "right")),
            core_start=first,
            core_stop=last,
        )
        if first < last
        else None
        for first, last in pairwise(bounds)
    ]


def _nearest(
    times: NDArray[np.float64], wanted: NDArray[np.float64], most: float
) -> NDArray[np.int64]:
    """Choose the frame nearest to each wanted time, if it is no more than ``most`` seconds away."""
    after = np.searchsorted(times, wanted).clip(1, max(len(times) - 1, 1))
    last = len(times) - 1
    before, after = np.minimum(after - 1, last), np.minimum(after, last)
    near = np.where(wanted - times[before] <= times[after] - wanted, before, after)
    return np.unique(near[abs(times[near] - wanted) <= most])
