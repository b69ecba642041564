"""Place people's joints in the world with learnable triangulation, from all views at once.

At each moment, which is a frame of the first view, everybody whom two views or more know is cut out
of the frames nearest to it. Who is who is told by the joints that were seen in the pictures
(``tracking.world``), within the clip; clocks differ by what is known beforehand.

Few pictures are held at a time, and people are looked at one after another, so memory grows neither
with the clip nor with the people in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge import weights
from muybridge.columns import PLACING, Clip, empty
from muybridge.device import device
from muybridge.geometry.cameras import Camera, skywards
from muybridge.geometry.skeletons import H36M17, SKELETONS, Skeleton
from muybridge.graph import Run, Stage
from muybridge.models.triangulation.model import Algebraic
from muybridge.models.triangulation.predict import (
    AlgebraicPredictor,
    Precision,
    VolumetricPredictor,
)
from muybridge.stages.decode import READS
from muybridge.stages.lift import SOURCES
from muybridge.tracking.link import in_core
from muybridge.tracking.segments import TICK
from muybridge.tracking.world import Matched, Sighted, matched, named, placed
from muybridge.video.frames import Frames
from muybridge.video.process import Decoder

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
Picture = NDArray[np.uint8]

FOUND = ("core", "person_frame", "person_track", "person_box")
CHUNK = 4  # pictures of a view that are decoded at a time


@dataclass(frozen=True)
class Options:
    """Say how to look."""

    precision: Precision = "float32"


def triangulate(
    model: str = "human36m_alg_10-04-2019",
    given: Path | None = None,
    options: Options = Options(),
    source: str = "blazepose_joints",
) -> Stage:
    """Make the stage that places whom other stages found; ``source`` is the column of joints.

    ``given`` is a file or folder with the weights; without it they are looked up where they are
    kept.
    """
    return Stage(
        name="triangulate",
        load=lambda: running(load(model, given, options), source),
        reads=(*READS, *FOUND, source),
        writes=PLACING,
        missing=lambda: weights.missing(model, given),
        identity={**weights.identity(model, given), **asdict(options)},
        across=True,
    )


Predictor = AlgebraicPredictor | VolumetricPredictor


def load(model: str, given: Path | None, options: Options) -> Predictor:
    """Load the network."""
    network: Any = weights.load(model, given)
    kind = AlgebraicPredictor if isinstance(network, Algebraic) else VolumetricPredictor
    return kind(network, options.precision, device(mps=False))


def running(predictor: Predictor, source: str) -> Run:
    """Return what places the people of clips of sessions."""
    decoder = Decoder()
    return lambda clips: [place(predictor, decoder, clip, source) for clip in clips]


@dataclass(frozen=True)
class View:
    """Hold what is known of one view of a clip: ``number`` among the clip's, ``bit`` in the table.

    ``near`` (T,) are the rows of its frames that are nearest to the moments.
    """

    number: int
    bit: int
    clip: Clip
    camera: Camera
    sighted: Sighted
    near: Ids


@dataclass(frozen=True)
class Together:
    """Hold whom two views or more show at a moment: ``people`` (P,), by their numbers in the clip.

    ``rows`` (P, V) are their rows of each view's people, -1 where it does not show them.
    """

    moment: int
    people: Ids
    rows: Ids

    @property
    def views(self) -> NDArray[np.bool_]:
        """Tell which views (V,) show somebody."""
        return (self.rows >= 0).any(0)

    def of(self, which: NDArray[np.bool_]) -> Together:
        """Keep what some views (V,) show, and whom two of them do."""
        rows = np.where(which, self.rows, -1)
        kept = (rows >= 0).sum(1) >= 2
        return Together(self.moment, self.people[kept], rows[kept])


# What places them in the pictures of views of such numbers, by boxes (P, V, 4), nan where they are
# not shown: joints (P, J, 3) metres, their spread (P, J) metres, their error (P, J) pixels
Look = Callable[[Together, Sequence[int], Sequence[Picture], Floats], tuple[Floats, Floats, Floats]]


def place(predictor: Predictor, decoder: Decoder, clip: Clip, source: str) -> dict[str, Any]:
    """Place everybody in a session's clip, and write the stage's columns."""
    first = clip["views"][0]
    core = np.flatnonzero(in_core(first["frame_index"], first["core"]))
    times = first["times"][core] + clip["cameras"][first["video_id"]]["late"]
    views = [
        _view(number, view, clip["cameras"][view["video_id"]], times, source)
        for number, view in enumerate(clip["views"])
        if not view["error"] and len(view["times"])
    ]
    if len(views) < 2:
        return empty(PLACING)
    who = matched([view.sighted for view in views], times)
    cameras = [view.camera for view in views]
    look = (
        _algebraic(predictor, cameras)
        if isinstance(predictor, AlgebraicPredictor)
        else _volumetric(predictor, cameras, times, who, SKELETONS[SOURCES[source][0]])
    )
    moments = list(_together(views, who, times))
    found = list[tuple[Any, ...]]()
    with ExitStack() as running:
        reels = [
            running.enter_context(closing(_pictures(decoder.frames(view.clip), wanted)))
            for view, wanted in zip(views, _wanted(views, moments), strict=True)
        ]
        for shown in moments:
            pictures = [
                next(reel) if wanted else None
                for reel, wanted in zip(reels, shown.views, strict=True)
            ]
            there = [number for number, picture in enumerate(pictures) if picture is not None]
            seen = shown.of(np.isin(np.arange(len(views)), there))
            known = [picture for picture in pictures if picture is not None]
            made = look(seen, there, known, _boxes(views, seen, there))
            for mine, joints, spread, error in zip(seen.rows, *made, strict=True):
                anchor = _anchor(views, mine)
                if anchor is not None and np.isfinite(joints).all():
                    bits = sum(view.bit for view, row in zip(views, mine, strict=True) if row >= 0)
                    found.append((core[seen.moment], *anchor, joints, spread, error, bits))
    return _columns(found)


def _view(number: int, clip: Clip, known: Any, times: Floats, source: str) -> View:
    camera, frame = Camera.read(known["camera"]), clip["person_frame"]
    here = clip["times"] + known["late"]
    near = abs(here - times[:, None]).argmin(1)
    joints = clip[source].astype(float)
    sighted = Sighted(camera, here, here[frame], clip["person_track"].astype(np.int64), joints)
    return View(number, 1 << known["position"], clip, camera, sighted, near)


def _together(views: Sequence[View], who: Matched, times: Floats) -> Iterator[Together]:
    """Yield each moment at which two views show somebody, in the frames nearest to it."""
    ids = [
        named(view.sighted, times, *each)
        for view, *each in zip(views, who.at, who.row, who.person, strict=True)
    ]
    for moment, time in enumerate(times):
        here = [
            np.flatnonzero((view.clip["person_frame"] == view.near[moment]) & (own >= 0))
            if abs(view.sighted.looked[view.near[moment]] - time) <= view.sighted.step / 2 + TICK
            else np.zeros(0, np.int64)
            for view, own in zip(views, ids, strict=True)
        ]
        people = np.unique(np.concatenate([own[r] for own, r in zip(ids, here, strict=True)]))
        rows = np.full((len(people), len(views)), -1, np.int64)
        for number, (own, mine) in enumerate(zip(ids, here, strict=True)):
            rows[np.searchsorted(people, own[mine]), number] = mine
        together = Together(moment, people, rows).of(np.ones(len(views), bool))
        if len(together.people):
            yield together


def _wanted(views: Sequence[View], moments: Sequence[Together]) -> Iterator[Ids]:
    """Say of each view which rows of its frames are to be shown, moment by moment."""
    for number, view in enumerate(views):
        at = [each.moment for each in moments if each.views[number]]
        yield view.near[at]


def _boxes(views: Sequence[View], seen: Together, there: Sequence[int]) -> Floats:
    boxes = np.full((len(seen.people), len(there), 4), np.nan)
    for at, number in enumerate(there):
        rows = seen.rows[:, number]
        boxes[rows >= 0, at] = views[number].clip["person_box"][rows[rows >= 0]]
    return boxes


def _anchor(views: Sequence[View], rows: Ids) -> tuple[int, int] | None:
    """Name a view that shows somebody within its core, and the row of its people who that is."""
    for view, row in zip(views, rows.tolist(), strict=True):
        if row >= 0:
            frame = view.clip["frame_index"][view.clip["person_frame"][row : row + 1]]
            if in_core(frame, view.clip["core"]).all():
                return view.number, row
    return None


def _pictures(frames: Frames, rows: Ids) -> Generator[Picture | None]:
    """Yield the picture (H, W, 3) of each of rising rows, or None for one that is lost.

    It is valid until the next is asked for.
    """
    seen, pictures = np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8)
    some = frames.chunks(CHUNK, int(rows[0]), int(rows[-1]) + 1) if len(rows) else iter(())
    for row in rows:
        while not len(seen) or seen[-1] < row:
            if (chunk := next(some, None)) is None:
                break
            seen, pictures = chunk
        at = int(np.searchsorted(seen, row))
        yield pictures[at] if at < len(seen) and seen[at] == row else None


def _algebraic(predictor: AlgebraicPredictor, cameras: Sequence[Camera]) -> Look:
    def look(
        seen: Together, there: Sequence[int], pictures: Sequence[Picture], boxes: Floats
    ) -> tuple[Floats, Floats, Floats]:
        some = [cameras[number] for number in there]
        found = predictor(pictures, some, boxes)
        again = np.stack([camera.project(found.points) for camera in some], 1)
        off = np.linalg.norm(again - found.places, axis=-1)
        known = np.isfinite(off)
        error = np.where(known, off, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
        return found.points, np.full_like(error, np.nan), error

    return look


def _volumetric(
    predictor: VolumetricPredictor,
    cameras: Sequence[Camera],
    times: Floats,
    who: Matched,
    skeleton: Skeleton,
) -> Look:
    """Look around the middle of the hips, triangulated from where the pictures show them."""
    world = placed(cameras, times, who)
    middles = world.joints[:, skeleton.index("left_hip", "right_hip")].mean(1)
    keys = zip(world.at.tolist(), world.person.tolist(), strict=True)
    centre = dict(zip(keys, middles, strict=True))
    up = skywards(np.stack([camera.rotation for camera in cameras]))
    lost = np.full(3, np.nan)

    def look(
        seen: Together, there: Sequence[int], pictures: Sequence[Picture], boxes: Floats
    ) -> tuple[Floats, Floats, Floats]:
        some = [cameras[number] for number in there]
        about = [centre.get((seen.moment, person), lost) for person in seen.people.tolist()]
        centres = np.array(about).reshape(-1, 3)
        points, spread = predictor(pictures, some, boxes, centres, up)
        return points, spread, np.full_like(spread, np.nan)

    return look


def _columns(found: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Make the stage's columns of moments, views, rows, joints, spreads, errors and bits."""
    joints = len(H36M17.joints)
    moment, view, row, places, spread, error, bits = zip(*found, strict=True) if found else [()] * 7
    points = np.array(places, np.float32).reshape(-1, joints, 3)
    whole = np.ones((len(points), joints, 1), np.float32)  # the networks do not say how sure
    return {
        "placed_moment": np.array(moment, np.int32),
        "placed_view": np.array(view, np.int32),
        "placed_person": np.array(row, np.int32),
        "placed_joints3d": np.concatenate([points, whole], -1),
        "placed_spread": np.array(spread, np.float32).reshape(-1, joints),
        "placed_error": np.array(error, np.float32).reshape(-1, joints),
        "placed_views": np.repeat(np.array(bits, np.int32)[:, None], joints, 1),
    }
