"""Videos on their way through the default graph, as the product runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge import graph as graphs
from muybridge.columns import GIVEN
from muybridge.graphs import see_people
from muybridge.tracking.link import in_core, link
from muybridge.video.clips import clips
from muybridge.video.probe import probe

Analyse = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def loaded() -> Iterator[graphs.Loaded]:
    """All stages, loaded once."""
    return graphs.load(see_people(), GIVEN)


@pytest.fixture(scope="session")
def analyse(loaded: graphs.Loaded, data: Path) -> Analyse:
    """Run a video's clips, or some of its frames as one clip: what comes out, clip by clip."""

    def run(name: str, fps: float | None = None, frames: slice | None = None) -> list[Any]:
        made = clips(probe(str(data / name)), name, name, fps)
        if frames is not None:
            made = [part(made[0], frames)]
        done = [graphs.apply(loaded, [clip])[0] for clip in made]
        assert [clip["error"] for clip in done] == [""] * len(done)
        return done

    return run


def part(clip: dict[str, Any], rows: slice) -> dict[str, Any]:
    """Keep some rows of a clip, and answer for all of them."""
    cut = {name: clip[name][rows] for name in ("frame_index", "pts", "times")}
    core = np.array([cut["frame_index"][0], cut["frame_index"][-1] + 1])
    return {**clip, **cut, "core": core}


def seen(done: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Take a video's frame numbers (P,) and video-wide track numbers (P,) of all people."""
    rows = [clip["frame_index"][clip["person_frame"]] for clip in done]
    given = [
        (frame, c["times"][c["person_frame"]], c["person_track"], c["person_box"], c["core"])
        for frame, c in zip(rows, done, strict=True)
    ]
    kept = [in_core(frame, c["core"]) for frame, c in zip(rows, done, strict=True)]
    pairs = zip(rows, link(given), kept, strict=True)
    frames, ids = zip(*((frame[k], ids[k]) for frame, ids, k in pairs), strict=True)
    return np.concatenate(frames), np.concatenate(ids)
