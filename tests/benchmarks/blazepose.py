"""Measure seeing people with BlazePose on one core, with one and with five people at 720p, as JSON.

python tests/benchmarks/blazepose.py VIDEO [--seconds 8]

VIDEO shows one person at 720p. Five people are five of it side by side, each a fifth as wide.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from muybridge.models.blazepose import find
from muybridge.models.blazepose.model import BlazePose
from muybridge.stages.people import load
from muybridge.stages.watch import Options
from muybridge.tracking.track import Tracker
from muybridge.video.clips import clips
from muybridge.video.decode import Reader
from muybridge.video.frames import DecodedFrames
from muybridge.video.probe import probe

STEPS = (  # where each step's function is looked up
    ("detector network", BlazePose, "detect"),
    ("tiles", find, "detector_input"),
    ("landmark network", BlazePose, "landmarks"),
    ("crops", find, "crops"),
    ("joints", find.postprocess, "people"),
    ("tracks", Tracker, "update"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    clip, pictures = decoded(options.video, options.seconds)
    spent = timed()
    one, five = (measure(clip, shown, spent) for shown in (pictures, beside(pictures, 5)))
    bound = max(one["cpu_ms_a_frame"], key=lambda step: one["cpu_ms_a_frame"][step])
    print(json.dumps({"one": one, "five": five, "bound_by": bound}, indent=2))


def decoded(video: str, seconds: float) -> tuple[dict[str, Any], np.ndarray]:
    """Decode a video's beginning: its first clip's columns and the pictures (T, H, W, 3)."""
    index = probe(video)
    clip = clips(index, video, video)[0]
    count = int(np.searchsorted(clip["times"], clip["times"][0] + seconds))
    clip = {**clip, **{name: clip[name][:count] for name in ("frame_index", "pts", "times")}}
    with Reader() as reader:
        return clip, np.stack([picture for _, picture in reader.read(clip, 0, count)])


def beside(pictures: np.ndarray, people: int) -> np.ndarray:
    """Put the middle of each picture so many times side by side on a picture of the same size."""
    width = pictures.shape[2]
    part = width // people
    first = (width - part) // 2
    return np.tile(pictures[:, :, first : first + part], (1, 1, people, 1))


def timed() -> Counter[str]:
    """Have each step add its CPU seconds to the counter returned."""
    spent: Counter[str] = Counter()

    def wrap(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            start = time.process_time()
            try:
                return function(*given)
            finally:
                spent[step] += time.process_time() - start

        return run

    for step, owner, name in STEPS:
        setattr(owner, name, wrap(step, getattr(owner, name)))
    return spent


def measure(clip: dict[str, Any], pictures: np.ndarray, spent: Counter[str]) -> dict[str, Any]:
    """Run the stage over pictures (T, H, W, 3) and say what it cost."""
    count = len(pictures)
    given = {**clip, "core": clip["frame_index"][[0, -1]] + [0, 1]}
    given["frames"] = DecodedFrames(pictures, np.arange(count), count)
    run = load(Options())
    spent.clear()
    start = time.process_time()
    (done,) = run([given])
    total = time.process_time() - start
    steps = {step: round(spent[step] / count * 1e3, 2) for step, *_ in STEPS}
    steps["rest"] = round(total / count * 1e3 - sum(steps.values()), 2)
    return {
        "frames": count,
        "people_a_frame": round(len(done["person_frame"]) / count, 2),
        "frames_a_second": round(count / total, 1),
        "cpu_ms": round(total / count * 1e3, 2),
        "cpu_ms_a_frame": steps,
    }


if __name__ == "__main__":
    main()
