"""Say what is done in a clip, in all of its picture and by each person, with Kinetics' classes.

Windows are as long, and their moments as far apart, as the network was taught; of each person they
are of a region that goes along. Frames are held only as long as a window needs them, brought to the
network's size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from muybridge import weights
from muybridge.columns import Clip
from muybridge.device import device
from muybridge.errors import ClipError
from muybridge.graph import Run, Stage
from muybridge.models.kinetics.model import Kind
from muybridge.models.kinetics.predict import Precision, Predictor
from muybridge.models.kinetics.preprocess import around, cut, small
from muybridge.stages.looking import READS
from muybridge.tracking.segments import TICK, covered, timed

Numbers = NDArray[np.int64]
FOUND = ("frame_seen", "person_frame", "person_track", "person_box")
WRITES = ("kinetics_model", "kinetics_frame", "kinetics_track", "kinetics_scores")
WHOLE = -1  # the track that stands for the whole picture
CHUNK = 8  # frames decoded at a time


@dataclass(frozen=True)
class Options:
    """Say how to look: ``stride`` moments from one window to the next, None for half a window."""

    stride: int | None = None
    precision: Precision = "float32"


def action(model: str = "r3d_18", given: Path | None = None, options: Options = Options()) -> Stage:
    """Make the stage that watches clips, and the people in them whom another stage found.

    ``given`` is a file or folder with the weights; without it they are looked up where they are
    kept, or fetched.
    """
    return Stage(
        name="action",
        load=lambda: running(load(model, given, options), model, options),
        reads=(*READS, *FOUND),
        writes=WRITES,
        missing=lambda: weights.missing(model, given),
        identity={**weights.identity(model, given), **asdict(options)},
    )


def load(model: str, given: Path | None, options: Options) -> Predictor:
    """Load the network."""
    return Predictor(weights.load(model, given), model, options.precision, device(mps=False))


def running(predictor: Predictor, model: str, options: Options) -> Run:
    """Return what watches clips."""
    stride = options.stride or predictor.kind.frames // 2
    return lambda clips: [
        {"kinetics_model": model, **watched(predictor, clip, stride)} for clip in clips
    ]


@dataclass(frozen=True)
class Track:
    """Hold who is watched: ``rows`` (R,) of frames, windows ``clips`` (M, T) and ``spans`` (M, 2).

    Both are numbers of ``rows``. ``regions`` (R, 4) are where to look, None for the whole picture.
    """

    number: int
    rows: Numbers
    clips: Numbers
    spans: Numbers
    regions: Numbers | None


def tracks(clip: Clip, kind: Kind, stride: int, transforms: Any) -> Iterator[Track]:
    """Cut windows out of the whole picture and out of every track."""
    numbers = [WHOLE, *np.unique(clip["person_track"]).tolist()]
    for number in numbers:
        mine = np.flatnonzero(clip["person_track"] == number)  # frames rise
        whole = number == WHOLE
        rows = np.flatnonzero(clip["frame_seen"]) if whole else clip["person_frame"][mine]
        times = clip["times"][rows]
        regions = None if whole else around(clip["person_box"][mine], times, transforms)
        clips, spans = timed(times, kind.frames, stride, kind.apart)
        yield Track(number, rows, clips, spans, regions)


def watched(predictor: Predictor, clip: Clip, stride: int) -> dict[str, Any]:
    """Watch a clip, and write the stage's columns but the model's name."""
    step, count = stride * predictor.kind.apart, len(predictor.kind.labels)
    made = [(np.empty(0, np.int64), WHOLE, np.empty((0, count)))]
    watching = list(tracks(clip, predictor.kind, stride, predictor.transforms))
    for track, scores in zip(watching, judged(predictor, clip, watching), strict=True):
        times = clip["times"][track.rows]
        if len(times):
            at = np.arange(times[0], times[-1] + TICK, step)
            told = np.unique(np.searchsorted((times[1:] + times[:-1]) / 2, at))
            made.append(
                (track.rows[told], track.number, covered(track.spans, scores, len(times))[told])
            )
    return {
        "kinetics_frame": np.concatenate([rows for rows, *_ in made]).astype(np.int32),
        "kinetics_track": np.repeat(
            np.array([n for _, n, _ in made], np.int32), [len(rows) for rows, *_ in made]
        ),
        "kinetics_scores": np.concatenate([each for *_, each in made]).astype(np.float32),
    }


def judged(predictor: Predictor, clip: Clip, watching: list[Track]) -> list[NDArray[np.float32]]:
    """Judge all windows of every track: scores (M, 400) each."""
    count = len(predictor.kind.labels)
    scores = [np.zeros((len(track.clips), count), np.float32) for track in watching]
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by frame, who and which of rows
    for who, track in enumerate(watching):
        for place in np.unique(track.clips).tolist():
            wanted[int(track.rows[place])].append((who, place))
    ends = [
        (int(track.rows[window[-1]]), who, number)
        for who, track in enumerate(watching)
        for number, window in enumerate(track.clips)
    ]
    waiting, left = sorted(ends, reverse=True), len(ends)
    held: dict[tuple[int, int], torch.Tensor] = {}
    first, last = min(wanted, default=0), max(wanted, default=-1)
    for rows, pictures in clip["frames"].chunks(CHUNK, first, last + 1):
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            for who, place in wanted[row]:
                regions = watching[who].regions
                seen = picture if regions is None else cut(picture, regions[place])
                held[who, place] = small(seen, predictor.transforms)
        while waiting and waiting[-1][0] <= rows[-1]:
            _, who, number = waiting.pop()
            clips = watching[who].clips
            window = [(who, place) for place in clips[number].tolist()]
            if held.keys() >= set(window):
                scores[who][number] = predictor(torch.stack([held[key] for key in window]))
                left -= 1
            later = clips[number + 1 :].min(initial=len(watching[who].rows))
            for key in [key for key in held if key[0] == who and key[1] < later]:
                del held[key]
    if left:
        raise ClipError(
            f"{left} of {len(ends)} windows are of frames that could not be decoded again; is the "
            "video being changed?"
        )
    return scores
